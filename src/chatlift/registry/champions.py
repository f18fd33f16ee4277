"""Who served when: the append-only ledger of champions, and the one place of the present one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import polars as pl
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from chatlift.store.bulk import insert_new, table_of
from chatlift.store.registry_tables import ChampionLedgerRow, ModelStateRow, VersionRow
from chatlift.vocabulary import ModelName

LEDGER = table_of(ChampionLedgerRow)
STATES = table_of(ModelStateRow)
VERSIONS = table_of(VersionRow)


class ChangeKind(StrEnum):
    """Why a champion changed."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    FALLBACK = "fallback"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One change of a champion; null numbers mean that none served."""

    model: ModelName
    changed_at: datetime
    from_number: int | None
    to_number: int | None
    kind: ChangeKind
    decided_by: str
    reason: str
    figures: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class GateCounts:
    """What the gate has counted for one model, for good: it outlives the versions."""

    look_count: int = 0
    """New recipes that were compared with a champion on enough new data to count."""
    entities_at_look: int | None = None
    """Mature entities at the last such comparison, at first those of the first champion; None:
    none served yet."""
    refresh_gain: float = 0.0
    """Sum of the Brier gains of the refreshes since the last new recipe."""
    refresh_variance: float = 0.0
    """Sum of the variances of those gains."""


def read_gate_counts(connection: Connection, account_id: int, model: ModelName) -> GateCounts:
    """Return what was counted so far."""
    names = GateCounts.__dataclass_fields__
    statement = select(*(STATES.c[name] for name in names)).where(
        STATES.c.account_id == account_id, STATES.c.model == model
    )
    row = connection.execute(statement).one_or_none()
    return GateCounts(**row._mapping) if row is not None else GateCounts()


def write_gate_counts(
    connection: Connection, account_id: int, model: ModelName, counts: GateCounts
) -> None:
    """Keep what was counted; the state is locked by the caller."""
    here = (STATES.c.account_id == account_id) & (STATES.c.model == model)
    values = {name: getattr(counts, name) for name in GateCounts.__dataclass_fields__}
    connection.execute(update(STATES).where(here).values(**values))


def read_ledger(
    connection: Connection, account_id: int, model: ModelName
) -> tuple[LedgerEntry, ...]:
    """Return the model's entries, oldest first."""
    names = LedgerEntry.__dataclass_fields__
    statement = (
        select(*(LEDGER.c[name] for name in names))
        .where(LEDGER.c.account_id == account_id, LEDGER.c.model == model)
        .order_by(LEDGER.c.ledger_id)
    )
    return tuple(_entry(row) for row in connection.execute(statement))


def served_before(entries: tuple[LedgerEntry, ...]) -> tuple[int, ...]:
    """Return the numbers a rollback may lead to, nearest first.

    Promotions pile versions up; a rollback, fallback or deletion takes the top off.

    Examples
    --------
    >>> served_before(())
    ()
    """
    pile: list[int] = []
    for entry in entries:
        _replay(pile, entry)
    serving = entries[-1].to_number if entries else None
    return tuple(dict.fromkeys(number for number in reversed(pile) if number != serving))


def _replay(pile: list[int], entry: LedgerEntry) -> None:
    if entry.kind is ChangeKind.PROMOTE and entry.to_number is not None:
        pile.append(entry.to_number)
        return
    if pile and pile[-1] == entry.from_number:
        pile.pop()
    while pile and entry.to_number is not None and pile[-1] != entry.to_number:
        pile.pop()


def lock_state(connection: Connection, account_id: int, model: ModelName) -> int | None:
    """Keep others from changing the champion until the transaction ends; return its number."""
    first = pl.DataFrame({"account_id": [account_id], "model": [str(model)], "last_number": [0]})
    insert_new(connection, STATES, first)
    here = (STATES.c.account_id == account_id) & (STATES.c.model == model)
    connection.execute(select(STATES.c.last_number).where(here).with_for_update())
    return champion_number(connection, account_id, model)


def champion_number(connection: Connection, account_id: int, model: ModelName) -> int | None:
    """Return the number of the version that serves; None if none does."""
    joined = STATES.join(VERSIONS, STATES.c.champion_version_id == VERSIONS.c.version_id)
    number: int | None = connection.scalar(
        select(VERSIONS.c.number)
        .select_from(joined)
        .where(STATES.c.account_id == account_id, STATES.c.model == model)
    )
    return number


CHAMPION_ID = select(STATES.c.champion_version_id).where(
    STATES.c.account_id == bindparam("account"), STATES.c.model == bindparam("model")
)
"""Built once, since every answer asks it."""


def champion_id(connection: Connection, account_id: int, model: ModelName) -> int | None:
    """Return which version serves, by its number in the database; None if none does."""
    named = {"account": account_id, "model": model}
    found: int | None = connection.scalar(CHAMPION_ID, named)
    return found


def next_number(connection: Connection, account_id: int, model: ModelName) -> int:
    """Take the next number of a model; one of a deleted version never comes back."""
    taken = (
        update(STATES)
        .where(STATES.c.account_id == account_id, STATES.c.model == model)
        .values(last_number=STATES.c.last_number + 1)
        .returning(STATES.c.last_number)
    )
    return int(connection.execute(taken).scalar_one())


def move_champion(connection: Connection, account_id: int, entry: LedgerEntry) -> None:
    """Let `entry.to_number` serve and write it down; the state is locked by the caller.

    What refreshes of the champion before have gained is no concern of the one that serves now.
    An entry never lies before the one it follows, even if a clock went back.
    """
    last = connection.scalar(
        select(func.max(LEDGER.c.changed_at)).where(
            LEDGER.c.account_id == account_id, LEDGER.c.model == entry.model
        )
    )
    chosen = select(VERSIONS.c.version_id).where(
        VERSIONS.c.account_id == account_id,
        VERSIONS.c.model == entry.model,
        VERSIONS.c.number == entry.to_number,
    )
    values = {name: getattr(entry, name) for name in LedgerEntry.__dataclass_fields__}
    values["changed_at"] = max(entry.changed_at, last or entry.changed_at)
    connection.execute(insert(LEDGER).values(account_id=account_id, **values))
    here = (STATES.c.account_id == account_id) & (STATES.c.model == entry.model)
    moved = (
        update(STATES)
        .where(here)
        .values(
            champion_version_id=chosen.scalar_subquery(), refresh_gain=0.0, refresh_variance=0.0
        )
    )
    connection.execute(moved)


def _entry(row: Row[Any]) -> LedgerEntry:
    values = dict(row._mapping)
    return LedgerEntry(
        model=ModelName(values.pop("model")), kind=ChangeKind(values.pop("kind")), **values
    )
