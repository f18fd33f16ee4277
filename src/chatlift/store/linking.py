"""One person, one message, however many sources tell of them: the links in the database.

Records keep the contact and the id of their own source. What belongs together is derived from
them by the rules of `matching`, so it comes out the same in whatever order they came.

`linked` applies the links to a history that was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Connection, String, delete, func, literal_column, select

from chatlift.history import History
from chatlift.records import CHANNEL_MESSAGE_ID, IDENTITY_FACTS, SAME_PERSON
from chatlift.store.bulk import among, insert_new, own_among, read_columns, stored_number, table_of
from chatlift.store.database import Database
from chatlift.store.matching import Contact, Message, phone_digits, same_messages, same_people
from chatlift.store.revisions import records_changed
from chatlift.store.settling import take_turn
from chatlift.store.source_names import source_names
from chatlift.store.tables import ContactLinkRow, ContactRow, FactRow, MessageLinkRow, MessageRow
from chatlift.vocabulary import FactSubject

PEOPLE_AT_ONCE = 500
"""People whose messages are linked in one transaction, so that it lasts below a second."""
COMPARED_DIGITS = 7
"""How many last digits of phones the database compares: the same in every spelling of a number."""
PHONE_MARKS = " -()./+\u00a0\u202a\u202c\u200e"

TIES = table_of(FactRow)
CONTACTS = pl.Schema(
    {
        "contact_id": pl.Int64(),
        "source": pl.String(),
        "external_id": pl.String(),
        "phone": pl.String(),
    }
)
CONTACT_LINKS = pl.Schema({"contact_id": pl.Int64(), "same_as_contact_id": pl.Int64()})
MESSAGE_LINKS = pl.Schema({"message_id": pl.Int64(), "same_as_message_id": pl.Int64()})


def link(
    database: Database,
    account_id: int,
    contact_ids: Sequence[int] | None = None,
    *,
    are_contacts_news: bool = True,
) -> None:
    """Derive the account's links anew; saying the same again changes nothing.

    Parameters
    ----------
    contact_ids
        Only of these contacts something was told since; None means of all.
    are_contacts_news
        Whether some of them are new: somebody may have named them before they came.
    """
    with database.write() as connection:
        take_turn(connection, account_id)
        is_whole = contact_ids is None
        if is_whole and _is_of_one(connection, account_id):
            return
        if is_whole or _may_be_others(connection, account_id, contact_ids or [], are_contacts_news):
            people = same_people(*_who_is_there(connection, account_id))
            is_whole = _keep_people(connection, account_id, people) or is_whole
        else:
            people = people_of(connection, contact_ids or [])
        touched = None if is_whole else {people.get(c, c) for c in contact_ids or []}
        groups = _told_by_several(connection, account_id, people, touched)
    persons = sorted(groups)
    for start in range(0, len(persons), PEOPLE_AT_ONCE):
        some = {person: groups[person] for person in persons[start : start + PEOPLE_AT_ONCE]}
        with database.write() as connection:
            take_turn(connection, account_id)
            _link_messages(connection, account_id, some)


def _may_be_others(
    connection: Connection, account_id: int, contact_ids: Sequence[int], are_contacts_news: bool
) -> bool:
    """Tell whether these contacts may be the same person as somebody not linked to them yet."""
    told = _contacts(connection, account_id, contact_ids)
    ties = _ties(connection, account_id, among(connection, TIES.c.subject_id, contact_ids))
    if are_contacts_news:
        named = among(connection, TIES.c.value, [c.external_id for c in told])
        ties += _ties(connection, account_id, named)
    tied = _numbers_of(connection, account_id, {(source, name) for source, _, name in ties})
    nearby = {c.contact_id for c in told} | {number for _, number, _ in ties} | set(tied.values())
    if _is_of_several(connection, account_id):
        nearby |= _with_phones_like(connection, account_id, told)
    known = people_of(connection, sorted(nearby))
    contacts = _contacts(connection, account_id, sorted(known))
    found = same_people(contacts, [(number, name) for _, number, name in ties])
    return any(known[contact] != known[person] for contact, person in found.items())


def _with_phones_like(
    connection: Connection, account_id: int, contacts: Sequence[Contact]
) -> set[int]:
    """Return contacts whose phones end in the digits in which one of these phones ends."""
    ends = {(phone_digits(c.phone) or "")[-COMPARED_DIGITS:] for c in contacts} - {""}
    if not ends:
        return set()
    bare: ColumnElement[Any] = ContactRow.phone.expression
    for mark in PHONE_MARKS:
        bare = func.replace(bare, mark, "")
    end = func.substr(bare, func.length(bare) - COMPARED_DIGITS + 1, type_=String())
    mine = select(ContactRow.contact_id).where(ContactRow.account_id == account_id)
    return set(connection.scalars(mine.where(among(connection, end, sorted(ends)))))


def _is_of_one(connection: Connection, account_id: int) -> bool:
    """Tell whether there is one source that ties nobody, and nothing is linked: nothing to do."""
    mine = ContactLinkRow.account_id == account_id
    is_linked = connection.scalar(select(ContactLinkRow.contact_id).where(mine).limit(1))
    if is_linked is not None or _ties(connection, account_id):
        return False
    return not _is_of_several(connection, account_id)


def _is_of_several(connection: Connection, account_id: int) -> bool:
    """Tell whether more than one source has contacts."""
    names = source_names(table_of(ContactRow), account_id)
    return len(connection.scalars(names.limit(2)).all()) > 1


def _contacts(
    connection: Connection, account_id: int, contact_ids: Sequence[int] | None = None
) -> list[Contact]:
    row = ContactRow
    is_meant = (
        row.account_id == account_id
        if contact_ids is None
        else own_among(connection, row.contact_id.expression, contact_ids)
    )
    columns = select(row.contact_id, row.source, row.external_id, row.phone)
    mine = columns.where(is_meant).order_by(row.contact_id)
    return [Contact(*told) for told in read_columns(connection, mine, CONTACTS).iter_rows()]


def _ties(
    connection: Connection, account_id: int, which: ColumnElement[bool] | None = None
) -> list[tuple[str, int, str]]:
    """Return source, contact and the other external id of ties, all or those that `which` says."""
    # Written out, because the index on ties is used only where the name stands in the statement.
    is_tie = TIES.c.name == literal_column(f"'{SAME_PERSON}'")
    mine = select(TIES.c.source, TIES.c.subject_id, TIES.c.value).where(
        TIES.c.account_id == account_id, is_tie, TIES.c.subject == FactSubject.CONTACT
    )
    told = mine if which is None else mine.where(which)
    return [(row[0], row[1], row[2] or "") for row in connection.execute(told)]


def _numbers_of(
    connection: Connection, account_id: int, named: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return the numbers of contacts by source and external id; unknown ones are absent."""
    row = ContactRow
    found: dict[tuple[str, str], int] = {}
    for source in {source for source, _ in named}:
        names = among(connection, row.external_id.expression, [n for s, n in named if s == source])
        mine = select(row.source, row.external_id, row.contact_id).where(
            row.account_id == account_id, row.source == source, names
        )
        found |= {(told[0], told[1]): told[2] for told in connection.execute(mine)}
    return found


