"""One account's CRM: write records without ever doubling them, read its history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection, delete, func, or_, select, update

from chatlift.errors import Conflict
from chatlift.history import History
from chatlift.records import Records
from chatlift.store import writing
from chatlift.store.base import Base
from chatlift.store.bulk import among, insert_new, own_among, table_of
from chatlift.store.database import Database
from chatlift.store.known_ids import KnownIds
from chatlift.store.linking import link, people_of
from chatlift.store.outcomes import REJECTIONS, ROW_NUMBER, TableCounts, WriteCounts
from chatlift.store.reading import read_history
from chatlift.store.revisions import records_changed, records_revision
from chatlift.store.settling import settle, take_turn
from chatlift.store.source_names import source_names
from chatlift.store.tables import (
    ContactRow,
    ConversationRow,
    FactRow,
    ImportBatchRow,
    LeadRow,
    MessageRow,
    ObservationGapRow,
    ObservationRow,
)
from chatlift.store.tombstones import Tombstones
from chatlift.store.writing import Scope, Written, external_ids
from chatlift.vocabulary import LeadOutcome, Progress, ReportProgress, no_progress

CHUNK_ROWS = 50_000
"""Rows written in one transaction, so that it lasts below a second."""

WRITERS: dict[str, Callable[[Scope, pl.DataFrame], Written]] = {
    "contacts": writing.write_contacts,
    "conversations": writing.write_conversations,
    "leads": writing.write_leads,
    "messages": writing.write_messages,
    "facts": writing.write_facts,
}
"""In an order in which every record comes after those it names."""


@dataclass(frozen=True, kw_only=True)
class RecordCounts:
    """How many records an account has."""

    contacts: int
    conversations: int
    messages: int
    leads: int
    leads_won: int
    leads_lost: int
    facts: int

    @property
    def leads_open(self) -> int:
        """Leads without an outcome."""
        return self.leads - self.leads_won - self.leads_lost


class Crm:
    """The records of one account."""

    def __init__(
        self, database: Database, account_id: int, *, tombstone_key: bytes | None = None
    ) -> None:
        self.database = database.of_account(account_id)
        self.account_id = account_id
        self._tombstone_key = tombstone_key

    def write(
        self,
        records: Records,
        *,
        source: str,
        imported_at: datetime | None = None,
        report: ReportProgress = no_progress,
    ) -> WriteCounts:
        """Write a batch of one source's records; writing it again changes nothing.

        Rows about a forgotten contact are refused as `forgotten`, without their values.

        Each chunk is its own short transaction: what was written stays if a later one fails,
        and the whole can simply be written again.

        Parameters
        ----------
        imported_at
            The instant that facts carry which are known by this import only; of those, the
            ones that repeat the newest value are duplicates. None: there are no such facts.
        report
            Told after each chunk; it may raise `Cancelled`.

        Returns
        -------
        WriteCounts
            Counts by table, and one row per refused row with its row number in the frame.
        """
        total = sum(getattr(records, table).height for table in WRITERS)
        done = 0
        counts = dict.fromkeys(WRITERS, TableCounts())
        rejections = [REJECTIONS.to_frame()]
        ids = KnownIds()
        for table, chunk in _chunks(records):
            with self.database.write() as connection:
                take_turn(connection, self.account_id)
                ids.take_up(records_revision(connection, self.account_id))
                scope = self._scope(connection, source, imported_at, ids)
                known, forgotten = self.tombstones(connection, source).refuse(table, chunk)
                chunk_counts, rejected = WRITERS[table](scope, known)
                if chunk_counts.accepted:
                    records_changed(connection, self.account_id)
                revision = records_revision(connection, self.account_id)
            ids.keep(revision)
            counts[table] += chunk_counts + TableCounts(rejected=forgotten.height)
            rejections.extend([rejected, forgotten])
            done += chunk.height
            told = f"{done:,} of {total:,} records"
            report(Progress(phase=table, fraction=done / total, message=told))
        return WriteCounts(**counts, rejections=pl.concat(rejections))

    def settle(self, records: Records, *, source: str, are_contacts_news: bool = True) -> int:
        """Put right what these records, just written, tell better than those before them.

        Messages take the place of their placeholders, people and messages that other sources tell
        of too are linked (`store.linking`). Doing it again changes nothing.

        Parameters
        ----------
        are_contacts_news
            Whether some of the contacts are new or were updated.

        Returns
        -------
        int
            Messages that took the place of a placeholder, or moved it to an earlier instant.
        """
        with self.database.write() as connection:
            scope = self._scope(connection, source, None)
            completed = settle(scope, records)
            told = records.contacts["external_id"]
            touched = external_ids(scope, ContactRow, "contact_id", told, [])["contact_id"]
        link(
            self.database,
            self.account_id,
            touched.to_list(),
            are_contacts_news=are_contacts_news,
        )
        return completed

    def link(self) -> None:
        """Derive anew who is the same person and what the same message in all sources."""
        link(self.database, self.account_id)

    def read_history(
        self, *, contact_ids: Sequence[int] | None = None, with_text: bool = True
    ) -> History:
        """Return the account's records as one consistent state.

        Parameters
        ----------
        contact_ids
            Only these contacts and what hangs on them; None means all.
        with_text
            Whether message texts are read; otherwise the column is null throughout.
        """
        return read_history(
            self.database, self.account_id, contact_ids=contact_ids, with_text=with_text
        )

    def contact_ids(self, *, shard: int = 0, of: int = 1) -> list[int]:
        """Return the numbers of the contacts that leave `shard` when divided by `of`."""
        row = ContactRow
        mine = select(row.contact_id).where(
            row.account_id == self.account_id, row.contact_id % of == shard
        )
        with self.database.read() as connection:
            return list(connection.scalars(mine.order_by(row.contact_id)))

    def has_few_messages(self, most: int) -> bool:
        """Tell whether the account has at most so many messages, without counting all."""
        mine = select(MessageRow.message_id).where(MessageRow.account_id == self.account_id)
        some = mine.limit(most + 1).subquery()
        with self.database.read() as connection:
            return (connection.scalar(select(func.count()).select_from(some)) or 0) <= most

    def records_revision(self) -> int:
        """Return how often the account's records have changed."""
        with self.database.read() as connection:
            return records_revision(connection, self.account_id)

    def counts(self) -> RecordCounts:
        """Count the account's records."""
        with self.database.read() as connection:
            outcomes = connection.execute(
                select(LeadRow.outcome, func.count())
                .where(LeadRow.account_id == self.account_id)
                .group_by(LeadRow.outcome)
            )
            leads = {row.outcome: row[1] for row in outcomes}
            return RecordCounts(
                contacts=self._count(connection, ContactRow),
                conversations=self._count(connection, ConversationRow),
                messages=self._count(connection, MessageRow),
                leads=sum(leads.values()),
                leads_won=leads.get(LeadOutcome.WON, 0),
                leads_lost=leads.get(LeadOutcome.LOST, 0),
                facts=self._count(connection, FactRow),
            )

    def sources(self) -> tuple[str, ...]:
        """Return the sources that have contacts or were observed, in order."""
        with self.database.read() as connection:
            found: set[str] = set()
            for row in (ContactRow, ObservationRow):
                found.update(connection.scalars(source_names(table_of(row), self.account_id)))
        return tuple(sorted(found))

    def contact_ids_of(
        self, external_ids: Sequence[str], *, source: str | None = None
    ) -> dict[str, int]:
        """Return the store's numbers of contacts by their source's ids; unknown ones are absent.

        Raises
        ------
        Conflict
            If two sources use the same id and `source` does not say which is meant.
        """
        return self._numbers_of(ContactRow, "contact_id", external_ids, source)

    def lead_ids_of(
        self, external_ids: Sequence[str], *, source: str | None = None
    ) -> dict[str, int]:
        """Return the store's numbers of leads by their source's ids; as `contact_ids_of`."""
        return self._numbers_of(LeadRow, "lead_id", external_ids, source)

    def message_texts(self, message_ids: Sequence[int]) -> dict[int, str]:
        """Return the texts of the account's messages by number; one without a text is absent."""
        message = MessageRow
        with self.database.read() as connection:
            told = connection.execute(
                select(message.message_id, message.text).where(
                    message.text.is_not(None),
                    own_among(connection, message.message_id.expression, message_ids),
                )
            )
            return {number: text or "" for number, text in told}

    def message_ids_of(
        self, contact_external_ids: Sequence[str], *, source: str
    ) -> dict[str, list[str]]:
        """Return the ids of the messages of a source's contacts, in time and as they were written.

        Contacts without any are absent.
        """
        message = MessageRow
        with self.database.read() as connection:
            told = connection.execute(
                select(ContactRow.external_id, message.external_id)
                .join(message, message.contact_id == ContactRow.contact_id)
                .where(
                    ContactRow.account_id == self.account_id,
                    ContactRow.source == source,
                    among(connection, ContactRow.external_id.expression, contact_external_ids),
                )
                .order_by(message.sent_at, message.message_id)
            )
            found: dict[str, list[str]] = {}
            for contact, external_id in told:
                found.setdefault(contact, []).append(external_id)
        return found

    def write_observation(
        self, source: str, *, observed_from: datetime, observed_through: datetime
    ) -> None:
        """Record that `source` is complete for this span; it extends the one that is there."""
        table = table_of(ObservationRow)
        key = (table.c.account_id == self.account_id) & (table.c.source == source)
        with self.database.write() as connection:
            take_turn(connection, self.account_id)
            known = connection.execute(
                select(table.c.observed_from, table.c.observed_through).where(key)
            ).one_or_none()
            starts = [observed_from] if known is None else [observed_from, known.observed_from]
            ends = [observed_through] if known is None else [observed_through, known[1]]
            span = {"observed_from": min(starts), "observed_through": max(ends)}
            if known is not None and known._mapping == span:
                return
            records_changed(connection, self.account_id)
            if known is None:
                owner = {"account_id": self.account_id, "source": source}
                connection.execute(table.insert().values(owner | span))
            else:
                connection.execute(table.update().where(key).values(span))

    def write_contact_observations(
        self, source: str, external_ids: Sequence[str], *, observed_through: datetime
    ) -> None:
        """Record that these contacts of `source` are complete so far; an earlier end is no news."""
        row = ContactRow
        with self.database.write() as connection:
            take_turn(connection, self.account_id)
            changed = connection.execute(
                update(row)
                .where(
                    row.account_id == self.account_id,
                    row.source == source,
                    among(connection, row.external_id.expression, external_ids),
                    or_(row.observed_through.is_(None), row.observed_through < observed_through),
                )
                .values(observed_through=observed_through)
            ).rowcount
            if changed:
                records_changed(connection, self.account_id)

    def write_gap(self, source: str, *, gap_from: datetime, gap_through: datetime) -> None:
        """Record that `source` was not listening in this span; telling it again is no news."""
        gap = pl.DataFrame(
            {
                "account_id": [self.account_id],
                "source": [source],
                "gap_from": [gap_from],
                "gap_through": [gap_through],
            }
        ).with_columns(pl.col("gap_from", "gap_through").cast(pl.Datetime("us", "UTC")))
        with self.database.write() as connection:
            take_turn(connection, self.account_id)
            if insert_new(connection, table_of(ObservationGapRow), gap):
                records_changed(connection, self.account_id)

    def delete_source(self, source: str, *, report: ReportProgress = no_progress) -> None:
        """Delete all records of one source, a chunk at a time."""
        # What was observed goes first: records that are left by a kill are then seen to be a rest.
        with self.database.write() as connection:
            take_turn(connection, self.account_id)
            records_changed(connection, self.account_id)
            for span in (ObservationRow, ObservationGapRow):
                mine = (span.account_id == self.account_id) & (span.source == source)
                connection.execute(delete(span).where(mine))
        rows = (FactRow, MessageRow, ConversationRow, LeadRow, ContactRow, ImportBatchRow)
        for step, row in enumerate(rows):
            while self._delete_some(row, source):
                report(Progress(phase="delete", fraction=step / len(rows), message=source))

    def tombstones(self, connection: Connection, source: str) -> Tombstones:
        """Return the tombstones of one source, which tell whom nobody may write again."""
        return Tombstones(
            connection=connection,
            account_id=self.account_id,
            source=source,
            key=self._tombstone_key,
        )

    def masked(self, text: str, *, source: str) -> str:
        """Return a text, such as a file's name, with forgotten contacts masked in it."""
        with self.database.read() as connection:
            return self.tombstones(connection, source).masked(text)

    def are_some_forgotten(self, contacts: pl.DataFrame, source: str) -> bool:
        """Tell whether any of these contacts, as `records.CONTACTS`, was forgotten."""
        with self.database.write() as connection:
            told = contacts.with_row_index(ROW_NUMBER)
            return not self.tombstones(connection, source).refuse("contacts", told)[1].is_empty()

    def _scope(
        self,
        connection: Connection,
        source: str,
        imported_at: datetime | None,
        ids: KnownIds | None = None,
    ) -> Scope:
        return Scope(
            connection=connection,
            account_id=self.account_id,
            source=source,
            imported_at=imported_at,
            ids=ids or KnownIds(),
        )

    def _count(self, connection: Connection, row: type[Base]) -> int:
        table = table_of(row)
        mine = select(func.count()).where(table.c.account_id == self.account_id)
        return connection.scalar(mine) or 0

    def _delete_some(self, row: type[Base], source: str) -> int:
        table = table_of(row)
        (key,) = table.primary_key.columns
        mine = (table.c.account_id == self.account_id) & (table.c.source == source)
        some = select(key).where(mine).limit(CHUNK_ROWS // 5).scalar_subquery()
        with self.database.write() as connection:
            take_turn(connection, self.account_id)
            records_changed(connection, self.account_id)
            return connection.execute(delete(table).where(key.in_(some))).rowcount

    def _numbers_of(
        self, row: type[Base], key: str, external_ids: Sequence[str], source: str | None
    ) -> dict[str, int]:
        table = table_of(row)
        with self.database.read() as connection:
            statement = select(table.c.external_id, table.c[key]).where(
                table.c.account_id == self.account_id,
                among(connection, table.c.external_id, external_ids),
            )
            if source is not None:
                statement = statement.where(table.c.source == source)
            found: set[tuple[str, int]] = {(r[0], r[1]) for r in connection.execute(statement)}
            if row is ContactRow:
                people = people_of(connection, [number for _, number in found])
                found = {(name, people[number]) for name, number in found}
        numbers = dict(found)
        if len(numbers) < len(found):
            raise Conflict(
                f"{len(found) - len(numbers)} of the ids are used by more than one source. "
                f"Say which is meant: {', '.join(self.sources())}."
            )
        return numbers


def _chunks(records: Records) -> Iterator[tuple[str, pl.DataFrame]]:
    for table in WRITERS:
        rows: Any = getattr(records, table)
        for chunk in rows.with_row_index(ROW_NUMBER).iter_slices(CHUNK_ROWS):
            yield table, chunk
