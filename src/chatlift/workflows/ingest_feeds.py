"""Import of feeds: chat exports and webhook payloads become records, every entry accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from chatlift.records import Records
from chatlift.sources.feeds import ParsedFeed
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.imports import REJECTED, record_batch
from chatlift.store.mixing import refuse_mixing
from chatlift.store.outcomes import TableCounts, WriteCounts
from chatlift.vocabulary import Progress, ReportProgress, no_progress

TABLES = ("contacts", "conversations", "messages", "facts")
"""What feeds tell; leads are derived from it."""
NAMED_AGAIN = ("contacts", "conversations")
"""What each message names anew; an import counts each of them once."""
ROWS_AT_ONCE = 20_000
"""Records gathered before they are written: files of one payload each would take too long alone."""


Align = Callable[[ParsedFeed, Mapping[str, Sequence[str]]], ParsedFeed]
"""Gives messages the ids under which they are known, from their contacts' message ids so far."""


class KeepBatch(Protocol):
    """Keeps what a whole import did, and returns the number by which that is found."""

    def __call__(
        self,
        database: Database,
        account_id: int,
        *,
        source: str,
        imported_at: datetime,
        summary: Mapping[str, Any],
        rejected: pl.DataFrame,
    ) -> int:
        """Keep it as `store.imports.record_batch` does."""


@dataclass(frozen=True, kw_only=True)
class FeedReport:
    """What an import of feeds did; for every table, read = accepted + duplicate + rejected."""

    batch_id: int
    """Names the batch, so that its refused entries can be read."""
    feed_count: int
    tables: Mapping[str, TableCounts] = field(default_factory=dict)
    """What became of the records of each kind."""
    completed_count: int = 0
    """Of the accepted messages, those that took the place of a placeholder."""
    entry_counts: Mapping[str, int] = field(default_factory=dict)
    """Entries of payloads that became records, by what they were."""
    line_counts: Mapping[str, int] = field(default_factory=dict)
    """Lines of chat exports, by what they were."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """Entries that are no record and nothing to mend, by kind."""
    rejected_count: int = 0
    """Entries that the parser refused; records that the store refused stand in `tables`."""
    observed_from: datetime | None = None
    observed_through: datetime | None = None
    """The span that these feeds cover; null where they hold no dated entry."""

    @property
    def is_all_rejected(self) -> bool:
        """Whether entries were rejected, and nothing else was there."""
        return self.rejected_count > 0 and not any(c.total for c in self.tables.values())


def ingest_feeds(
    feeds: Iterable[ParsedFeed],
    *,
    crm: Crm,
    imported_at: datetime,
    source: str,
    align: Align | None = None,
    keep_batch: KeepBatch = record_batch,
    report: ReportProgress = no_progress,
) -> FeedReport:
    """Write what feeds say, keep what was refused, and widen what was observed.

    The same feeds again, or in another order, give the same records. Feeds are taken as they come,
    so many of them need no more memory than a few.

    Parameters
    ----------
    imported_at
        The instant from which on everything undated is known.
    source
        Names where the feeds come from; records of one source know each other by their ids.
    align
        For feeds whose messages have no ids of their own, such as chat exports; each feed is
        aligned with all that was written before it.
    keep_batch
        Keeps what became of the feeds once all is written; by default as an import of its own.

    Raises
    ------
    InvalidInput
        If a feed cannot be read at all; those before it are written.
    Conflict
        If the account holds generated records.
    """
    refuse_mixing(crm, source)
    intake = _Intake(crm, source, imported_at)
    for some in _gathered(feeds) if align is None else ([feed] for feed in feeds):
        intake.take(
            some if align is None else [_aligned(feed, crm, source, align) for feed in some]
        )
        told = f"{intake.feed_count:,} feeds, {intake.message_count:,} messages"
        report(Progress(phase="feeds", fraction=0.0, message=told))
    return intake.close(keep_batch)


def _gathered(feeds: Iterable[ParsedFeed]) -> Iterator[list[ParsedFeed]]:
    some: list[ParsedFeed] = []
    for feed in feeds:
        some.append(feed)
        if sum(_rows(feed.records) for feed in some) >= ROWS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _aligned(feed: ParsedFeed, crm: Crm, source: str, align: Align) -> ParsedFeed:
    contacts = feed.records.messages["contact_external_id"].unique().to_list()
    return align(feed, crm.message_ids_of(contacts, source=source))


def _rows(records: Records) -> int:
    return sum(getattr(records, table).height for table in TABLES)


class _Intake:
    """An import under way: what was written and counted so far."""

    def __init__(self, crm: Crm, source: str, imported_at: datetime) -> None:
        self.crm = crm
        self.source = source
        self.imported_at = imported_at
        self.feed_count = 0
        self.completed_count = 0
        self.rejected_count = 0
        self.tables = dict.fromkeys(TABLES, TableCounts())
        self.seen: dict[str, set[str]] = {name: set() for name in NAMED_AGAIN}
        self.passed_over: Counter[str] = Counter()
        self.entry_counts: Counter[str] = Counter()
        self.line_counts: Counter[str] = Counter()
        self.rejected = [REJECTED.to_frame()]
        self.instants: list[datetime] = []
        self.alone_observed: set[str] = set()

    @property
    def message_count(self) -> int:
        """Messages read so far."""
        return self.tables["messages"].total

    def take(self, feeds: list[ParsedFeed]) -> None:
        """Write what these feeds say."""
        told = Records(**{name: _together(feeds, name) for name in TABLES})
        written = self.crm.write(told, source=self.source, imported_at=self.imported_at)
        is_news = written.contacts.accepted > 0
        completed = self.crm.settle(told, source=self.source, are_contacts_news=is_news)
        self.completed_count += completed
        for name in TABLES:
            self.tables[name] += _counts(told, written, name, completed)
            if name in NAMED_AGAIN:
                self.tables[name] += self._named_before(name, told, written)
        names = {name: self._shown(name) for name in {feed.feed_name for feed in feeds}}
        self.rejected.append(_refused_by_store(set(names.values()), written))
        for feed in feeds:
            self._note(feed, names[feed.feed_name])

    def _named_before(self, table: str, told: Records, written: WriteCounts) -> TableCounts:
        """Return what takes out duplicates that this import itself named before.

        How many messages are written at once would else show in the number of contacts.
        """
        ids = set(getattr(told, table)["external_id"])
        again = len(ids & self.seen[table])
        self.seen[table] |= ids
        duplicate: int = getattr(written, table).duplicate
        return TableCounts(duplicate=-min(again, duplicate))

    def _shown(self, file_name: str) -> str:
        """Return a file's name without the forgotten: a chat's file is called by its contact."""
        return self.crm.masked(file_name, source=self.source)

    def _harmless(self, feed: ParsedFeed) -> ParsedFeed:
        """Return the feed without the forgotten in the names and reasons of its refused entries.

        One about somebody forgotten keeps no values either.
        """
        if feed.rejected.is_empty():
            return feed
        named = pl.concat([feed.rejected["file_name"], feed.rejected["reason"]])
        shown = {text: self._shown(text) for text in named.drop_nulls().unique()}
        rejected = feed.rejected.with_columns(pl.col("file_name", "reason").replace(shown))
        if self.crm.are_some_forgotten(feed.records.contacts, self.source):
            nothing = pl.lit(None, pl.String)
            rejected = rejected.with_columns(value=nothing, cells=nothing)
        return replace(feed, rejected=rejected)

    def _note(self, feed: ParsedFeed, shown_name: str) -> None:
        self.feed_count += 1
        self.passed_over.update(feed.passed_over)
        self.entry_counts.update(feed.entry_counts)
        self.line_counts.update(feed.line_counts)
        self.rejected_count += feed.rejected.height
        self.rejected.append(_refused_by_parser(self._harmless(feed), shown_name))
        span = (feed.observed_from, feed.observed_through)
        self.instants.extend(at for at in span if at is not None and at <= self.imported_at)
        if feed.is_of_its_contacts:
            self._observe_alone(feed)

    def _observe_alone(self, feed: ParsedFeed) -> None:
        """Keep how far the feed's contacts are complete, also if the import is cut off later."""
        contacts = feed.records.contacts["external_id"].to_list()
        self.alone_observed.update(contacts)
        if feed.observed_through is not None and feed.observed_through <= self.imported_at:
            self.crm.write_contact_observations(
                self.source, contacts, observed_through=feed.observed_through
            )

    def close(self, keep_batch: KeepBatch) -> FeedReport:
        """Keep the batch and what was observed, and return the report."""
        span = (min(self.instants), max(self.instants)) if self.instants else (None, None)
        if span[0] is not None and span[1] is not None:
            self.crm.write_observation(self.source, observed_from=span[0], observed_through=span[1])
            # Feeds of one import were taken together, so none of them ends before the newest.
            self.crm.write_contact_observations(
                self.source, sorted(self.alone_observed), observed_through=span[1]
            )
        summary = {name: asdict(counts) for name, counts in self.tables.items()}
        batch_id = keep_batch(
            self.crm.database,
            self.crm.account_id,
            source=self.source,
            imported_at=self.imported_at,
            summary=summary | {"passed_over": dict(self.passed_over)},
            rejected=pl.concat(self.rejected, how="diagonal"),
        )
        return FeedReport(
            batch_id=batch_id,
            feed_count=self.feed_count,
            tables=dict(self.tables),
            completed_count=self.completed_count,
            entry_counts=dict(self.entry_counts),
            line_counts=dict(self.line_counts),
            passed_over=dict(self.passed_over),
            rejected_count=self.rejected_count,
            observed_from=span[0],
            observed_through=span[1],
        )


