"""All that the database holds of one person, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select

from chatlift.store.bound import account_of
from chatlift.store.bulk import among, own_among, table_of
from chatlift.store.crm import Crm
from chatlift.store.forgetting import rejected_about
from chatlift.store.known_contacts import KnownContact, identity_of
from chatlift.store.registry_tables import EvaluationPredictionRow, PredictionRow, VersionRow
from chatlift.store.tables import ContactRow, ConversationRow, FactRow, LeadRow, MessageRow
from chatlift.vocabulary import FactSubject

OWN_TABLES: Mapping[str, Table] = {
    "contacts": table_of(ContactRow),
    "conversations": table_of(ConversationRow),
    "messages": table_of(MessageRow),
    "leads": table_of(LeadRow),
    "predictions": table_of(PredictionRow),
}
FACTS, VERSIONS = table_of(FactRow), table_of(VersionRow)
EVALUATIONS = table_of(EvaluationPredictionRow)
SUBJECTS = {
    FactSubject.CONTACT: ("contacts", "contact_id"),
    FactSubject.LEAD: ("leads", "lead_id"),
    FactSubject.MESSAGE: ("messages", "message_id"),
}
OURS = frozenset({"account_id", "value_digest"})
"""Columns that tell nothing of the person."""

Rows = list[dict[str, Any]]


def contact_data(crm: Crm, contacts: Sequence[KnownContact]) -> dict[str, Rows]:
    """Return the rows about these contacts, by table, in the order in which they came in.

    Returns
    -------
    dict
        `contacts`, `conversations`, `messages`, `leads`, `facts`, `predictions`, `rejected_rows`
        as they are stored, and `trained_versions`: `model` and `number` of each version that was
        trained on them.
    """
    ids = [contact.contact_id for contact in contacts]
    identity = identity_of(crm, contacts)
    with crm.database.read() as connection:
        found = {
            name: _rows(connection, t, own_among(connection, t.c.contact_id, ids))
            for name, t in _own()
        }
        found["facts"] = [fact for s in SUBJECTS for fact in _facts(connection, crm, s, found)]
        refused = rejected_about(connection, crm.account_id, ids, identity)
        found["rejected_rows"] = [_plain(row) for row in refused]
        found["trained_versions"] = _versions(connection, ids)
    return found


def _own() -> list[tuple[str, Table]]:
    return list(OWN_TABLES.items())


def _rows(connection: Connection, table: Table, chosen: ColumnElement[bool]) -> Rows:
    statement = select(*table.c).where(chosen).order_by(*table.primary_key.columns)
    return [_plain(row._mapping) for row in connection.execute(statement)]


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items() if str(name) not in OURS}


def _facts(
    connection: Connection, crm: Crm, subject: FactSubject, found: Mapping[str, Rows]
) -> Rows:
    table, key = SUBJECTS[subject]
    chosen = (
        (FACTS.c.account_id == crm.account_id)
        & (FACTS.c.subject == subject)
        & among(connection, FACTS.c.subject_id, [row[key] for row in found[table]])
    )
    return _rows(connection, FACTS, chosen)


def _versions(connection: Connection, ids: Sequence[int]) -> Rows:
    trained = (
        select(EVALUATIONS.c.version_id)
        .join(VERSIONS, VERSIONS.c.version_id == EVALUATIONS.c.version_id)
        .where(
            VERSIONS.c.account_id == account_of(connection),
            among(connection, EVALUATIONS.c.contact_id, ids),
        )
    )
    statement = (
        select(VERSIONS.c.model, VERSIONS.c.number)
        .where(
            VERSIONS.c.account_id == account_of(connection),
            VERSIONS.c.version_id.in_(trained),
        )
        .order_by(VERSIONS.c.model, VERSIONS.c.number)
    )
    return [dict(row._mapping) for row in connection.execute(statement)]
