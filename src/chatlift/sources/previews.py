"""What an import would do, without doing it: how a file is read, its first rows, its bad ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from chatlift.sources.mapping import IMPORT, SourceMapping, refuse_unknown_columns
from chatlift.sources.plans import TablePlan, look_at_nothing, make_plan
from chatlift.sources.tables import REJECTED_ROWS, TableFiles, parse_planned

SHOWN_ROWS = 10


@dataclass(frozen=True, kw_only=True)
class ColumnPreview:
    """What one column of a file stands for."""

    column: str
    field: str
    """The field, or `fact` for a further column, or empty where it is left out."""
    because: str
    """`given` in the mapping, by the `preset`, or `guessed` from the header."""
    known: str = ""
    """Of a fact: since when its values are known."""


@dataclass(frozen=True, kw_only=True)
class TablePreview:
    """What one file says, nothing of it written."""

    table: str
    file_name: str
    form: str
    columns: tuple[ColumnPreview, ...]
    read_count: int
    usable_count: int
    """Rows that can be read; those that name records nobody knows are found on import only."""
    rows: pl.DataFrame
    """The first usable rows, in the schema of their table."""
    rejected: pl.DataFrame
    """The first refused rows, as `REJECTED_ROWS`."""
    doubts: tuple[str, ...]


def preview_tables(
    files: TableFiles,
    mapping: SourceMapping,
    *,
    imported_at: datetime,
    between: Callable[[], None] = look_at_nothing,
) -> list[TablePreview]:
    """Read the files of one import and write nothing.

    Parameters
    ----------
    between
        Called between two pieces of rows; what it raises ends the preview.

    Raises
    ------
    InvalidInput
        As `preview_table`, or if a column known since the creation is in none of the files.
    """
    previews = [
        preview_table(table, path, mapping, imported_at=imported_at, between=between)
        for table, path in files.present().items()
    ]
    refuse_unknown_columns(mapping, [one.column for told in previews for one in told.columns])
    return previews


def preview_table(
    table: str,
    path: Path,
    mapping: SourceMapping,
    *,
    imported_at: datetime,
    between: Callable[[], None] = look_at_nothing,
) -> TablePreview:
    """Read a whole file and write nothing; takes and raises what `make_plan` does."""
    plan = make_plan(table, path, mapping, between=between)
    usable, rows, rejected = 0, pl.DataFrame(), REJECTED_ROWS.to_frame()
    parts = parse_planned(plan, imported_at=imported_at, exported_at=mapping.exported_at)
    for part in parts:
        between()
        usable += part.rows.height
        if rows.height < SHOWN_ROWS:
            rows = pl.concat([rows, part.rows.head(SHOWN_ROWS - rows.height)], how="diagonal")
        if rejected.height < SHOWN_ROWS:
            rejected = pl.concat([rejected, part.rejected.head(SHOWN_ROWS - rejected.height)])
    return TablePreview(
        table=table,
        file_name=plan.file_name,
        form=plan.file.form,
        columns=tuple(_column(plan, header) for header in plan.file.headers) + _undated(plan),
        read_count=plan.row_count,
        usable_count=usable,
        rows=rows,
        rejected=rejected,
        doubts=plan.doubts,
    )


def _column(plan: TablePlan, header: str) -> ColumnPreview:
    fields: Mapping[str, str] = {column: name for name, column in plan.columns.items()}
    if header in fields:
        name = fields[header]
        return ColumnPreview(column=header, field=name, because=_because(plan, name))
    if header in plan.known:
        is_unsaid = plan.known[header] == IMPORT and header not in plan.mapping.known
        because = "unsaid" if is_unsaid else "given"
        return ColumnPreview(column=header, field="fact", because=because, known=plan.known[header])
    told = "given" if header in plan.mapping.ignore else "unsaid"
    return ColumnPreview(column=header, field="", because=told)


def _because(plan: TablePlan, name: str) -> str:
    if name in plan.mapping.columns:
        return "given"
    listed = {header.lower().replace(" ", "_") for header in plan.mapping.headers.get(name, ())}
    is_listed = plan.columns[name].strip().lower().replace(" ", "_") in listed
    return "preset" if is_listed else "guessed"


def _undated(plan: TablePlan) -> tuple[ColumnPreview, ...]:
    if plan.columns.get("created_at") != IMPORT or IMPORT in plan.file.headers:
        return ()
    return (
        ColumnPreview(
            column="(no column)",
            field="created_at",
            because=_because(plan, "created_at"),
            known=IMPORT,
        ),
    )
