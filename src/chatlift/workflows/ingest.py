"""Import: the files of a CRM export become the account's records, every row accounted for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl
from sqlalchemy import Connection

from chatlift.errors import InvalidInput
from chatlift.learn.leaks import contradictions
from chatlift.records import INSTANT, Records, conversations_named_in
from chatlift.sources.mapping import CREATION, SourceMapping, refuse_unknown_columns
from chatlift.sources.plans import SUBJECTS, TablePlan, make_plan
from chatlift.sources.tables import ParsedTable, TableFiles, parse_planned, whole_rows
from chatlift.store.crm import Crm
from chatlift.store.imports import (
    REJECTED,
    Batch,
    finish_batch,
    mark_progress,
    open_batch,
    write_piece,
)
from chatlift.store.known_ids import KnownIds
from chatlift.store.linking import link
from chatlift.store.mixing import refuse_mixing
from chatlift.store.outcomes import ROW_NUMBER, TableCounts, WriteCounts
from chatlift.store.tombstones import FORGOTTEN, NAMED_BY, OWN_ID
from chatlift.vocabulary import Progress, ReportProgress, no_progress

MOST_KEPT_ROWS = 50_000
"""So many rejected rows of a batch are stored to be mended; of a file of which more cannot be
used the mapping is wrong, and the rest is counted by reason."""
FREE_KEPT_BYTES = 1_000_000
MOST_KEPT_RATIO = 10
"""Rejected rows of a batch take so many bytes for each that was sent, beside the free ones."""
MOST_REASONS = 50
OTHERS = "other reasons"


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """What became of one file; read = accepted + duplicate + rejected."""

    file_name: str
    form: str
    """What the file was found to be, such as `CSV, utf-8, comma`."""
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
    doubts: tuple[str, ...] = ()
    """Columns whose values stayed as they are written, each with what could not be decided."""
    unkept: Mapping[str, int] = field(default_factory=dict)
    """Of the rejected rows those that are not stored, counted by reason."""


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
    contradictions: tuple[str, ...] = ()
    """What the data says against columns having been known since the creation of their records,
    where the import was told so by name; training will refuse these or ask for a word."""
    resumed_rows: int = 0
    """Rows that an earlier run of this import, cut off, had already done."""

    @property
    def is_all_rejected(self) -> bool:
        """Whether rows were read, and not one could be used."""
        read = sum(table.read_count for table in self.tables.values())
        return 0 < read == sum(table.rejected_count for table in self.tables.values())


@dataclass(kw_only=True)
class _Tally:
    """What became of the rows of one file so far."""

    read: int = 0
    accepted: int = 0
    updated: int = 0
    duplicate: int = 0
    rejected: int = 0
    undated: int = 0
    kept_rows: int = 0
    """Rejected rows that are stored with all that they said."""
    kept_bytes: int = 0
    unkept: dict[str, int] = field(default_factory=dict)
    """Reason to how many further rows were rejected for it."""

    def keep(self, rejected: pl.DataFrame, kept_count: int) -> None:
        """Note that of these rows the first so many are stored, and count the others."""
        kept = rejected.head(kept_count)
        self.kept_rows += kept.height
        self.kept_bytes += int(_stored_bytes(kept).sum())
        for reason, count in rejected[kept.height :]["reason"].value_counts().iter_rows():
            told = reason if reason in self.unkept or len(self.unkept) < MOST_REASONS else OTHERS
            self.unkept[told] = self.unkept.get(told, 0) + count

    def add(self, part: ParsedTable, written: TableCounts) -> None:
        self.read += part.read_count
        self.accepted += written.accepted
        self.updated += written.updated
        self.duplicate += written.duplicate
        self.rejected += written.rejected + part.rejected.height
        self.undated += part.undated_outcome_count
        told = self.accepted + self.duplicate + self.rejected
        if told != self.read:
            raise RuntimeError(f"{self.read} rows of {part.table} were read and {told} told of.")


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

    Importing the same files again changes nothing but adds a batch; one that was cut off goes on
    where it came to. Nothing is written when a file cannot be understood at all. Memory does not
    grow with the files, but for workbooks.

    Parameters
    ----------
    imported_at
        The instant from which on everything undated is known.
    report
        Called between two pieces of rows; what it raises ends the import, which goes on from there
        when the same files come again.

    Raises
    ------
    InvalidInput
        If there is no file, or one cannot be read or mapped.
    Conflict
        If the account holds generated records, or another process imports the same files.
    """
    refuse_mixing(crm, source)
    if not files.present():
        raise InvalidInput("No file was named. Name at least one, such as --contacts FILE.")
    plans = {}
    for table, path in files.present().items():
        look = Progress(phase="look", fraction=0.0, message=f"looking through {path.name}")
        report(look)
        plans[table] = make_plan(table, path, mapping, between=partial(report, look))
    refuse_unknown_columns(mapping, [name for p in plans.values() for name in p.file.headers])
    batch = open_batch(
        crm.database,
        crm.account_id,
        source=source,
        imported_at=imported_at,
        fingerprint=_fingerprint(files, mapping),
        mapping=mapping.told,
    )
    work = _Import(crm, batch, plans, mapping.exported_at, report)
    for plan in plans.values():
        work.take(plan)
    return work.finish(imported_at)


