"""What an import did, as lines."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from chatlift.sources.previews import ColumnPreview, TablePreview
from chatlift.store.imports import Batch
from chatlift.workflows.ingest import IngestReport, TableReport

LONGEST_SHOWN = 24


def import_lines(report: IngestReport) -> list[str]:
    """Return what became of every file, and what training cannot use yet."""
    lines = []
    if report.resumed_rows:
        lines.append(
            f"An earlier run of this import was cut off; this one went on after its "
            f"{report.resumed_rows:,} rows."
        )
    for name, table in report.tables.items():
        lines += _table(name, table)
    if any(table.rejected_count for table in report.tables.values()):
        lines.append(f"See the rejected rows with: chatlift import rejected list {report.batch_id}")
    lines += [
        f"Doubtful as known since the creation: {doubt} Training will not take it without a word."
        for doubt in report.contradictions
    ]
    if report.observed_from is not None and report.observed_through is not None:
        lines.append(
            f"Observed: {report.observed_from:%Y-%m-%d %H:%M} to "
            f"{report.observed_through:%Y-%m-%d %H:%M} UTC. Time passes for outcomes up to there."
        )
    return [*lines, f"Import batch {report.batch_id} is done. {_next(report)}"]


def _next(report: IngestReport) -> str:
    if not any(table.read_count for table in report.tables.values()):
        return "The files hold no row below their header: see whether the export was a full one."
    if report.is_all_rejected:
        return "Nothing of it can be used."
    return "Go on with: chatlift train"


def _table(name: str, table: TableReport) -> list[str]:
    lines = [
        f"{name} ({table.file_name}; {table.form}): {table.read_count:,} rows read = "
        f"{table.accepted_count:,} accepted + {table.duplicate_count:,} duplicate + "
        f"{table.rejected_count:,} rejected"
    ]
    if table.updated_count:
        lines.append(f"  {table.updated_count:,} of the accepted updated a record that was there.")
    if table.rejected_count:
        lines.append("  The rejected rows are kept, each with line, column and reason.")
    if table.unkept:
        lines.append(
            f"  But for {sum(table.unkept.values()):,}, which are too many and were only counted:"
        )
        lines += [f"    {count:,}: {reason}" for reason, count in table.unkept.items()]
    lines += [f"  Left as written, {doubt}." for doubt in table.doubts]
    if table.import_known_columns:
        lines.append(
            f"  Known since the import: {', '.join(table.import_known_columns)}. No past example "
            f"can use them. If you knew them when their {_record(name)} was created, say: chatlift "
            f"data known-since creation --subject {_record(name)} --columns "
            f"{_quoted(table.import_known_columns)} (or all)."
        )
    if table.ignored_columns:
        lines.append(f"  Left out: {', '.join(table.ignored_columns)}.")
    if table.undated_outcome_count:
        lines.append(
            f"  {table.undated_outcome_count:,} closed leads have no closing date: training leaves "
            'them out unless the mapping names it: [leads] closed_at = "your column".'
        )
    return lines


def _record(table: str) -> str:
    """Return what one row of a table is about."""
    return table.removesuffix("s")


def _quoted(columns: Sequence[str]) -> str:
    """Return names of columns as a shell takes them, with commas between.

    Examples
    --------
    >>> _quoted(["Lead Source", "City"])
    "'Lead Source,City'"
    """
    return shlex.quote(",".join(columns))


def preview_lines(preview: TablePreview) -> list[str]:
    """Return how a file would be read: its columns, its first rows, what would be refused."""
    refused = preview.read_count - preview.usable_count
    lines = [
        "",
        f"{preview.table} ({preview.file_name}; {preview.form})",
        *(f"  {_mapped(column)}" for column in preview.columns),
        *_question(preview),
        *(f"  Left as written, {doubt}." for doubt in preview.doubts),
        f"  {preview.read_count:,} rows read = {preview.usable_count:,} usable + "
        f"{refused:,} rejected. Rows that name a record nobody knows are found on import.",
    ]
    if preview.rows.height:
        lines += [f"  The first {preview.rows.height} usable rows:", *_grid(preview.rows)]
    if preview.rejected.height:
        shown = preview.rejected.select("line_number", "column", "value", "reason")
        lines += [f"  The first {shown.height} rejected rows:", *_grid(shown, last_whole=True)]
    return lines


def _question(preview: TablePreview) -> list[str]:
    """Return the one question that matters, where columns are of no use as they are."""
    unsaid = [c.column for c in preview.columns if c.because == "unsaid" and c.known == "import"]
    if not unsaid:
        return []
    return [
        f"  If you knew them when their {_record(preview.table)} was created, say "
        f"--known-at-creation {_quoted(unsaid)} (or all)."
    ]


def _mapped(column: ColumnPreview) -> str:
    """Return what a column stands for.

    Examples
    --------
    >>> _mapped(ColumnPreview(column="City", field="fact", because="unsaid", known="import"))
    'City -> fact, known since the import: no past example can use it (unsaid)'
    """
    if not column.field:
        return f"{column.column} -> left out ({column.because})"
    if column.field != "fact" and not column.known:
        return f"{column.column} -> {column.field} ({column.because})"
    since = {
        "import": "the import: no past example can use it",
        "creation": "its record's creation",
    }
    known = since.get(column.known, f"the date in {column.known}")
    return f"{column.column} -> {column.field}, known since {known} ({column.because})"


def _grid(rows: pl.DataFrame, *, last_whole: bool = False) -> list[str]:
    filled = [name for name in rows.columns if rows[name].null_count() < rows.height]
    cells = [filled, *([_shown(value) for value in row] for row in rows.select(filled).iter_rows())]
    if last_whole:
        reasons = [str(reason) for reason in rows[filled[-1]]]
        for row, reason in zip(cells[1:], reasons, strict=True):
            row[-1] = reason
    widths = [max(len(row[n]) for row in cells) for n in range(len(filled))]
    return [
        "    " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _shown(value: Any) -> str:
    r"""Return a cell in a few characters on one line.

    Examples
    --------
    >>> _shown("Good morning, do you\nstill have any of the blue ones?")
    'Good morning, do you ...'
    """
    if value is None:
        return ""
    text = f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "strftime") else str(value)
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SHOWN else f"{line[: LONGEST_SHOWN - 4].rstrip()} ..."


def rejection_lines(
    chosen: Sequence[Batch], rows: Mapping[int, pl.DataFrame], *, is_whole: bool
) -> list[str]:
    """Return imports with what they refused: how many rows, or `is_whole` each of them."""
    lines = ["No import was made yet."] if not chosen else []
    for batch in chosen:
        refused = rows[batch.batch_id]
        state = "" if batch.finished_at else ", not finished: run the same import again"
        lines.append(
            f"Import batch {batch.batch_id} of {batch.imported_at:%Y-%m-%d %H:%M} UTC "
            f"({batch.source}{state}): {refused.height + batch.unkept_count:,} rejected rows"
        )
        if batch.unkept_count:
            lines.append(f"  {batch.unkept_count:,} of them were only counted, being too many.")
        if is_whole and refused.height:
            shown = refused.select("file_name", "line_number", "column_name", "value", "reason")
            lines += _grid(shown, last_whole=True)
    return lines
