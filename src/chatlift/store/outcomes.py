"""What became of the rows that were handed to the store, and the checks that refuse some."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

ROW_NUMBER = "row_number"

REJECTIONS = pl.Schema(
    {
        "table": pl.String,
        "row_number": pl.Int64,
        "column": pl.String,
        "value": pl.String,
        "reason": pl.String,
    }
)
"""One row per refused row. `row_number` counts from 0 in the frame that was handed over;
null `value`: the cell was empty; `reason` is a sentence for a person."""


@dataclass(frozen=True, kw_only=True)
class TableCounts:
    """What became of the rows of one table; accepted + duplicate + rejected is all of them."""

    accepted: int = 0
    """Rows that changed something: new ones and those that updated a record."""
    updated: int = 0
    """Of the accepted, those that updated a record that was there."""
    duplicate: int = 0
    """Rows that said nothing new."""
    rejected: int = 0

    def __add__(self, other: TableCounts) -> TableCounts:
        """Return both together."""
        return TableCounts(
            accepted=self.accepted + other.accepted,
            updated=self.updated + other.updated,
            duplicate=self.duplicate + other.duplicate,
            rejected=self.rejected + other.rejected,
        )

    @property
    def total(self) -> int:
        """All rows that were handed over."""
        return self.accepted + self.duplicate + self.rejected


@dataclass(frozen=True, kw_only=True)
class WriteCounts:
    """What became of a batch of records, by table."""

    contacts: TableCounts = field(default_factory=TableCounts)
    conversations: TableCounts = field(default_factory=TableCounts)
    leads: TableCounts = field(default_factory=TableCounts)
    messages: TableCounts = field(default_factory=TableCounts)
    facts: TableCounts = field(default_factory=TableCounts)
    rejections: pl.DataFrame = field(default_factory=REJECTIONS.to_frame)
    """One row per refused row, as `REJECTIONS`."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One condition that a row must not meet."""

    column: str
    """The column that a person should look at."""
    is_broken: pl.Expr
    reason: str


def required(columns: Iterable[str]) -> list[Check]:
    """Return the checks that these columns are filled."""
    return [
        Check(column=name, is_broken=pl.col(name).is_null(), reason=f"{name} is missing")
        for name in columns
    ]


def one_of(column: str, allowed: Collection[str]) -> Check:
    """Return the check that a column holds one of these words."""
    return Check(
        column=column,
        is_broken=~pl.col(column).is_in(list(allowed)),
        reason=f"{column} is none of {', '.join(allowed)}",
    )


def split(
    rows: pl.DataFrame, table: str, checks: Sequence[Check]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that pass all checks, and the others as `REJECTIONS`.

    A row that breaks several checks is told with the first of them.
    """
    broken = pl.coalesce(
        [pl.when(check.is_broken).then(pl.lit(n, pl.Int64)) for n, check in enumerate(checks)]
    )
    marked = rows.with_columns(broken.alias("broken_check"))
    kept = marked.filter(pl.col("broken_check").is_null()).drop("broken_check")
    if kept.height == rows.height:
        return kept, REJECTIONS.to_frame()
    refused = [
        _told(marked.filter(pl.col("broken_check") == n), table, check)
        for n, check in enumerate(checks)
    ]
    return kept, pl.concat(refused).sort(ROW_NUMBER)


def _told(rows: pl.DataFrame, table: str, check: Check) -> pl.DataFrame:
    return rows.select(
        pl.lit(table).alias("table"),
        pl.col(ROW_NUMBER).cast(pl.Int64),
        pl.lit(check.column).alias("column"),
        pl.col(check.column).cast(pl.String).alias("value"),
        pl.lit(check.reason).alias("reason"),
    )
