"""Export: all of one person's data, so that it can be handed over on request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatlift.errors import Conflict, NotFound
from chatlift.registry.workspace import Workspace
from chatlift.store.contact_data import contact_data
from chatlift.store.crm import Crm
from chatlift.store.known_contacts import KnownContact, find_contacts, same_person


@dataclass(frozen=True, kw_only=True)
class ContactExport:
    """One person's data."""

    account: str
    exported_at: datetime
    data: dict[str, list[dict[str, Any]]]
    """By table, one dictionary per row; see `store.contact_data`. Instants are UTC."""


def export_contact(
    workspace: Workspace, wanted: str, *, source: str | None = None, now: datetime
) -> ContactExport:
    """Return all that is held of the person with this id or phone, in all sources.

    Raises
    ------
    NotFound
        If nobody is known by it.
    Conflict
        If several people are: nobody may be handed the data of another.
    """
    found = _one_person(workspace.crm, wanted, source)
    data = contact_data(workspace.crm, found)
    return ContactExport(account=workspace.account.name, exported_at=now, data=data)


def _one_person(crm: Crm, wanted: str, source: str | None) -> tuple[KnownContact, ...]:
    named = find_contacts(crm, wanted, source=source)
    if not named:
        raise NotFound(
            "No contact has this id or phone. Give the id that its source uses, or its phone "
            "number with the country's code."
        )
    found = same_person(crm, named)
    if len(same_person(crm, named[:1])) < len(found):
        sources = ", ".join(sorted({contact.source for contact in named}))
        raise Conflict(
            f"{len(named)} contacts of {sources} have this id or phone, and they may be different "
            "people. Name one by the id that its source uses, and the source with --source."
        )
    return found
