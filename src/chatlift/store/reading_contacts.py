"""How the rows of a few contacts become a `History`: a handful of prepared statements.

An answer about one contact is read here while somebody waits. So the statements are built once for
each kind of database, a row is sorted as a tuple and not as a frame, and what a frame costs is
paid once a table. The result is that of reading everything, of those contacts alone; links between
sources are followed as there (`store.linking`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    String,
    any_,
    bindparam,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)

from chatlift import history
from chatlift.history import History
from chatlift.records import IDENTITY_FACTS
from chatlift.store.bound import account_of
from chatlift.store.bulk import stored_number, table_of, to_frame
from chatlift.store.linking import linked
from chatlift.store.tables import (
    AccountRow,
    ContactLinkRow,
    ContactRow,
    FactRow,
    LeadRow,
    MessageRow,
    ObservationGapRow,
    ObservationRow,
)
from chatlift.vocabulary import FactSubject

Row = tuple[Any, ...]

CONTACTS, MESSAGES = table_of(ContactRow), table_of(MessageRow)
LEADS, FACTS = table_of(LeadRow), table_of(FactRow)
LINKS, ACCOUNTS = table_of(ContactLinkRow), table_of(AccountRow)
OBSERVATIONS, GAPS = table_of(ObservationRow), table_of(ObservationGapRow)
AROUND = LINK, OBSERVATION, GAP, TIME_ZONE = ("link", "observation", "gap", "time zone")
"""Kinds of rows that tell of the account itself, and of who is the same person."""


def read_contacts(
    connection: Connection, contact_ids: Sequence[int], *, with_text: bool = True
) -> History:
    """Return what the connection's account has of these contacts, and of who is the same person."""
    account_id, statements = account_of(connection), _statements_for(connection.dialect.name)
    reading = _Reading(connection, account_id, contact_ids)
    around: dict[str, list[Row]] = {kind: [] for kind in AROUND}
    for kind, *row in reading.rows(statements.around):
        around[kind].append(tuple(row))
    links = {number for row in around[LINK] for number in row[1:]}
    if links:
        reading = _Reading(connection, account_id, sorted({*contact_ids, *links}))
    contacts = reading.rows(statements.contacts)
    told = History(
        contacts=to_frame([row[:-1] for row in contacts], history.CONTACTS),
        messages=to_frame(
            reading.rows(statements.messages if with_text else statements.messages_without_text),
            history.MESSAGES,
        ),
        leads=to_frame(reading.rows(statements.leads), history.LEADS),
        facts=_facts(reading.rows(statements.facts)),
        observations=to_frame(sorted(around[OBSERVATION]), history.OBSERVATIONS),
        contact_observations=to_frame(
            [(row[0], row[-1]) for row in contacts if row[-1] is not None],
            history.CONTACT_OBSERVATIONS,
        ),
        gaps=to_frame(sorted(around[GAP]), history.GAPS),
        time_zone=around[TIME_ZONE][0][0] if around[TIME_ZONE] else "UTC",
    )
    return linked(connection, account_id, told, is_whole=False) if links else told


def _facts(rows: list[Row]) -> pl.DataFrame:
    """Return facts in the order of a whole reading; texts compare alike in Python and Polars."""
    rows.sort(key=lambda row: (row[0], row[2], row[1], row[4], row[5]))
    return to_frame([row[:-1] for row in rows], history.FACTS)


class _Reading:
    """One state of the database, read for the same contacts again and again."""

    def __init__(self, connection: Connection, account_id: int, contact_ids: Sequence[int]) -> None:
        self._connection = connection
        ids = list(contact_ids)
        is_sqlite = connection.dialect.name == "sqlite"
        self._values = {"account": account_id, "ids": json.dumps(ids) if is_sqlite else ids}

    def rows(self, statement: Any) -> list[Row]:
        """Return the driver's tuples: instants as microseconds, flags as 0 and 1."""
        with self._connection.execute(statement, self._values) as result:
            cursor: Any = result.cursor
            rows: list[Row] = cursor.fetchall()
        return rows


@dataclass(frozen=True, kw_only=True)
class _Statements:
    """What is read of some contacts; sorted in the database where it is by numbers."""

    around: Any
    contacts: Any
    messages: Any
    messages_without_text: Any
    leads: Any
    facts: Any


ACCOUNT: BindParameter[int] = bindparam("account", type_=BigInteger)


@cache
def _statements_for(dialect: str) -> _Statements:
    return _Statements(
        around=_around(dialect),
        contacts=_contacts(dialect),
        messages=_messages(dialect, with_text=True),
        messages_without_text=_messages(dialect, with_text=False),
        leads=_leads(dialect),
        facts=_facts_of(dialect),
    )