class _Import:
    """One import under way: writes piece by piece, each with the mark of how far it came."""

    def __init__(
        self,
        crm: Crm,
        batch: Batch,
        plans: Mapping[str, TablePlan],
        exported_at: datetime | None,
        report: ReportProgress,
    ) -> None:
        self.crm = crm
        self.batch = batch
        self.plans = plans
        self.exported_at = exported_at
        self.report = report
        self.ids = KnownIds()
        done: Mapping[str, Any] = batch.progress or {}
        self.step: int = done.get("step", 0)
        tallies = done.get("tables", {})
        self.tallies = {name: _Tally(**tallies.get(name, {})) for name in plans}
        self.facts = TableCounts(**done.get("facts", {}))
        self.instants = [datetime.fromisoformat(at) for at in done.get("observed", [])]
        self.resumed_rows = sum(tally.read for tally in self.tallies.values())
        self.row_count = sum(plan.row_count for plan in plans.values())
        sent_bytes = sum(plan.file.sent_bytes for plan in plans.values())
        self.most_kept_bytes = FREE_KEPT_BYTES + MOST_KEPT_RATIO * sent_bytes
        # The name of a file may be that of somebody forgotten.
        self.file_names = {
            table: crm.masked(plan.file_name, source=batch.source) for table, plan in plans.items()
        }

    def take(self, plan: TablePlan) -> None:
        """Write what one file says, from where it was left."""
        tally = self.tallies[plan.table]
        done, seen = tally.read, 0
        parts = parse_planned(
            plan, imported_at=self.batch.imported_at, exported_at=self.exported_at
        )
        for part in _one_ahead(parts):
            seen += part.read_count
            # Pieces that are done are read all the same: ids of messages depend on them.
            if seen > done:
                self._write(plan, part)
                self._tell(plan.table)

    def finish(self, finished_at: datetime) -> IngestReport:
        """Keep what was observed and what became of all rows; link people of several sources."""
        self.crm.link()
        first, last = self._span()
        if first is not None and last is not None:
            self.crm.write_observation(
                self.batch.source, observed_from=first, observed_through=last
            )
        link(self.crm.database, self.crm.account_id)
        tables = {name: self._table_report(plan) for name, plan in self.plans.items()}
        summary: dict[str, Any] = {name: asdict(table) for name, table in tables.items()}
        summary["headers"] = {name: plan.file.headers for name, plan in self.plans.items()}
        summary["found"] = {name: plan.found for name, plan in self.plans.items()}
        finish_batch(
            self.crm.database, self.batch.batch_id, summary=summary, finished_at=finished_at
        )
        return IngestReport(
            batch_id=self.batch.batch_id,
            tables=tables,
            facts=self.facts,
            observed_from=first,
            observed_through=last,
            contradictions=self._contradictions(),
            resumed_rows=self.resumed_rows,
        )

    def _contradictions(self) -> tuple[str, ...]:
        vouched = [
            f"{SUBJECTS[table]}.{column}"
            for table, plan in self.plans.items()
            for column, when in plan.known.items()
            if when == CREATION and column not in plan.mapping.known
        ]
        if not vouched:
            return ()
        history = self.crm.read_history(with_text=False)
        return tuple(leak.evidence for leak in contradictions(history, vouched))

    def _write(self, plan: TablePlan, part: ParsedTable) -> None:
        is_facts = part.table == "facts"

        def also(connection: Connection, written: WriteCounts) -> None:
            self.tallies[part.table].add(part, getattr(written, part.table))
            if not is_facts:
                self.facts += written.facts
            self.instants = _bounds([*self.instants, *_instants(part, self.batch.imported_at)])
            self.step += 1
            rejected = self._kept(part.table, self._rejected(connection, plan, part, written))
            mark_progress(connection, self.batch.batch_id, self._progress(), rejected)

        write_piece(
            self.crm,
            self._records(part),
            source=self.batch.source,
            imported_at=None if is_facts else self.batch.imported_at,
            told_at=self.exported_at or self.batch.imported_at,
            also=also,
            ids=self.ids,
        )

    def _records(self, part: ParsedTable) -> Records:
        """Return the records of a piece, with what their further columns say."""
        if part.table == "facts":
            return Records(facts=part.rows)
        frames = {part.table: part.rows, "facts": part.facts}
        if part.table == "messages" and "conversations" not in self.plans:
            frames["conversations"] = conversations_named_in(part.rows)
        return Records(**frames)

    def _progress(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "tables": {name: asdict(tally) for name, tally in self.tallies.items()},
            "facts": asdict(self.facts),
            "observed": [at.isoformat() for at in self.instants],
        }

    def _tell(self, table: str) -> None:
        done = sum(tally.read for tally in self.tallies.values())
        told = f"{done:,} of {self.row_count:,} rows"
        share = done / max(self.row_count, 1)
        self.report(Progress(phase=table, fraction=share, message=told))

    def _span(self) -> tuple[datetime | None, datetime | None]:
        """Return the first and last instant of the records, or up to the stated export."""
        if not self.instants:
            return None, None
        first, last = self.instants[0], self.instants[-1]
        return first, min(self.exported_at or last, self.batch.imported_at)

    def _table_report(self, plan: TablePlan) -> TableReport:
        tally = self.tallies[plan.table]
        return TableReport(
            file_name=self.file_names[plan.table],
            form=plan.file.form,
            read_count=tally.read,
            accepted_count=tally.accepted,
            updated_count=tally.updated,
            duplicate_count=tally.duplicate,
            rejected_count=tally.rejected,
            import_known_columns=plan.import_known,
            ignored_columns=plan.ignored,
            undated_outcome_count=tally.undated,
            doubts=plan.doubts,
            unkept=tally.unkept,
        )

    def _rejected(
        self, connection: Connection, plan: TablePlan, part: ParsedTable, written: WriteCounts
    ) -> pl.DataFrame:
        """Return the rows of a piece that were refused by the parser or by the store."""
        by_store = written.rejections.filter(pl.col("table") == part.table)
        if by_store.is_empty() and part.rejected.is_empty():
            return REJECTED.to_frame()
        refused = pl.concat([part.rejected, _refused_by_store(part, by_store)])
        about = self._about_forgotten(connection, plan, part)
        is_forgotten = pl.col("row_number").is_in(about) | (pl.col("reason") == FORGOTTEN)
        kept = [pl.when(~is_forgotten).then(name).alias(name) for name in ("value", "cells")]
        reason = pl.when(is_forgotten).then(pl.lit(FORGOTTEN)).otherwise("reason")
        return (
            refused.sort("row_number")
            .with_columns(*kept, reason.alias("reason"))
            .rename({"column": "column_name"})
            .with_columns(
                pl.lit(part.table).alias("table_name"),
                pl.lit(self.file_names[part.table]).alias("file_name"),
            )
            .select(list(REJECTED))
        )

    def _kept(self, table: str, rejected: pl.DataFrame) -> pl.DataFrame:
        """Return the rejected rows of a piece that are stored; the others are counted."""
        tallies = self.tallies.values()
        rows_left = MOST_KEPT_ROWS - sum(tally.kept_rows for tally in tallies)
        bytes_left = self.most_kept_bytes - sum(tally.kept_bytes for tally in tallies)
        fits = int((_stored_bytes(rejected).cum_sum() <= bytes_left).sum())
        kept = rejected.head(max(min(rows_left, fits), 0))
        self.tallies[table].keep(rejected, kept.height)
        return kept

    def _about_forgotten(
        self, connection: Connection, plan: TablePlan, part: ParsedTable
    ) -> list[int]:
        """Return the numbers of refused rows that name a forgotten contact."""
        if part.rejected.is_empty():
            return []
        named = {column for _, column in NAMED_BY[part.table]}
        named |= {"external_id"} if part.table in OWN_ID else {"subject"}
        cells = plan.cells_of(part.raw.cells.filter(~part.is_kept))
        constant = pl.lit(plan.subject and str(plan.subject), pl.String)
        chunk = cells.select(
            part.rejected["row_number"].alias(ROW_NUMBER),
            **{n: pl.col(plan.columns[n]) if n in plan.columns else constant for n in named},
        )
        tombstones = self.crm.tombstones(connection, self.batch.source)
        return tombstones.refuse(part.table, chunk)[1]["row_number"].to_list()