def _who_is_there(
    connection: Connection, account_id: int
) -> tuple[list[Contact], list[tuple[int, str]]]:
    ties = [(contact, name) for _, contact, name in _ties(connection, account_id)]
    return _contacts(connection, account_id), ties


def _keep_people(connection: Connection, account_id: int, people: Mapping[int, int]) -> bool:
    """Keep who is the same person, and tell whether that is news."""
    known = {told[0]: told[1] for told in _contact_links(connection, account_id).rows()}
    if known == people:
        return False
    records_changed(connection, account_id)
    connection.execute(delete(ContactLinkRow).where(ContactLinkRow.account_id == account_id))
    links = pl.DataFrame(list(people.items()), CONTACT_LINKS, orient="row")
    owned = links.with_columns(pl.lit(account_id).alias("account_id"))
    insert_new(connection, table_of(ContactLinkRow), owned)
    return True


def _told_by_several(
    connection: Connection,
    account_id: int,
    people: Mapping[int, int],
    touched: Collection[int] | None,
) -> dict[int, list[int]]:
    """Return person to contacts, of people of whom more than one source tells."""
    groups: dict[int, list[int]] = defaultdict(list)
    for contact, person in people.items():
        if contact != person and (touched is None or person in touched):
            groups[person].append(contact)
    whole = {person: [person, *group] for person, group in groups.items()}
    told = _contacts(connection, account_id, [c for group in whole.values() for c in group])
    source = {contact.contact_id: contact.source for contact in told}
    return {p: group for p, group in whole.items() if len({source[c] for c in group}) > 1}


