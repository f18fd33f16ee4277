"""Who the contacts of an account are: found by id or phone, and which of them are one person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from chatlift.records import SAME_PERSON
from chatlift.store.bulk import among, own_among, table_of
from chatlift.store.crm import Crm
from chatlift.store.identity import Identity
from chatlift.store.tables import ContactLinkRow, ContactRow, ConversationRow, FactRow, LeadRow
from chatlift.store.tombstones import phone_key
from chatlift.vocabulary import FactSubject

CONTACTS, LEADS, CONVERSATIONS = table_of(ContactRow), table_of(LeadRow), table_of(ConversationRow)
FACTS, LINKS = table_of(FactRow), table_of(ContactLinkRow)


@dataclass(frozen=True, kw_only=True)
class KnownContact:
    """One contact of one source, as the database knows it."""

    contact_id: int
    source: str
    external_id: str
    name: str | None
    phone: str | None


def find_contacts(crm: Crm, wanted: str, *, source: str | None = None) -> tuple[KnownContact, ...]:
    """Return the contacts with this id or phone, of one source or of all."""
    found = [contact for contact in all_contacts(crm) if source in (None, contact.source)]
    by_id = [contact for contact in found if contact.external_id == wanted]
    digits = phone_key(wanted)
    by_phone = [c for c in found if digits and phone_key(c.phone) == digits]
    return tuple(by_id or by_phone)


def same_person(crm: Crm, named: Sequence[KnownContact]) -> tuple[KnownContact, ...]:
    """Return these contacts and all that are the same person: linked, or by a phone.

    A phone that a source has twice is shared by several people, and tells nothing.
    """
    everybody = all_contacts(crm)
    ids = {contact.contact_id for contact in named}
    ties = [*_linked(crm), *_by_own_phone(everybody)]
    before = 0
    while len(ids) > before:
        before = len(ids)
        ids |= {contact_id for tie in ties if not ids.isdisjoint(tie) for contact_id in tie}
    return tuple(contact for contact in everybody if contact.contact_id in ids)


def _by_own_phone(contacts: Sequence[KnownContact]) -> list[frozenset[int]]:
    """Return the contacts of each phone that no source has twice."""
    groups: dict[str, list[KnownContact]] = defaultdict(list)
    for contact in contacts:
        if phone := phone_key(contact.phone):
            groups[phone].append(contact)
    return [
        frozenset(contact.contact_id for contact in group)
        for group in groups.values()
        if len({contact.source for contact in group}) == len(group) > 1
    ]


def identity_of(crm: Crm, contacts: Sequence[KnownContact]) -> Identity:
    """Return all by which the contacts are known."""
    ids = {contact.external_id for contact in contacts}
    numbers = [contact.contact_id for contact in contacts]
    with crm.database.read() as connection:
        for table in (LEADS, CONVERSATIONS):
            theirs = own_among(connection, table.c.contact_id, numbers)
            ids.update(connection.scalars(select(table.c.external_id).where(theirs)))
        ids.update(value for _, value in other_ids(connection, crm.account_id, numbers))
    return Identity(
        ids=frozenset(ids),
        phones=frozenset(contact.phone for contact in contacts if contact.phone),
        names=frozenset(contact.name for contact in contacts if contact.name),
    )


def other_ids(
    connection: Connection, account_id: int, contact_ids: Sequence[int]
) -> list[tuple[str, str]]:
    """Return source and id by which the contacts are said to be known too, there or not yet."""
    statement = select(FACTS.c.source, FACTS.c.value).where(
        FACTS.c.account_id == account_id,
        FACTS.c.subject == FactSubject.CONTACT,
        FACTS.c.name == SAME_PERSON,
        FACTS.c.value.is_not(None),
        among(connection, FACTS.c.subject_id, contact_ids),
    )
    return [(row[0], row[1]) for row in connection.execute(statement)]


def _linked(crm: Crm) -> list[frozenset[int]]:
    statement = select(LINKS.c.contact_id, LINKS.c.same_as_contact_id).where(
        LINKS.c.account_id == crm.account_id
    )
    with crm.database.read() as connection:
        return [frozenset(row) for row in connection.execute(statement)]


def all_contacts(crm: Crm) -> tuple[KnownContact, ...]:
    """Return the contacts of the account, in the order in which they came in."""
    names = list(KnownContact.__dataclass_fields__)
    statement = select(*(CONTACTS.c[name] for name in names)).where(
        CONTACTS.c.account_id == crm.account_id
    )
    with crm.database.read() as connection:
        rows = connection.execute(statement.order_by(CONTACTS.c.contact_id)).all()
    return tuple(KnownContact(**row._mapping) for row in rows)