def _one_ahead(parts: Iterator[ParsedTable]) -> Iterator[ParsedTable]:
    """Yield the pieces, each parsed in a thread of its own while the one before is written."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="parse") as pool:
        coming = pool.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = pool.submit(next, parts, None)
            yield part


def _fingerprint(files: TableFiles, mapping: SourceMapping) -> str:
    """Return what names these files, read by this mapping."""
    told = hashlib.sha256(json.dumps(mapping.told, sort_keys=True, default=str).encode())
    for table, path in files.present().items():
        with path.open("rb") as file:
            told.update(f"{table}:{hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return told.hexdigest()


def _refused_by_store(part: ParsedTable, by_store: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a piece that the store refused, told by their place in the file."""
    places = by_store["row_number"]
    in_raw = part.is_kept.arg_true().gather(places)
    order = pl.DataFrame({"place": in_raw}).with_row_index("row")
    is_wanted = pl.int_range(part.raw.height, eager=True).is_in(in_raw.implode())
    whole = order.sort("place").with_columns(cells=whole_rows(part.raw, is_wanted)).sort("row")
    return by_store.with_columns(
        row_number=part.row_numbers.gather(places),
        line_number=part.line_numbers.gather(places),
        cells=whole["cells"],
    ).select(part.rejected.columns)


def _stored_bytes(rejected: pl.DataFrame) -> pl.Series:
    """Return per rejected row how many bytes its texts take."""
    texts = [pl.col(name).str.len_bytes().fill_null(0) for name in ("value", "reason", "cells")]
    return rejected.select(pl.sum_horizontal(texts).cast(pl.Int64).alias("bytes"))["bytes"]


def _instants(part: ParsedTable, imported_at: datetime) -> list[datetime]:
    """Return the first and last instant that the records of a piece tell.

    Instants after the import are plans, such as an expected closing, and tell nothing.
    """
    columns = [
        part.rows[name].alias("instant")
        for name, dtype in part.rows.schema.items()
        if dtype == INSTANT and part.table != "facts" and name != "outcome_known_at"
    ]
    instants = pl.concat([pl.Series("instant", [], INSTANT), *columns]).drop_nulls()
    past = instants.filter(instants <= imported_at)
    return _bounds(past.to_frame().select(pl.min("instant"), last=pl.max("instant")).row(0))


def _bounds(instants: Iterable[datetime | None]) -> list[datetime]:
    """Return the first and the last; nothing of nothing."""
    known = sorted(at for at in instants if at is not None)
    return [known[0], known[-1]] if known else []
