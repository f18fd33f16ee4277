"""Forgetting: whom it is about, and how all of it leaves the database, a step at a time.

Each step is a short transaction that may be cut off after it: what is left is found again and
goes on, and the receipt counts all steps together. The contact itself goes last, because
everything else is found by way of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    delete,
    distinct,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import OperationalError

from chatlift.records import INSTANT
from chatlift.store.base import Base
from chatlift.store.bound import account_of
from chatlift.store.bulk import among, insert_new, own_among, table_of
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.identity import Identity
from chatlift.store.job_tables import ScoreRow
from chatlift.store.known_contacts import KnownContact, all_contacts, other_ids
from chatlift.store.registry_tables import (
    ChampionLedgerRow,
    EvaluationPredictionRow,
    PredictionRow,
    RetrainingMarkRow,
    TrainingRunRow,
    VersionRow,
)
from chatlift.store.revisions import records_changed
from chatlift.store.service_tables import WebhookDeliveryRow
from chatlift.store.settling import take_turn
from chatlift.store.tables import (
    ContactRow,
    ConversationRow,
    FactRow,
    ForgettingRow,
    ImportBatchRow,
    LeadRow,
    MessageRow,
    RejectionRow,
)
from chatlift.store.tombstones import TOMBSTONES, Named, Tombstones, name_key, phone_key
from chatlift.vocabulary import SIMULATED, FactSubject

CONTACTS, LEADS, MESSAGES = table_of(ContactRow), table_of(LeadRow), table_of(MessageRow)
CONVERSATIONS, FACTS = table_of(ConversationRow), table_of(FactRow)
PREDICTIONS, EVALUATIONS = table_of(PredictionRow), table_of(EvaluationPredictionRow)
BATCHES, REJECTED = table_of(ImportBatchRow), table_of(RejectionRow)
FORGETTINGS, MARKS = table_of(ForgettingRow), table_of(RetrainingMarkRow)
VERSIONS, DELIVERIES = table_of(VersionRow), table_of(WebhookDeliveryRow)
MARKED = pl.Schema(
    {"forgetting_id": pl.Int64(), "version_id": pl.Int64(), "contact_count": pl.Int64()}
)
"""One row per version that a forgetting marks for retraining."""
SCORES = table_of(ScoreRow)

CHUNK_MESSAGES = 5_000
"""Messages deleted in one transaction, so that it lasts below a second."""
MASKED_COLUMNS: tuple[tuple[type[Base], tuple[str, ...]], ...] = (
    (ImportBatchRow, ("summary", "mapping", "progress")),
    (ChampionLedgerRow, ("reason", "decided_by")),
    (TrainingRunRow, ("message", "error", "request")),
)
"""Where a text that is not the contact's own may name it, such as the file name of a chat."""
TOLD_OF_REFUSED = ("file_name", "column_name", "value", "cells")
"""Columns of a refused row that may name somebody. The others are our own words: somebody saved as
`Customer` is not meant where a reason lists that word."""
VACUUMED = (
    *(CONTACTS, CONVERSATIONS, MESSAGES, LEADS, FACTS, PREDICTIONS, EVALUATIONS, REJECTED),
    *(DELIVERIES, SCORES),
)


@dataclass(frozen=True, kw_only=True)
class TrainedVersion:
    """A version that was trained on somebody."""

    model: str
    number: int
    contact_count: int
    """How many contacts of the forgetting it was trained on: one person may be several."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What went from where; nothing in it tells who it was."""

    counts: Mapping[str, int]
    """Place to number of rows or lines that went from it, or were masked in it."""
    versions: tuple[TrainedVersion, ...]
    """Versions that were trained on the contact, marked for retraining."""
    is_removed: bool
    """Whether the contacts are gone; else the forgetting was cut off before."""


