"""How good a batch of records is: missing values, duplicates, class balance, date ranges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from chatlift.records import Records

TABLES = ("contacts", "conversations", "messages", "leads", "facts")
INSTANTS = {"contacts": "created_at", "conversations": "started_at", "messages": "sent_at",
            "leads": "created_at", "facts": "known_at"}  # fmt: skip
NULL_MEANS_SOMETHING = frozenset(
    {"churned_at", "closed_at", "outcome_known_at", "conversation_external_id"}
)
"""Columns in which an empty cell is an answer, so that it is not missing."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Empty cells of one column, or records without a fact that others have."""

    table: str
    column: str
    missing: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class DateRange:
    """First and last instant of one table; None: it has no rows."""

    table: str
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The quality table of a batch of records."""

    missing: tuple[Missing, ...]
    """Only columns and facts with something missing."""
    duplicates: dict[str, int]
    """Table to rows whose id (facts: everything) occurs before."""
    outcomes: dict[str, int]
    """Lead outcome to number of leads."""
    directions: dict[str, int]
    """Message direction to number of messages."""
    dates: tuple[DateRange, ...]


def quality_of(records: Records) -> Quality:
    """Return the quality table of a batch of records."""
    frames = {name: getattr(records, name) for name in TABLES}
    return Quality(
        missing=(*_empty_cells(frames), *_absent_facts(records)),
        duplicates={name: _duplicates(name, rows) for name, rows in frames.items()},
        outcomes=_counts_by(records.leads, "outcome"),
        directions=_counts_by(records.messages, "direction"),
        dates=tuple(_date_range(name, rows) for name, rows in frames.items()),
    )


def _empty_cells(frames: dict[str, pl.DataFrame]) -> list[Missing]:
    return [
        Missing(table=table, column=column, missing=rows[column].null_count(), rows=rows.height)
        for table, rows in frames.items()
        for column in rows.columns
        if column not in NULL_MEANS_SOMETHING and rows[column].null_count()
    ]


def _absent_facts(records: Records) -> list[Missing]:
    """Count the contacts and leads that lack a fact that others have (opt-out: none is fine)."""
    told = (
        records.facts.filter(pl.col("subject") != "message", pl.col("name") != "opted_out")
        .group_by("subject", "name")
        .agg(pl.col("subject_external_id").n_unique().alias("told"))
        .sort("subject", "name")
    )
    rows = {"contact": records.contacts.height, "lead": records.leads.height}
    return [
        Missing(table=f"{subject}s", column=name, missing=rows[subject] - n, rows=rows[subject])
        for subject, name, n in told.iter_rows()
        if n < rows[subject]
    ]


def _duplicates(table: str, rows: pl.DataFrame) -> int:
    if rows.is_empty():
        return 0
    # A struct of one column takes half a gigabyte more for five million messages.
    key = pl.struct(rows.columns) if table == "facts" else pl.col("external_id")
    return rows.height - int(rows.select(key.n_unique()).item())


def _counts_by(rows: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(rows.group_by(column).len().sort(column).iter_rows())


def _date_range(table: str, rows: pl.DataFrame) -> DateRange:
    instants = rows.get_column(INSTANTS[table])
    first, last = instants.min(), instants.max()
    return DateRange(
        table=table,
        first=first if isinstance(first, datetime) else None,
        last=last if isinstance(last, datetime) else None,
    )
