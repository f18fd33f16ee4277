"""What an import did, as lines."""

from __future__ import annotations

from chatlift.workflows.ingest import IngestReport, TableReport


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
    if report.observed_from is not None and report.observed_through is not None:
        lines.append(
            f"Observed: {report.observed_from:%Y-%m-%d %H:%M} to "
            f"{report.observed_through:%Y-%m-%d %H:%M} UTC. Time passes for outcomes up to there."
        )
    return [*lines, f"Import batch {report.batch_id} is done. Go on with: chatlift train"]


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
    lines += [f"  Left as written, {doubt}." for doubt in table.doubts]
    if table.import_known_columns:
        lines.append(
            f"  Known only from this import on: {', '.join(table.import_known_columns)}. Training "
            "cannot use them for earlier examples. Vouch for one in the mapping (--map): "
            f'[{name}.known] {table.import_known_columns[0]} = "creation", or a date column.'
        )
    if table.ignored_columns:
        lines.append(f"  Left out: {', '.join(table.ignored_columns)}.")
    if table.undated_outcome_count:
        lines.append(
            f"  {table.undated_outcome_count:,} closed leads have no closing date: they count as "
            "known from this import on, and the time split cannot be exact."
        )
    return lines
