"""Leads and contacts by what a caller calls them: an id of their source, or the store's number."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    String,
    Table,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal,
    select,
    union_all,
)

from chatlift.store.bound import account_of
from chatlift.store.bulk import table_of
from chatlift.store.source_names import source_names
from chatlift.store.tables import ContactLinkRow, ContactRow, LeadRow

CONTACTS, LEADS = table_of(ContactRow), table_of(LeadRow)
LINKS, PEOPLE = table_of(ContactLinkRow), table_of(ContactRow).alias("people")
ACCOUNT: BindParameter[int] = bindparam("account", type_=BigInteger)
HIGHEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Named:
    """A lead or a contact; of a person whom several sources know, the contact that counts."""

    entity_id: int
    contact_id: int
    external_id: str
    name: str | None
    """Of the contact; null where no source tells it."""


def entities_named(
    connection: Connection, entity: str, names: Sequence[str]
) -> dict[str, list[Named]]:
    """Return whom each name means to the connection's account, in the order named.

    A name that nobody has is absent.

    An id of a source comes before a number. More than one are meant where sources use one id.

    Parameters
    ----------
    entity
        `lead` or `contact`.
    """
    table = LEADS if entity == "lead" else CONTACTS
    statement = _statement(connection.dialect.name, table)
    rows = connection.execute(statement, _values(connection, names)).all()
    by_name: dict[str, dict[int, Named]] = defaultdict(dict)
    by_number: dict[str, dict[int, Named]] = defaultdict(dict)
    for is_number, told, entity_id, contact_id, external_id, name in rows:
        found = Named(
            entity_id=entity_id, contact_id=contact_id, external_id=external_id, name=name
        )
        (by_number if is_number else by_name)[told][entity_id] = found
    meant = by_number | by_name
    return {name: list(meant[name].values()) for name in dict.fromkeys(names) if name in meant}


def _values(connection: Connection, names: Sequence[str]) -> dict[str, Any]:
    numbers = [int(name) for name in names if name.isdecimal() and str(int(name)) == name]
    told: dict[str, list[Any]] = {
        # PostgreSQL knows no NUL in a text, so nobody is called so.
        "names": [name for name in names if "\0" not in name],
        "numbers": [number for number in numbers if number <= HIGHEST_NUMBER],
    }
    account = {"account": account_of(connection)}
    if connection.dialect.name == "sqlite":
        return {name: json.dumps(values) for name, values in told.items()} | account
    return told | account


@cache
def _statement(dialect: str, table: Table) -> Any:
    """Return whether by number, what was told, and the columns of `Named`."""
    key = table.c.lead_id if table is LEADS else table.c.contact_id
    person = func.coalesce(LINKS.c.same_as_contact_id, table.c.contact_id)
    is_lead = table is LEADS
    columns = (
        key if is_lead else PEOPLE.c.contact_id,
        PEOPLE.c.contact_id,
        table.c.external_id if is_lead else PEOPLE.c.external_id,
        PEOPLE.c.name if is_lead else func.coalesce(PEOPLE.c.name, table.c.name),
    )
    link = and_(LINKS.c.contact_id == table.c.contact_id, LINKS.c.account_id == ACCOUNT)
    people = and_(PEOPLE.c.contact_id == person, PEOPLE.c.account_id == ACCOUNT)
    joined = table.outerjoin(LINKS, link).join(PEOPLE, people)
    # Adding nothing keeps SQLite on the primary key, where it would take the account's index.
    is_own, is_own_too = table.c.account_id == ACCOUNT, table.c.account_id + 0 == ACCOUNT
    # The index on external ids begins with the source; without it every row would be looked at.
    is_of_source = table.c.source.in_(source_names(table, ACCOUNT))
    told = _is_among(dialect, table.c.external_id, "names", String())
    by_name = select(literal(0).label("by_number"), table.c.external_id.label("told"), *columns)
    by_number = select(literal(1).label("by_number"), cast(key, String).label("told"), *columns)
    return union_all(
        by_name.select_from(joined).where(is_own, is_of_source, told),
        by_number.select_from(joined).where(
            is_own_too, _is_among(dialect, key, "numbers", BigInteger())
        ),
    )


def _is_among(
    dialect: str, column: ColumnElement[Any], name: str, kind: String | BigInteger
) -> ColumnElement[bool]:
    """Return the condition that `column` is one of the values of a parameter."""
    if dialect == "sqlite":
        items = func.json_each(bindparam(name)).table_valued("value")
        return column.in_(select(items.c.value))
    return column == any_(bindparam(name, type_=ARRAY(kind)))
