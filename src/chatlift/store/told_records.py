"""What is told of one contact or lead now, by the id that its source uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from chatlift.store.base import Base
from chatlift.store.bulk import table_of
from chatlift.store.crm import Crm
from chatlift.store.tables import ContactRow, LeadRow
from chatlift.vocabulary import LeadOutcome


@dataclass(frozen=True, kw_only=True)
class ToldContact:
    """A contact, as the records have it."""

    name: str | None
    phone: str | None
    created_at: datetime
    churned_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ToldLead:
    """A lead, as the records have it."""

    contact_external_id: str
    created_at: datetime
    outcome: LeadOutcome
    closed_at: datetime | None
    """None while it is open, or where nobody said when it was closed."""


def told_contact(crm: Crm, external_id: str, *, source: str) -> ToldContact | None:
    """Return a contact of a source; None if there is none."""
    columns = [table_of(ContactRow).c[name] for name in ToldContact.__dataclass_fields__]
    row = _row_of(crm, ContactRow, columns, external_id, source)
    return None if row is None else ToldContact(**row._mapping)


def told_lead(crm: Crm, external_id: str, *, source: str) -> ToldLead | None:
    """Return a lead of a source; None if there is none."""
    lead, contact = table_of(LeadRow).c, table_of(ContactRow).c
    owner = select(contact.external_id).where(contact.contact_id == lead.contact_id)
    columns = [
        owner.scalar_subquery().label("contact_external_id"),
        lead.created_at,
        lead.outcome,
        lead.closed_at,
    ]
    row = _row_of(crm, LeadRow, columns, external_id, source)
    if row is None:
        return None
    return ToldLead(**{**row._mapping, "outcome": LeadOutcome(row._mapping["outcome"])})


def is_lead_forgotten(crm: Crm, external_id: str, *, source: str) -> bool:
    """Tell whether a lead of this id went with somebody who was forgotten."""
    with crm.database.read() as connection:
        return crm.tombstones(connection, source).has("lead", external_id)


def _row_of(
    crm: Crm, row_class: type[Base], columns: Sequence[Any], external_id: str, source: str
) -> Row[Any] | None:
    table = table_of(row_class)
    wanted = select(*columns).where(
        table.c.account_id == crm.account_id,
        table.c.source == source,
        table.c.external_id == external_id,
    )
    with crm.database.read() as connection:
        row: Row[Any] | None = connection.execute(wanted).one_or_none()
    return row
