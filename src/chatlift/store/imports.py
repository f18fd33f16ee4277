"""What imports did: a batch per import, how far it came, and the rows that it could not take.

An import writes a piece of records at a time. The piece, its refused rows and the mark that says
how far the import came are one transaction: whatever ends the process, the same import can go on
from the mark, and nothing is lost or counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Connection, insert, select, update

from chatlift.errors import Conflict
from chatlift.records import Records
from chatlift.store.bound import account_of
from chatlift.store.bulk import insert_new, table_of
from chatlift.store.crm import WRITERS, Crm
from chatlift.store.database import Database
from chatlift.store.known_ids import KnownIds
from chatlift.store.outcomes import REJECTIONS, ROW_NUMBER, TableCounts, WriteCounts
from chatlift.store.revisions import records_changed, records_revision
from chatlift.store.settling import settle, take_turn
from chatlift.store.tables import ImportBatchRow, RejectionRow
from chatlift.store.writing import Scope

REJECTED = pl.Schema(
    {
        "table_name": pl.String,
        "file_name": pl.String,
        "row_number": pl.Int64,
        "line_number": pl.Int64,
        "column_name": pl.String,
        "value": pl.String,
        "reason": pl.String,
        "cells": pl.String,
    }
)
"""One row per row that an import refused. `row_number` counts data rows from 0; null
`line_number`: the file has no lines; null `value`: the cell was empty; `cells`: all cells of the
row as they stood in the file, or the one body of a webhook's delivery, a JSON list; null: they were
not kept."""

BATCHES, REJECTIONS_KEPT = table_of(ImportBatchRow), table_of(RejectionRow)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One import."""

    batch_id: int
    source: str
    imported_at: datetime
    """When it began: also where it went on later, what it tells is known from here on."""
    finished_at: datetime | None
    """None: it was interrupted, or is under way."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """By table what became of the rows of its file; empty while unfinished."""
    mapping: Mapping[str, Any] | None = None
    """How its files were read, where they were files of tables."""
    progress: Mapping[str, Any] | None = None
    """How far it came; `step` counts the pieces that were written."""

    @property
    def unkept_count(self) -> int:
        """Rejected rows that were counted by reason and not stored."""
        told = self.summary if self.finished_at else (self.progress or {}).get("tables", {})
        return sum(
            sum(counts.get("unkept", {}).values())
            for name, counts in told.items()
            if name in WRITERS
        )

    def table_counts(self) -> dict[str, TableCounts]:
        """Return by table what became of its rows so far, whatever kind of import it was."""
        told = self.summary if self.finished_at else (self.progress or {}).get("tables", {})
        return {
            name: TableCounts(
                **{
                    field: counts.get(field, counts.get(f"{field}_count", 0))
                    for field in TableCounts.__dataclass_fields__
                }
            )
            for name, counts in told.items()
            if name in WRITERS
        }


def record_batch(
    database: Database,
    account_id: int,
    *,
    source: str,
    imported_at: datetime,
    summary: Mapping[str, Any],
    rejected: pl.DataFrame,
) -> int:
    """Keep what a whole import did, with its refused rows as `REJECTED`; return its number.

    `cells` may be absent from the rejected rows.
    """
    batch = {
        "account_id": account_id,
        "source": source,
        "imported_at": imported_at,
        "summary": dict(summary),
        "finished_at": imported_at,
    }
    with database.of_account(account_id).write() as connection:
        batch_id: int = connection.execute(
            insert(BATCHES).values(batch).returning(BATCHES.c.batch_id)
        ).scalar_one()
        _keep_rejected(connection, batch_id, rejected)
    return batch_id


def add_to_batch(
    connection: Connection,
    account_id: int,
    *,
    fingerprint: str,
    source: str,
    imported_at: datetime,
    summary: Mapping[str, Any],
    rejected: pl.DataFrame,
) -> int:
    """Add what was imported to the batch of this fingerprint, made where it is not there.

    Numbers of the summaries are added up, so that what comes in small pieces all day is one batch.
    Whoever calls it sees to it that no other process adds to the same batch meanwhile.
    """
    mine = (BATCHES.c.account_id == account_id) & (BATCHES.c.fingerprint == fingerprint)
    found = connection.execute(select(BATCHES.c.batch_id, BATCHES.c.summary).where(mine)).first()
    if found is None:
        values = {"account_id": account_id, "source": source, "imported_at": imported_at}
        values |= {"summary": dict(summary), "fingerprint": fingerprint, "finished_at": imported_at}
        made = insert(BATCHES).values(values).returning(BATCHES.c.batch_id)
        batch_id: int = connection.execute(made).scalar_one()
    else:
        batch_id = found.batch_id
        changed = {"summary": _added(found.summary, summary), "finished_at": imported_at}
        is_own = _is_own(connection, batch_id)
        connection.execute(update(BATCHES).where(is_own).values(changed))
    _keep_rejected(connection, batch_id, rejected)
    return batch_id


def _added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return both with their numbers added up, those of nested ones too.

    Examples
    --------
    >>> _added({"messages": {"accepted": 1}}, {"messages": {"accepted": 2}, "note": 1})
    {'messages': {'accepted': 3}, 'note': 1}
    """
    told = dict(one)
    for name, value in other.items():
        if isinstance(value, Mapping):
            told[name] = _added(told.get(name, {}), value)
        else:
            told[name] = told.get(name, 0) + value
    return told