def _together(feeds: list[ParsedFeed], table: str) -> pl.DataFrame:
    frames: list[pl.DataFrame] = [getattr(feed.records, table) for feed in feeds]
    return pl.concat(frames)


def _counts(told: Records, written: WriteCounts, table: str, completed: int) -> TableCounts:
    """Return what became of the records of one table, with the sum checked."""
    counts: TableCounts = getattr(written, table)
    if table == "messages":
        counts += TableCounts(accepted=completed, updated=completed, duplicate=-completed)
    read_count = getattr(told, table).height
    if counts.total != read_count:
        raise RuntimeError(f"{read_count} {table} were read and {counts.total} told of.")
    return counts


def _refused_by_parser(feed: ParsedFeed, shown_name: str) -> pl.DataFrame:
    return feed.rejected.select(
        pl.lit("entries").alias("table_name"),
        pl.col("file_name").fill_null(shown_name),
        pl.col("entry_number").alias("row_number"),
        "line_number",
        pl.col("column").alias("column_name"),
        "value",
        "reason",
        "cells",
    )


def _refused_by_store(names: set[str], written: WriteCounts) -> pl.DataFrame:
    """Return the records that the store refused; where in a feed they stood, it cannot tell."""
    return written.rejections.select(
        pl.col("table").alias("table_name"),
        pl.lit(min(names) if len(names) == 1 else "").alias("file_name"),
        "row_number",
        pl.lit(None, pl.Int64).alias("line_number"),
        pl.col("column").alias("column_name"),
        "value",
        "reason",
    )