def _around(dialect: str) -> Any:
    """Return the rows of the kinds of `AROUND`, at once: a statement costs a quarter of a ms."""
    nothing = null().cast(BigInteger)
    observed = select(
        literal(OBSERVATION),
        OBSERVATIONS.c.source,
        stored_number(OBSERVATIONS.c.observed_from),
        stored_number(OBSERVATIONS.c.observed_through),
    ).where(OBSERVATIONS.c.account_id == ACCOUNT)
    gaps = select(
        literal(GAP),
        GAPS.c.source,
        stored_number(GAPS.c.gap_from),
        stored_number(GAPS.c.gap_through),
    ).where(GAPS.c.account_id == ACCOUNT)
    zone = select(literal(TIME_ZONE), ACCOUNTS.c.time_zone, nothing, nothing).where(
        ACCOUNTS.c.account_id == ACCOUNT
    )
    return union_all(observed, gaps, zone, *_links(dialect))


def _is_named(dialect: str, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that `column` is one of the named contacts, as `bulk.among` says it."""
    if dialect == "sqlite":
        items = func.json_each(bindparam("ids")).table_valued("value")
        return column.in_(select(items.c.value))
    return column == any_(bindparam("ids", type_=ARRAY(BigInteger)))


def _own_contacts(dialect: str) -> Any:
    """Return the numbers of the named contacts that are the account's.

    What hangs on contacts is reached through them, and not by its own account: the database has
    no statistics at first and would take the index on the account for the better one.
    """
    return select(CONTACTS.c.contact_id).where(*_is_own_and_named(dialect))


def _is_own_and_named(dialect: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions of a named contact.

    Adding nothing keeps SQLite from walking all of the account's contacts to find a few by number.
    """
    return CONTACTS.c.account_id + 0 == ACCOUNT, _is_named(dialect, CONTACTS.c.contact_id)


def _links(dialect: str) -> Any:
    """Return the links of the named contacts, to them, and to those they are linked to.

    Each kind by itself, because PostgreSQL finds all three together by no index.
    """
    contact, person = LINKS.c.contact_id, LINKS.c.same_as_contact_id
    is_own = LINKS.c.account_id + 0 == ACCOUNT
    persons = select(person).where(is_own, _is_named(dialect, contact))
    links = select(literal(LINK), null().cast(String), contact, person).where(is_own)
    kinds = _is_named(dialect, contact), _is_named(dialect, person), person.in_(persons)
    return [links.where(is_near) for is_near in kinds]


def _contacts(dialect: str) -> Any:
    return (
        select(
            CONTACTS.c.contact_id,
            CONTACTS.c.external_id,
            CONTACTS.c.source,
            stored_number(CONTACTS.c.created_at),
            stored_number(CONTACTS.c.churned_at),
            stored_number(CONTACTS.c.observed_through),
        )
        .where(*_is_own_and_named(dialect))
        .order_by(CONTACTS.c.contact_id)
    )


def _messages(dialect: str, *, with_text: bool) -> Any:
    return (
        select(
            MESSAGES.c.message_id,
            MESSAGES.c.contact_id,
            MESSAGES.c.conversation_id,
            MESSAGES.c.direction,
            MESSAGES.c.kind,
            MESSAGES.c.text if with_text else null().label("text"),
            stored_number(MESSAGES.c.sent_at),
            cast(MESSAGES.c.is_automatic, Integer),
        )
        .where(MESSAGES.c.contact_id.in_(_own_contacts(dialect)))
        .order_by(MESSAGES.c.contact_id, MESSAGES.c.sent_at, MESSAGES.c.message_id)
    )


def _leads(dialect: str) -> Any:
    return (
        select(
            LEADS.c.lead_id,
            LEADS.c.external_id,
            LEADS.c.contact_id,
            stored_number(LEADS.c.created_at),
            LEADS.c.outcome,
            stored_number(LEADS.c.closed_at),
            stored_number(LEADS.c.outcome_known_at),
        )
        .where(LEADS.c.contact_id.in_(_own_contacts(dialect)))
        .order_by(LEADS.c.lead_id)
    )


def _facts_of(dialect: str) -> Any:
    own = _own_contacts(dialect)
    subjects = {
        FactSubject.CONTACT: own,
        FactSubject.LEAD: select(LEADS.c.lead_id).where(LEADS.c.contact_id.in_(own)),
        FactSubject.MESSAGE: select(MESSAGES.c.message_id).where(MESSAGES.c.contact_id.in_(own)),
    }
    columns = (
        FACTS.c.subject,
        FACTS.c.subject_id,
        FACTS.c.name,
        FACTS.c.value,
        stored_number(FACTS.c.known_at),
        FACTS.c.fact_id,
    )
    return union_all(
        *(
            select(*columns).where(
                FACTS.c.account_id == ACCOUNT,
                FACTS.c.subject == subject,
                FACTS.c.subject_id.in_(ids),
                FACTS.c.name.not_in(IDENTITY_FACTS),
            )
            for subject, ids in subjects.items()
        )
    )