def rejected_about(
    connection: Connection, account_id: int, contact_ids: Sequence[int], identity: Identity
) -> list[dict[str, Any]]:
    """Return the refused rows of the account's imports that name the contacts or their messages."""
    theirs = select(MESSAGES.c.external_id).where(
        own_among(connection, MESSAGES.c.contact_id, contact_ids)
    )
    is_message = REJECTED.c.value.in_(theirs).label("is_message")
    statement = (
        select(*REJECTED.c, is_message).join(BATCHES).where(BATCHES.c.account_id == account_id)
    )
    rows = [dict(row._mapping) for row in connection.execute(statement)]
    return [
        row
        for row in rows
        if row.pop("is_message") or identity.is_named_in(_told(row), in_numbers=True)
    ]


class Forgetting:
    """One forgetting under way; every method may be cut off and called again."""

    def __init__(self, crm: Crm, contacts: Sequence[KnownContact]) -> None:
        self._crm = crm
        self._contacts = tuple(contacts)
        self._ids = [contact.contact_id for contact in contacts]
        self._forgetting_id = 0

    def begin(self, *, now: datetime) -> None:
        """Leave the tombstones, mark the versions trained on the contacts, open the receipt.

        From here on nothing new of the contacts comes in.
        """
        # A phone that others have too would turn them away.
        kept = {phone_key(contact.phone) for contact in self._others()}
        with self._crm.database.write() as connection:
            self._forgetting_id = self._receipt(connection, now)
            left = self._leave_all(connection, kept, now)
            _count(connection, self._forgetting_id, {"tombstones": left})
            self._mark(connection)

    def delete_rejected(self, identity: Identity) -> int:
        """Delete the refused rows that name the contacts; return how many."""
        with self._crm.database.read() as connection:
            found = rejected_about(connection, self._account, self._ids, identity)
        with self._crm.database.write() as connection:
            numbers = [row["rejected_row_id"] for row in found]
            batches = select(BATCHES.c.batch_id).where(BATCHES.c.account_id == self._account)
            chosen = REJECTED.c.batch_id.in_(batches) & among(
                connection, REJECTED.c.rejected_row_id, numbers
            )
            return self._delete(connection, "rejected_rows", REJECTED, chosen)

    def delete_deliveries(self, identity: Identity) -> int:
        """Delete what webhooks brought, could not be read and names the contacts; count it."""
        row = DELIVERIES.c
        mine = select(row.delivery_id, row.body).where(row.account_id == self._account)
        with self._crm.database.read() as connection:
            numbers = [
                delivery_id
                for delivery_id, body in connection.execute(mine)
                if identity.is_named_in(_content_of(body), in_numbers=True)
            ]
        with self._crm.database.write() as connection:
            is_own = row.account_id == self._account
            chosen = is_own & among(connection, row.delivery_id, numbers)
            return self._delete(connection, "webhook_deliveries", DELIVERIES, chosen)

    def mask_texts(self, identity: Identity) -> None:
        """Mask what names the contacts in texts that are not their own, such as file names."""
        for row_class, columns in MASKED_COLUMNS:
            table = table_of(row_class)
            with self._crm.database.write() as connection:
                count = _mask(connection, table, columns, identity, self._account)
                _count(connection, self._forgetting_id, {table.name: count})

    def delete_messages(self, *, now: datetime) -> int:
        """Delete some messages with what is known of them; return how many, 0 at the end."""
        with self._crm.database.write() as connection:
            take_turn(connection, self._account)
            records_changed(connection, self._account)
            some = (
                select(MESSAGES.c.message_id, MESSAGES.c.source, MESSAGES.c.external_id)
                .where(self._is_mine(connection, MESSAGES))
                .limit(CHUNK_MESSAGES)
            )
            rows = connection.execute(some).all()
            ids = [row.message_id for row in rows]
            for source in {row.source for row in rows}:
                named = [("message", row.external_id) for row in rows if row.source == source]
                self._leave(connection, source, named, now)
            self._delete_facts(connection, FactSubject.MESSAGE, ids)
            chosen = own_among(connection, MESSAGES.c.message_id, ids)
            return self._delete(connection, "messages", MESSAGES, chosen)

    def delete_contacts(self) -> None:
        """Delete the contacts and all that is left of them, in one transaction."""
        with self._crm.database.write() as connection:
            take_turn(connection, self._account)
            records_changed(connection, self._account)
            # Held until the end, so that no import adds anything in between.
            connection.execute(
                select(CONTACTS.c.contact_id)
                .where(self._is_mine(connection, CONTACTS))
                .with_for_update()
            )
            late = list(
                connection.scalars(
                    select(MESSAGES.c.message_id).where(self._is_mine(connection, MESSAGES))
                )
            )
            self._delete_facts(connection, FactSubject.MESSAGE, late)
            leads = list(
                connection.scalars(select(LEADS.c.lead_id).where(self._is_mine(connection, LEADS)))
            )
            self._delete_facts(connection, FactSubject.LEAD, leads)
            self._delete_facts(connection, FactSubject.CONTACT, self._ids)
            self._unlink_evaluations(connection)
            for table in (PREDICTIONS, SCORES, MESSAGES, LEADS, CONVERSATIONS, CONTACTS):
                mine = self._is_mine(connection, table)
                self._delete(connection, table.name, table, mine)
            done = update(FORGETTINGS).where(_is_own(connection, self._forgetting_id))
            connection.execute(done.values(contact_ids=[]))

    def count(self, counts: Mapping[str, int]) -> None:
        """Add numbers to the receipt, of places outside the database."""
        with self._crm.database.write() as connection:
            _count(connection, self._forgetting_id, counts)

    @property
    def _account(self) -> int:
        return self._crm.account_id

    def _others(self) -> list[KnownContact]:
        return [c for c in all_contacts(self._crm) if c.contact_id not in self._ids]

    def _is_mine(self, connection: Connection, table: Table) -> ColumnElement[bool]:
        return own_among(connection, table.c.contact_id, self._ids)

    def _is_evaluation(self, connection: Connection) -> ColumnElement[bool]:
        theirs = among(connection, EVALUATIONS.c.contact_id, self._ids)
        return theirs & EVALUATIONS.c.version_id.in_(_own_versions(self._account))

    def _receipt(self, connection: Connection, now: datetime) -> int:
        """Return the receipt that was begun for these contacts, or a new one."""
        mine = set(self._ids)
        for row in _open(connection, self._account):
            if mine & set(row.contact_ids):
                return int(row.forgetting_id)
        new = insert(FORGETTINGS).values(
            account_id=self._account, begun_at=now, contact_ids=self._ids, counts={}
        )
        return int(connection.execute(new.returning(FORGETTINGS.c.forgetting_id)).scalar_one())

    def _leave_all(
        self, connection: Connection, kept: Collection[str | None], now: datetime
    ) -> int:
        left = 0
        for contact in self._contacts:
            told = {"phone": phone_key(contact.phone), "name": name_key(contact.name)}
            named = [("contact", contact.external_id)]
            named += [(k, value) for k, value in told.items() if value and value not in kept]
            left += self._leave(connection, contact.source, named, now)
        for source, other_id in other_ids(connection, self._account, self._ids):
            left += self._leave(connection, source, [("contact", other_id)], now)
        for kind, table in (("lead", LEADS), ("conversation", CONVERSATIONS)):
            rows = connection.execute(
                select(table.c.source, table.c.external_id).where(self._is_mine(connection, table))
            )
            for source, external_id in rows.all():
                left += self._leave(connection, source, [(kind, external_id)], now)
        return left

    def _leave(
        self, connection: Connection, source: str, named: Sequence[Named], now: datetime
    ) -> int:
        # A made-up person has nothing to be kept out of.
        if source == SIMULATED:
            return 0
        return self._crm.tombstones(connection, source).leave(named, now=now)

    def _mark(self, connection: Connection) -> None:
        trained = (
            select(EVALUATIONS.c.version_id, func.count(distinct(EVALUATIONS.c.contact_id)))
            .where(self._is_evaluation(connection))
            .group_by(EVALUATIONS.c.version_id)
        )
        rows = [(self._forgetting_id, *row) for row in connection.execute(trained).all()]
        insert_new(connection, MARKS, pl.DataFrame(rows, MARKED, orient="row"))

    def _delete_facts(
        self, connection: Connection, subject: FactSubject, ids: Sequence[int]
    ) -> None:
        chosen = (
            (FACTS.c.account_id == self._account)
            & (FACTS.c.subject == subject)
            & among(connection, FACTS.c.subject_id, ids)
        )
        self._delete(connection, "facts", FACTS, chosen)

    def _unlink_evaluations(self, connection: Connection) -> None:
        unlinked = update(EVALUATIONS).where(self._is_evaluation(connection))
        count = connection.execute(unlinked.values(contact_id=None, entity_id=None)).rowcount
        _count(connection, self._forgetting_id, {"evaluation_predictions": count})

    def _delete(
        self, connection: Connection, place: str, table: Table, chosen: ColumnElement[bool]
    ) -> int:
        count = connection.execute(delete(table).where(chosen)).rowcount
        _count(connection, self._forgetting_id, {place: count})
        return count


