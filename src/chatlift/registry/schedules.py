"""Schedules: which models an account lets train by themselves, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chatlift.registry.rhythm import Rhythm
from chatlift.registry.run_rows import Run
from chatlift.registry.runs import Runs
from chatlift.registry.schedule_rows import (
    SCHEDULES,
    SLOTS,
    Schedule,
    ScheduleNotFound,
    Slot,
    find_schedule,
    schedule_of,
    slot_of,
)
from chatlift.registry.slots import supersede_all_but_a_batch, supersede_some
from chatlift.store.database import Database
from chatlift.vocabulary import SlotDecision, parse_models

EDITED = "The schedule was edited before this slot was decided; an edit never trains at once."


class Schedules:
    """The schedules of one account: at most one for each model and one for `all`.

    Safe across threads and processes. A model on input may be an alias; what is stored and
    returned is its name.
    """

    def __init__(self, database: Database, account_id: int) -> None:
        self._database = database.of_account(account_id)
        self._account_id = account_id

    def put(
        self,
        model: str,
        *,
        rhythm: str,
        time_zone: str,
        request: Mapping[str, Any],
        now: datetime,
    ) -> Schedule:
        """Make the schedule of a model, or edit the one there is.

        An edit starts a new revision and never trains at once: slots that have come and were not
        decided are superseded. It leaves a pause as it is. The same again changes nothing.

        Parameters
        ----------
        rhythm
            daily, weekly, biweekly, monthly, or a cron line of five fields.
        time_zone
            IANA name of the zone in which the rhythm is read.
        request
            What the runs are asked for, as `TrainRequest.to_json` gives it.

        Raises
        ------
        InvalidInput
            If there is no such model or zone, or the rhythm cannot be used.
        """
        told = Rhythm.of(rhythm, time_zone, begun_at=now).text
        wanted = {"rhythm": told, "time_zone": time_zone, "request": dict(request)}
        name = _name_of(model)
        self._settle_a_long_past(name, now)
        with self._database.write() as connection:
            if not self._insert(connection, name, wanted, now):
                self._edit(connection, self._locked(connection, name), wanted, now)
            return self._locked(connection, name)

    def get(self, model: str) -> Schedule:
        """Return the schedule of a model or of `all`.

        Raises
        ------
        ScheduleNotFound
            If there is none.
        """
        with self._database.read() as connection:
            return self._found(connection, _name_of(model))

    def list(self) -> tuple[Schedule, ...]:
        """Return the account's schedules in the order in which they were made."""
        mine = select(SCHEDULES).where(SCHEDULES.c.account_id == self._account_id)
        with self._database.read() as connection:
            rows = connection.execute(mine.order_by(SCHEDULES.c.schedule_id))
            return tuple(schedule_of(row) for row in rows)

    def pause(self, model: str, *, now: datetime) -> Schedule:
        """Let no slot run until `resume`; a paused schedule stays as it is.

        Raises
        ------
        ScheduleNotFound
            If there is none.
        """
        with self._database.write() as connection:
            found = self._locked(connection, _name_of(model))
            if not found.is_paused:
                self._change(connection, found, paused_at=now)
            return self._locked(connection, found.model)

    def resume(self, model: str) -> Schedule:
        """End a pause: of the slots missed meanwhile the latest runs, the others are superseded.

        Raises
        ------
        ScheduleNotFound
            If there is none.
        """
        with self._database.write() as connection:
            found = self._locked(connection, _name_of(model))
            self._change(connection, found, paused_at=None)
            return self._locked(connection, found.model)

    def remove(self, model: str) -> Schedule:
        """Delete a schedule with its slots, and return it as it was; its runs stay.

        Raises
        ------
        ScheduleNotFound
            If there is none.
        """
        with self._database.write() as connection:
            found = self._locked(connection, _name_of(model))
            mine = SCHEDULES.c.account_id == self._account_id
            ours = SCHEDULES.c.schedule_id == found.schedule_id
            connection.execute(delete(SCHEDULES).where(mine, ours))
            return found

    def run_now(self, model: str, *, requested_by: str, now: datetime) -> Run:
        """Put a run in the queue as the schedule would ask for it; its slots stay as they are.

        Raises
        ------
        ScheduleNotFound
            If there is none.
        ModelsBusy
            If another run holds one of the models.
        """
        found = self.get(model)
        asked = Runs(self._database, self._account_id).enqueue(
            found.models,
            requested_model=found.model,
            request=found.request,
            requested_by=requested_by,
            now=now,
        )
        return asked.run

    def slots(
        self, model: str, *, decision: SlotDecision | None = None, limit: int = 20
    ) -> tuple[Slot, ...]:
        """Return the latest decided slots, newest first.

        Parameters
        ----------
        decision
            Only those of which this became; by default all.

        Raises
        ------
        ScheduleNotFound
            If there is no such schedule.
        """
        with self._database.read() as connection:
            found = self._found(connection, _name_of(model))
            statement = select(SLOTS).where(
                SLOTS.c.account_id == self._account_id,
                SLOTS.c.schedule_id == found.schedule_id,
            )
            if decision is not None:
                statement = statement.where(SLOTS.c.decision == decision)
            rows = connection.execute(statement.order_by(SLOTS.c.slot_at.desc()).limit(limit))
            return tuple(slot_of(row) for row in rows)

    def _settle_a_long_past(self, model: str, now: datetime) -> None:
        """Supersede all but the latest slots that have come, so that an edit stays short."""
        has_more = True
        while has_more:
            with self._database.write() as connection:
                found = find_schedule(
                    connection, self._account_id, SCHEDULES.c.model == model, lock=True
                )
                has_more = found is not None and supersede_all_but_a_batch(connection, found, now)

    def _insert(
        self, connection: Connection, model: str, wanted: Mapping[str, Any], now: datetime
    ) -> bool:
        """Insert a new schedule; tell whether there was none before."""
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        row = {
            "account_id": self._account_id,
            "model": model,
            "revision": 1,
            "created_at": now,
            "revised_at": now,
            "decided_through": now,
        }
        statement = dialect.insert(SCHEDULES).values(**row, **wanted).on_conflict_do_nothing()
        made = connection.execute(statement.returning(SCHEDULES.c.schedule_id))
        return made.one_or_none() is not None

    def _edit(
        self, connection: Connection, found: Schedule, wanted: Mapping[str, Any], now: datetime
    ) -> None:
        if all(getattr(found, name) == value for name, value in wanted.items()):
            return
        supersede_some(connection, found, now, reason=EDITED)
        # Clocks differ: what another process has decided with a later one stays decided.
        self._change(
            connection,
            found,
            revision=found.revision + 1,
            revised_at=now,
            decided_through=max(found.decided_through, now),
            **wanted,
        )

    def _change(self, connection: Connection, schedule: Schedule, **values: Any) -> None:
        mine = SCHEDULES.c.account_id == self._account_id
        ours = SCHEDULES.c.schedule_id == schedule.schedule_id
        connection.execute(update(SCHEDULES).where(mine, ours).values(**values))

    def _locked(self, connection: Connection, model: str) -> Schedule:
        return self._found(connection, model, lock=True)

    def _found(self, connection: Connection, model: str, *, lock: bool = False) -> Schedule:
        named = SCHEDULES.c.model == model
        found = find_schedule(connection, self._account_id, named, lock=lock)
        if found is None:
            raise ScheduleNotFound(model)
        return found


def _name_of(model: str) -> str:
    return "all" if model == "all" else parse_models(model)[0]