def open_batch(
    database: Database,
    account_id: int,
    *,
    source: str,
    imported_at: datetime,
    fingerprint: str,
    mapping: Mapping[str, Any],
) -> Batch:
    """Begin an import, or take up the one of this fingerprint that was cut off."""
    mine = (BATCHES.c.account_id == account_id) & (BATCHES.c.source == source)
    unfinished = mine & (BATCHES.c.fingerprint == fingerprint) & BATCHES.c.finished_at.is_(None)
    with database.of_account(account_id).write() as connection:
        found = connection.execute(
            select(BATCHES).where(unfinished).order_by(BATCHES.c.batch_id)
        ).first()
        if found is not None:
            return batch_from(found._mapping)
        values = {
            "account_id": account_id,
            "source": source,
            "imported_at": imported_at,
            "summary": {},
            "fingerprint": fingerprint,
            "mapping": dict(mapping),
            "progress": {"step": 0},
        }
        begun = connection.execute(insert(BATCHES).values(values).returning(*BATCHES.c)).one()
        return batch_from(begun._mapping)


def mark_progress(
    connection: Connection, batch_id: int, progress: Mapping[str, Any], rejected: pl.DataFrame
) -> None:
    """Keep how far an import came, and the rows refused since the mark before.

    Raises
    ------
    Conflict
        If the mark is not the one before: another process goes on with the same import.
    """
    mine = _is_own(connection, batch_id)
    # Locked on PostgreSQL; on SQLite the whole transaction is.
    stored = connection.scalar(select(BATCHES.c.progress).where(mine).with_for_update())
    if stored is None or stored["step"] + 1 != progress["step"]:
        raise Conflict(
            "Another process imports the same files just now. Wait for it to end; then import "
            "them again, which changes nothing that is there."
        )
    connection.execute(update(BATCHES).where(mine).values(progress=dict(progress)))
    _keep_rejected(connection, batch_id, rejected)


def finish_batch(
    database: Database, batch_id: int, *, summary: Mapping[str, Any], finished_at: datetime
) -> None:
    """Keep what an import did in all; it cannot be taken up again."""
    done = {"summary": dict(summary), "finished_at": finished_at, "progress": None}
    with database.write() as connection:
        connection.execute(update(BATCHES).where(_is_own(connection, batch_id)).values(done))


def write_piece(
    crm: Crm,
    records: Records,
    *,
    source: str,
    imported_at: datetime | None,
    told_at: datetime,
    also: Callable[[Connection, WriteCounts], None],
    ids: KnownIds | None = None,
) -> WriteCounts:
    """Write some records and whatever belongs to them, all or nothing; as `Crm.write`.

    Contacts and conversations begin with the earliest instant that was told of them.

    Parameters
    ----------
    told_at
        Date of the file that tells; where files disagree, the newest counts.
    also
        Called in the same transaction, with what became of the records.
    ids
        What the pieces before have found of the same source, and this one finds.
    """
    ids = ids or KnownIds()
    counts = dict.fromkeys(WRITERS, TableCounts())
    rejections = [REJECTIONS.to_frame()]
    with crm.database.write() as connection:
        take_turn(connection, crm.account_id)
        ids.take_up(records_revision(connection, crm.account_id))
        scope = Scope(
            connection=connection,
            account_id=crm.account_id,
            source=source,
            imported_at=imported_at,
            told_at=told_at,
            ids=ids,
        )
        for table, writer in WRITERS.items():
            rows: pl.DataFrame = getattr(records, table)
            if rows.is_empty():
                continue
            tombstones = crm.tombstones(connection, source)
            known, forgotten = tombstones.refuse(table, rows.with_row_index(ROW_NUMBER))
            written, rejected = writer(scope, known)
            counts[table] = written + TableCounts(rejected=forgotten.height)
            rejections += [rejected, forgotten]
        if any(table.accepted for table in counts.values()):
            records_changed(connection, crm.account_id)
        told = WriteCounts(**counts, rejections=pl.concat(rejections))
        settle(scope, Records(contacts=records.contacts, conversations=records.conversations))
        also(connection, told)
        revision = records_revision(connection, crm.account_id)
    ids.keep(revision)
    return told


def _is_own(connection: Connection, batch_id: int) -> ColumnElement[bool]:
    return (BATCHES.c.account_id == account_of(connection)) & (BATCHES.c.batch_id == batch_id)


def _keep_rejected(connection: Connection, batch_id: int, rejected: pl.DataFrame) -> None:
    if "cells" not in rejected.columns:
        rejected = rejected.with_columns(pl.lit(None, pl.String).alias("cells"))
    owned = rejected.select(list(REJECTED)).with_columns(pl.lit(batch_id).alias("batch_id"))
    insert_new(connection, REJECTIONS_KEPT, owned)


def batch_from(row: Mapping[Any, Any]) -> Batch:
    """Return the import that a row of the table tells."""
    return Batch(
        batch_id=row["batch_id"],
        source=row["source"],
        imported_at=row["imported_at"],
        finished_at=row["finished_at"],
        summary=row["summary"] or {},
        mapping=row["mapping"],
        progress=row["progress"],
    )