def was_forgotten(crm: Crm, wanted: str, *, source: str | None = None) -> bool:
    """Tell whether a tombstone stands for this id (in that source, or any) or phone."""
    sources = [source] if source else list(crm.sources())
    digits = phone_key(wanted)
    with crm.database.read() as connection:
        here = [crm.tombstones(connection, name) for name in sources or [""]]
        by_phone = bool(digits) and here[0].has("phone", str(digits))
        return by_phone or any(tombstones.has("contact", wanted) for tombstones in here)


def tombstones_of(crm: Crm) -> frozenset[str]:
    """Return the digests of all of the account's tombstones."""
    mine = select(TOMBSTONES.c.digest).where(TOMBSTONES.c.account_id == crm.account_id)
    with crm.database.read() as connection:
        return frozenset(connection.scalars(mine))


def put_back(crm: Crm, digests: Iterable[str], *, now: datetime) -> None:
    """Put tombstones back that a restored database has lost; those that are there stay."""
    rows = pl.DataFrame({"digest": sorted(digests)}, schema={"digest": pl.String}).with_columns(
        pl.lit(crm.account_id).alias("account_id"),
        pl.lit(now, dtype=INSTANT).alias("forgotten_at"),
    )
    with crm.database.write() as connection:
        insert_new(connection, TOMBSTONES, rows)


