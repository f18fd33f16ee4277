"""Schedules and their slots as they stand in the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from chatlift.errors import NotFound
from chatlift.registry.rhythm import Rhythm
from chatlift.store.bulk import table_of
from chatlift.store.job_tables import ScheduleRow, ScheduleSlotRow
from chatlift.vocabulary import ModelName, RhythmWord, SlotDecision, parse_models

SCHEDULES = table_of(ScheduleRow)
SLOTS = table_of(ScheduleSlotRow)


class ScheduleNotFound(NotFound):
    """The account has no schedule for that model."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"No schedule trains {model}. See which there are with `chatlift schedule show`, or "
            f"make it with `chatlift schedule set weekly --model {model}`."
        )


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When one model, or all, is trained by itself."""

    schedule_id: int
    account_id: int
    model: str
    """`all` or a model's name."""
    rhythm: str
    """A word, or a cron line."""
    time_zone: str
    """IANA name of the zone in which the rhythm is read."""
    request: Mapping[str, Any]
    """What its runs are asked for, as `TrainRequest.to_json` gives it."""
    revision: int
    """1 for a new one; each edit adds one."""
    created_at: datetime
    revised_at: datetime
    paused_at: datetime | None
    """None while it is not paused."""
    decided_through: datetime
    """What became of the slots up to here is settled."""

    @property
    def models(self) -> tuple[ModelName, ...]:
        """What is trained, in that order."""
        return parse_models(self.model)

    @property
    def is_paused(self) -> bool:
        """Whether it waits until somebody resumes it."""
        return self.paused_at is not None

    @property
    def told_rhythm(self) -> str:
        """How often, in words: `weekly in Europe/Madrid`."""
        is_word = self.rhythm in set(RhythmWord)
        told = self.rhythm if is_word else f'by the cron line "{self.rhythm}"'
        return f"{told} in {self.time_zone}"

    @property
    def sentence(self) -> str:
        """What it does, for a person."""
        told = f"{self.model} is trained {self.told_rhythm}."
        if not self.is_paused:
            return told
        return f"{told} It is paused; go on with `chatlift schedule resume {self.model}`."

    def next_run_at(self, now: datetime) -> datetime | None:
        """Return the first slot still to come; None while it is paused."""
        if self.is_paused:
            return None
        return self._rhythm.next_after(max(now, self.decided_through))

    def has_due(self, now: datetime) -> bool:
        """Tell whether a slot has come that is not decided, paused or not."""
        return self._rhythm.next_after(self.decided_through) <= now

    def due(self, now: datetime) -> Iterator[datetime]:
        """Yield the slots that have come and are not decided, oldest first."""
        return self._rhythm.between(self.decided_through, now)

    @property
    def _rhythm(self) -> Rhythm:
        return Rhythm(text=self.rhythm, time_zone=self.time_zone, begun_at=self.created_at)


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One instant at which a schedule was due, and what became of it."""

    slot_at: datetime
    revision: int
    """The schedule's, when it was due."""
    decision: SlotDecision
    reason: str
    """Why no run came of it, in a sentence; empty where one did."""
    run_id: str | None
    """The run that came of it; None where none did."""
    decided_at: datetime


def find_schedule(
    connection: Connection, account_id: int, condition: ColumnElement[bool], *, lock: bool = False
) -> Schedule | None:
    """Return the account's schedule of which the condition holds; None if there is none.

    Parameters
    ----------
    lock
        Keep others from changing it, and from deciding its slots, until the transaction ends.
    """
    statement = select(SCHEDULES).where(SCHEDULES.c.account_id == account_id, condition)
    statement = statement.with_for_update() if lock else statement
    row = connection.execute(statement).one_or_none()
    return None if row is None else schedule_of(row)


def schedule_of(row: Row[Any]) -> Schedule:
    """Return a row of `SCHEDULES` as a record."""
    return Schedule(**row._mapping)


def slot_of(row: Row[Any]) -> Slot:
    """Return a row of `SLOTS` as a record."""
    told = {name: row._mapping[name] for name in Slot.__dataclass_fields__}
    return Slot(**told | {"decision": SlotDecision(row.decision)})