def _link_messages(
    connection: Connection, account_id: int, groups: Mapping[int, Sequence[int]]
) -> None:
    person = {contact: p for p, group in groups.items() for contact in group}
    by_person: dict[int, list[Message]] = defaultdict(list)
    for message in _messages_of(connection, list(person)):
        by_person[person[message.contact_id]].append(message)
    ids = [m.message_id for messages in by_person.values() for m in messages]
    channel_ids = _channel_ids(connection, account_id, ids)
    links: dict[int, int] = {}
    for messages in by_person.values():
        links |= same_messages(messages, channel_ids)
    old = own_among(connection, MessageLinkRow.message_id.expression, ids)
    known = select(MessageLinkRow.message_id, MessageLinkRow.same_as_message_id).where(old)
    if dict(read_columns(connection, known, MESSAGE_LINKS).iter_rows()) == links:
        return
    records_changed(connection, account_id)
    connection.execute(delete(MessageLinkRow).where(old))
    found = pl.DataFrame(list(links.items()), MESSAGE_LINKS, orient="row")
    owned = found.with_columns(pl.lit(account_id).alias("account_id"))
    insert_new(connection, table_of(MessageLinkRow), owned)


def _messages_of(connection: Connection, contact_ids: Sequence[int]) -> list[Message]:
    row = MessageRow
    told = connection.execute(
        select(
            row.message_id,
            row.contact_id,
            row.source,
            row.external_id,
            row.direction,
            row.kind,
            row.text,
            stored_number(row.sent_at.expression),
        ).where(own_among(connection, row.contact_id.expression, contact_ids))
    )
    return [Message(*columns) for columns in told]


def _channel_ids(
    connection: Connection, account_id: int, message_ids: Sequence[int]
) -> dict[int, str]:
    told = connection.execute(
        select(FactRow.subject_id, FactRow.value).where(
            FactRow.account_id == account_id,
            among(connection, FactRow.subject_id.expression, message_ids),
            FactRow.subject == FactSubject.MESSAGE,
            FactRow.name == CHANNEL_MESSAGE_ID,
        )
    )
    return {row[0]: row[1] or "" for row in told}


def _contact_links(
    connection: Connection, account_id: int, contact_ids: Sequence[int] | None = None
) -> pl.DataFrame:
    """Return one row per contact, of all or of these, that is the same person as one before it."""
    row = ContactLinkRow
    mine = select(row.contact_id, row.same_as_contact_id).where(row.account_id == account_id)
    if contact_ids is not None:
        mine = mine.where(among(connection, row.contact_id.expression, contact_ids))
    return read_columns(connection, mine, CONTACT_LINKS)


def people_of(connection: Connection, contact_ids: Sequence[int]) -> dict[int, int]:
    """Return each of the contacts, and all that are the same person, with who counts for them."""
    row = ContactLinkRow
    links = select(row.contact_id, row.same_as_contact_id)
    known = links.where(own_among(connection, row.contact_id.expression, contact_ids))
    own = dict(read_columns(connection, known, CONTACT_LINKS).iter_rows())
    persons = {own.get(contact, contact) for contact in contact_ids}
    members = links.where(own_among(connection, row.same_as_contact_id.expression, sorted(persons)))
    others = dict(read_columns(connection, members, CONTACT_LINKS).iter_rows())
    return others | {person: person for person in persons}