def came_back(crm: Crm) -> tuple[KnownContact, ...]:
    """Return the contacts that are there although a tombstone stands for their id or phone."""
    known = tombstones_of(crm)
    if not known:
        return ()
    contacts = all_contacts(crm)
    with crm.database.read() as connection:
        return tuple(
            contact
            for contact in contacts
            if not known.isdisjoint(_digests(crm.tombstones(connection, contact.source), contact))
        )


def _digests(tombstones: Tombstones, contact: KnownContact) -> list[str]:
    phone = phone_key(contact.phone)
    digests = [tombstones.digest("contact", contact.external_id)]
    return digests + ([tombstones.digest("phone", phone)] if phone else [])


def open_receipt(crm: Crm) -> Receipt | None:
    """Return the newest receipt that is not complete; None if every forgetting has ended."""
    with crm.database.read() as connection:
        rows = _open(connection, crm.account_id)
        if not rows:
            return None
        versions = _marked(connection, rows[-1].forgetting_id)
        return Receipt(
            counts=dict(rows[-1].counts),
            versions=versions,
            is_removed=not rows[-1].contact_ids,
        )


def complete(crm: Crm, *, now: datetime) -> None:
    """Close the receipts whose contacts are gone."""
    with crm.database.write() as connection:
        ids = [r.forgetting_id for r in _open(connection, crm.account_id) if not r.contact_ids]
        closed = update(FORGETTINGS).where(
            FORGETTINGS.c.account_id == crm.account_id, FORGETTINGS.c.forgetting_id.in_(ids)
        )
        connection.execute(closed.values(completed_at=now))


def _marked(connection: Connection, forgetting_id: int) -> tuple[TrainedVersion, ...]:
    statement = (
        select(VERSIONS.c.model, VERSIONS.c.number, MARKS.c.contact_count)
        .join(MARKS, MARKS.c.version_id == VERSIONS.c.version_id)
        .where(
            VERSIONS.c.account_id == account_of(connection),
            MARKS.c.forgetting_id == forgetting_id,
        )
        .order_by(VERSIONS.c.model, VERSIONS.c.number)
    )
    return tuple(TrainedVersion(**row._mapping) for row in connection.execute(statement))


