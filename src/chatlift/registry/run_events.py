"""What runs tell while they go their way, in the order told, for those who listen.

An event is written in the transaction that changes the run. Listeners go on from the number of
the last event they have seen; none is lost, because an account's events become visible in the
order of their numbers: whoever adds one holds a lock until its transaction has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, text

from chatlift.registry.run_rows import RUNS
from chatlift.store.bulk import table_of
from chatlift.store.database import Database
from chatlift.store.job_tables import RunEventRow
from chatlift.vocabulary import RunEventKind

EVENTS = table_of(RunEventRow)
ADVISORY_LOCKS = 0x52554E45 << 32
"""The first of the numbers that PostgreSQL locks by, one per account."""


@dataclass(frozen=True, kw_only=True)
class RunEvent:
    """One thing that a run told."""

    event_id: int
    """Grows within an account in the order in which events become visible."""
    run_id: str
    told_at: datetime
    kind: RunEventKind
    data: Mapping[str, Any]
    """JSON values.

    queued: `requested_model`, `models`, `requested_by`. started: `attempt`. progress: `phase`,
    `percent`, `message`, `model`. model: `model`, `verdict`, `sentence`, `version_number`,
    `metrics`. stopping: nothing. requeued: `message`, `attempt`. ended: `status`, `message`.
    """


class RunEvents:
    """The events of one account's runs; safe across threads and processes."""

    def __init__(self, database: Database, account_id: int) -> None:
        self._database = database.of_account(account_id)
        self._account_id = account_id

    def after(self, event_id: int, *, limit: int = 500) -> tuple[RunEvent, ...]:
        """Return the account's events that follow, oldest first; 0 begins with the first kept."""
        return self._select(EVENTS.c.event_id > event_id, limit=limit)

    def of(self, run_id: str, *, after: int = 0, limit: int = 500) -> tuple[RunEvent, ...]:
        """Return what one run told after the event `after`, oldest first; empty if unknown."""
        return self._select(EVENTS.c.run_id == run_id, EVENTS.c.event_id > after, limit=limit)

    def newest_id(self) -> int:
        """Return the number of the account's newest event; 0 before any."""
        newest = select(func.max(EVENTS.c.event_id)).where(EVENTS.c.account_id == self._account_id)
        with self._database.read() as connection:
            return connection.scalar(newest) or 0

    def _select(self, *conditions: ColumnElement[bool], limit: int) -> tuple[RunEvent, ...]:
        columns = [EVENTS.c[name] for name in RunEvent.__dataclass_fields__]
        statement = (
            select(*columns)
            .where(EVENTS.c.account_id == self._account_id, *conditions)
            .order_by(EVENTS.c.event_id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(_event(row) for row in connection.execute(statement))


def tell(
    connection: Connection,
    *,
    account_id: int,
    run_id: str,
    kind: RunEventKind,
    data: Mapping[str, Any],
    now: datetime,
) -> None:
    """Add an event, as the last thing a transaction does: others wait from here on.

    A transaction tells of one account only; with two, two transactions could wait for each other.
    """
    if connection.dialect.name == "postgresql":
        key = ADVISORY_LOCKS + account_id
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    row = {"account_id": account_id, "run_id": run_id, "told_at": now, "kind": kind}
    connection.execute(insert(EVENTS).values(data=dict(data), **row))


def delete_progress(database: Database, *, ended_before: datetime) -> int:
    """Delete the steps told by all runs that ended before an instant; return how many those were.

    What the run's other events say (begun, judged, ended) stays.
    """
    old = select(RUNS.c.run_id).where(RUNS.c.completed_at < ended_before)
    steps = (EVENTS.c.kind == RunEventKind.PROGRESS) & EVENTS.c.run_id.in_(old)
    with database.across_accounts().write() as connection:
        return connection.execute(delete(EVENTS).where(steps)).rowcount


def _event(row: Row[Any]) -> RunEvent:
    values = dict(row._mapping)
    return RunEvent(kind=RunEventKind(values.pop("kind")), **values)