def linked(connection: Connection, account_id: int, read: History, *, is_whole: bool) -> History:
    """Return a history in which each person is one contact and each message stands once.

    The contact that was written first stands for the person; the source is the one among theirs
    that is observed longest. Facts of all are theirs; facts that only tie records are left out.
    """
    told = replace(read, facts=read.facts.filter(~pl.col("name").is_in(IDENTITY_FACTS)))
    contacts = None if is_whole else read.contacts["contact_id"].to_list()
    people = _contact_links(connection, account_id, contacts)
    if people.is_empty():
        return told
    row = MessageLinkRow
    mine = select(row.message_id, row.same_as_message_id).where(row.account_id == account_id)
    if not is_whole:
        ids = told.messages["message_id"].to_list()
        mine = mine.where(among(connection, row.message_id.expression, ids))
    twins = read_columns(connection, mine, MESSAGE_LINKS)
    return _merged(told, dict(people.iter_rows()), _of_one_person(told.messages, twins, people))


def _of_one_person(
    messages: pl.DataFrame, twins: pl.DataFrame, people: pl.DataFrame
) -> dict[int, int]:
    """Return the links between messages that are there and of one person, as people are now.

    Who is the same person is kept before messages are linked; a kill in between leaves links of
    people that are no longer one.
    """
    person = pl.col("contact_id").replace(dict(people.iter_rows()))
    written = messages.select("message_id", person=person)
    other = written.rename({"message_id": "same_as_message_id", "person": "other"})
    both = twins.join(written, on="message_id").join(other, on="same_as_message_id")
    same = both.filter(pl.col("person") == pl.col("other"))
    return dict(same.select(twins.columns).iter_rows())


def _merged(read: History, people: Mapping[int, int], twins: Mapping[int, int]) -> History:
    person = pl.col("contact_id").replace(people)
    once = read.messages.filter(~pl.col("message_id").is_in(list(twins)))
    of_message = pl.col("subject") == FactSubject.MESSAGE
    of_contact = pl.col("subject") == FactSubject.CONTACT
    subject = (
        pl.when(of_contact)
        .then(pl.col("subject_id").replace(people))
        .when(of_message)
        .then(pl.col("subject_id").replace(twins))
        .otherwise(pl.col("subject_id"))
    )
    order = ["subject", "name", "subject_id", "known_at"]
    people_told = _people(read, person)
    return replace(
        read,
        contacts=people_told.select(read.contacts.columns),
        contact_observations=_own_ends(people_told, read.contact_observations),
        messages=once.with_columns(person).sort("contact_id", "sent_at", "message_id"),
        leads=read.leads.with_columns(person),
        facts=read.facts.with_columns(subject_id=subject).sort(order, maintain_order=True),
    )


def _own_ends(people: pl.DataFrame, own_ends: pl.DataFrame) -> pl.DataFrame:
    """Return the ends of the contacts by whom their people go, as the people's own."""
    renamed = own_ends.rename({"contact_id": "longest_contact_id"})
    return people.join(renamed, on="longest_contact_id").select(own_ends.columns)


def _people(read: History, person: pl.Expr) -> pl.DataFrame:
    """Return one row per person, with the contact among theirs that is observed longest."""
    ends = read.observations.select("source", "observed_through")
    own_ends = read.contact_observations.rename({"observed_through": "own"})
    members = read.contacts.join(ends, on="source", how="left").join(
        own_ends, on="contact_id", how="left"
    )
    end = pl.coalesce("own", "observed_through")
    longest = end.fill_null(pl.col("created_at").min()).arg_max()
    return (
        members.with_columns(person=person)
        .sort("contact_id")
        .group_by("person", maintain_order=True)
        .agg(
            pl.col("external_id").first(),
            pl.col("source").get(longest),
            pl.col("contact_id").get(longest).alias("longest_contact_id"),
            pl.col("created_at").min(),
            pl.col("churned_at").drop_nulls().min(),
        )
        .rename({"person": "contact_id"})
        .sort("contact_id")
    )