def unlink_forgotten(
    connection: Connection, account_id: int, version_id: int, *, since: datetime
) -> None:
    """Take who was forgotten during a training out of its version's predictions, and mark it.

    Parameters
    ----------
    since
        When its training began, and read the contacts.
    """
    newest = connection.scalar(
        select(func.max(FORGETTINGS.c.forgetting_id)).where(
            FORGETTINGS.c.account_id == account_id, FORGETTINGS.c.begun_at >= since
        )
    )
    if newest is None:
        return
    there = select(CONTACTS.c.contact_id).where(CONTACTS.c.account_id == account_id)
    gone = (
        EVALUATIONS.c.version_id.in_(_own_versions(account_id))
        & (EVALUATIONS.c.version_id == version_id)
        & EVALUATIONS.c.contact_id.not_in(there)
    )
    count = connection.scalar(select(func.count(distinct(EVALUATIONS.c.contact_id))).where(gone))
    if count:
        mark = pl.DataFrame([(newest, version_id, count)], MARKED, orient="row")
        insert_new(connection, MARKS, mark)
        connection.execute(update(EVALUATIONS).where(gone).values(contact_id=None, entity_id=None))


def compact(database: Database) -> bool:
    """Give freed space back, so that no byte of what was deleted is left in the database's files.

    Returns
    -------
    bool
        False if another process is at work on SQLite: its log could not be emptied yet.
    """
    if not database.is_sqlite:
        return _vacuum_postgresql(database)
    with database.maintain() as connection, suppress(OperationalError):
        connection.exec_driver_sql("VACUUM")
        busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        return not busy
    return False


def _vacuum_postgresql(database: Database) -> bool:
    with database.maintain() as connection:
        for table in VACUUMED:
            connection.execute(text(f"VACUUM {table.name}"))
    return True


def _open(connection: Connection, account_id: int) -> Sequence[Any]:
    statement = (
        select(*FORGETTINGS.c)
        .where(FORGETTINGS.c.account_id == account_id, FORGETTINGS.c.completed_at.is_(None))
        .order_by(FORGETTINGS.c.forgetting_id)
    )
    return connection.execute(statement).all()


def _own_versions(account_id: int) -> Select[int]:
    return select(VERSIONS.c.version_id).where(VERSIONS.c.account_id == account_id)


def _is_own(connection: Connection, forgetting_id: int) -> ColumnElement[bool]:
    is_own = FORGETTINGS.c.account_id == account_of(connection)
    return is_own & (FORGETTINGS.c.forgetting_id == forgetting_id)


def _count(connection: Connection, forgetting_id: int, counts: Mapping[str, int]) -> None:
    chosen = _is_own(connection, forgetting_id)
    known = connection.scalar(select(FORGETTINGS.c.counts).where(chosen).with_for_update()) or {}
    added = {place: known.get(place, 0) + count for place, count in counts.items()}
    connection.execute(update(FORGETTINGS).where(chosen).values(counts=known | added))


def _mask(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    identity: Identity,
    account_id: int,
) -> int:
    (key,) = table.primary_key.columns
    masked = 0
    rows = connection.execute(
        select(key, *(table.c[name] for name in columns)).where(table.c.account_id == account_id)
    )
    for row in rows.all():
        told = {name: row._mapping[name] for name in columns}
        changed = {n: identity.masked(v) for n, v in told.items() if identity.is_named_in(v)}
        if changed:
            is_row = (table.c.account_id == account_id) & _same(key, row[0])
            connection.execute(update(table).where(is_row).values(changed))
            masked += 1
    return masked


def _content_of(body: bytes) -> Any:
    """Return what a delivery says: its JSON, where no escape hides anything, or else its text."""
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _same(key: Column[Any], value: int) -> ColumnElement[bool]:
    return key == value


def _told(row: Mapping[str, Any]) -> list[Any]:
    return [row[name] for name in TOLD_OF_REFUSED]
