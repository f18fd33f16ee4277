"""Import: the files of a CRM export become the account's records, every row accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

import polars as pl

from chatlift.errors import Conflict, InvalidInput
from chatlift.records import CONVERSATIONS, FACTS, INSTANT, Records
from chatlift.sources.mapping import SourceMapping
from chatlift.sources.tables import ParsedTable, TableFiles, parse_files
from chatlift.store.crm import Crm
from chatlift.store.imports import REJECTED, record_batch
from chatlift.store.outcomes import TableCounts, WriteCounts
from chatlift.vocabulary import SIMULATED, Progress, ReportProgress, no_progress


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """What became of one file; read = accepted + duplicate + rejected."""

    file_name: str
    read_count: int
    accepted_count: int
    """Rows that changed something."""
    updated_count: int
    """Of the accepted, those that updated a record that was there."""
    duplicate_count: int
    """Rows that said nothing new."""
    rejected_count: int
    import_known_columns: tuple[str, ...]
    """Columns that training cannot use for examples before this import, because nobody said
    since when their values are known."""
    ignored_columns: tuple[str, ...]
    undated_outcome_count: int
    """Closed leads without a closing date: for them the time split cannot be exact."""


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What an import did."""

    batch_id: int
    """Names the batch, so that its refused rows can be read."""
    tables: Mapping[str, TableReport] = field(default_factory=dict)
    facts: TableCounts
    """What became of the further columns, a row per value."""
    observed_from: datetime | None
    observed_through: datetime | None
    """The span that these files cover; null where they hold no record."""


def ingest(
    files: TableFiles,
    mapping: SourceMapping,
    *,
    crm: Crm,
    imported_at: datetime,
    source: str = "files",
    report: ReportProgress = no_progress,
) -> IngestReport:
    """Read the files, write their records, keep what was refused and what was observed.

    Importing the same files again changes nothing but adds a batch. Nothing is written when
    a file cannot be understood at all.

    Parameters
    ----------
    imported_at
        The instant from which on everything undated is known.

    Raises
    ------
    InvalidInput
        If there is no file, or one cannot be read or mapped.
    Conflict
        If the account holds generated records.
    """
    _refuse_mixing(crm, source)
    if not files.present():
        raise InvalidInput("No file was named. Name at least one, such as --contacts FILE.")
    report(Progress(phase="read", fraction=0.0, message="reading the files"))
    parsed = parse_files(files, mapping, imported_at=imported_at)
    written = crm.write(_records(parsed), source=source, imported_at=imported_at, report=report)
    told = Records(facts=parsed["facts"].rows) if "facts" in parsed else Records()
    told_facts = crm.write(told, source=source, report=report)
    outcomes = {name: told_facts if name == "facts" else written for name in parsed}
    tables = {name: _table_report(part, outcomes[name]) for name, part in parsed.items()}
    span = _observed(parsed.values(), mapping.exported_at, imported_at)
    if span is not None:
        crm.write_observation(source, observed_from=span[0], observed_through=span[1])
    rejected = pl.concat(_rejected(part, outcomes[name]) for name, part in parsed.items())
    batch_id = _keep_batch(crm, source, imported_at, tables, rejected)
    observed_from, observed_through = span or (None, None)
    return IngestReport(
        batch_id=batch_id,
        tables=tables,
        facts=written.facts,
        observed_from=observed_from,
        observed_through=observed_through,
    )


def _keep_batch(
    crm: Crm,
    source: str,
    imported_at: datetime,
    tables: Mapping[str, TableReport],
    rejected: pl.DataFrame,
) -> int:
    return record_batch(
        crm.database,
        crm.account_id,
        source=source,
        imported_at=imported_at,
        summary={name: asdict(table) for name, table in tables.items()},
        rejected=rejected,
    )


def _refuse_mixing(crm: Crm, source: str) -> None:
    if source != SIMULATED and SIMULATED in crm.sources():
        raise Conflict(
            "This account holds generated records, and real ones must not be mixed with them. "
            "Import into another CHATLIFT_HOME or account."
        )


def _records(parsed: Mapping[str, ParsedTable]) -> Records:
    """Return the records of all files but the one of facts, with what their columns say."""
    frames = {name: part.rows for name, part in parsed.items() if name != "facts"}
    if "messages" in frames and "conversations" not in frames:
        frames["conversations"] = _conversations_of(frames["messages"])
    facts = pl.concat([FACTS.to_frame(), *(part.facts for part in parsed.values())])
    return Records(**frames, facts=facts)


def _conversations_of(messages: pl.DataFrame) -> pl.DataFrame:
    """Return the conversations that messages name: each begins with its first message."""
    return (
        messages.filter(pl.col("conversation_external_id").is_not_null())
        .sort("sent_at", maintain_order=True)
        .group_by("conversation_external_id", maintain_order=True)
        .agg(pl.col("contact_external_id").first(), started_at=pl.col("sent_at").first())
        .rename({"conversation_external_id": "external_id"})
        .select(list(CONVERSATIONS))
    )


def _table_report(parsed: ParsedTable, written: WriteCounts) -> TableReport:
    counts: TableCounts = getattr(written, parsed.table)
    report = TableReport(
        file_name=parsed.file_name,
        read_count=parsed.read_count,
        accepted_count=counts.accepted,
        updated_count=counts.updated,
        duplicate_count=counts.duplicate,
        rejected_count=counts.rejected + parsed.rejected.height,
        import_known_columns=parsed.import_known_columns,
        ignored_columns=parsed.ignored_columns,
        undated_outcome_count=parsed.undated_outcome_count,
    )
    told = report.accepted_count + report.duplicate_count + report.rejected_count
    if told != report.read_count:
        raise RuntimeError(f"{report.read_count} {parsed.table} were read and {told} told of.")
    return report


def _rejected(parsed: ParsedTable, written: WriteCounts) -> pl.DataFrame:
    """Return the rows of one file that were refused by the parser or by the store."""
    by_store = written.rejections.filter(pl.col("table") == parsed.table)
    places = by_store["row_number"]
    refused = by_store.with_columns(
        row_number=parsed.row_numbers.gather(places), line_number=parsed.line_numbers.gather(places)
    ).select(parsed.rejected.columns)
    return (
        pl.concat([parsed.rejected, refused])
        .sort("row_number")
        .rename({"column": "column_name"})
        .with_columns(
            pl.lit(parsed.table).alias("table_name"), pl.lit(parsed.file_name).alias("file_name")
        )
        .select(list(REJECTED))
    )


def _observed(
    parsed: Iterable[ParsedTable], exported_at: datetime | None, imported_at: datetime
) -> tuple[datetime, datetime] | None:
    """Return the first and last instant of the records, or up to the stated export.

    Instants after the import are plans, such as an expected closing, and tell nothing.
    """
    columns = [
        part.rows[name].alias("instant")
        for part in parsed
        for name, dtype in part.rows.schema.items()
        if dtype == INSTANT and part.table != "facts" and name != "outcome_known_at"
    ]
    instants = pl.concat([pl.Series("instant", [], INSTANT), *columns]).drop_nulls()
    past = instants.filter(instants <= imported_at)
    if past.is_empty():
        return None
    bounds = past.to_frame().select(first=pl.col("instant").min(), last=pl.col("instant").max())
    first, last = bounds.row(0)
    return first, min(exported_at or last, imported_at)
