"""Contacts, leads, outcomes and messages, told one by one as they happen."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from chatlift.service.context import ServiceDep
from chatlift.service.problems import ProblemRoute, described
from chatlift.service.record_bodies import (
    ChangeBody,
    ContactBody,
    LeadBody,
    LeadChangeBody,
    MessagesBody,
    MessagesReportBody,
    OutcomeBody,
    RecordId,
    SourceName,
)
from chatlift.service.security import BodyLimit, Operator
from chatlift.vocabulary import parse_source
from chatlift.workflows.put_records import post_messages, put_contact, put_lead, put_outcome

OWN_SOURCE = "api"


async def _named(source: SourceName = OWN_SOURCE) -> str:
    return parse_source(source)


OfSource = Annotated[str, Depends(_named)]
router = APIRouter(route_class=ProblemRoute)


@router.put("/contacts/{external_id}", operation_id="put_contact", responses=described(409))
def contact(
    caller: Operator,
    service: ServiceDep,
    external_id: RecordId,
    body: ContactBody,
    source: OfSource,
) -> ChangeBody:
    """Make a contact, or bring it up to date; the same again changes nothing.

    A contact who was forgotten is refused with 409.
    """
    told = put_contact(
        caller.workspace.crm, external_id, body.words(), source=source, now=service.clock()
    )
    return ChangeBody(external_id=external_id, source=source, result=told)


@router.put("/leads/{external_id}", operation_id="put_lead", responses=described(409))
def lead(
    caller: Operator,
    service: ServiceDep,
    external_id: RecordId,
    body: LeadBody,
    source: OfSource,
) -> LeadChangeBody:
    """Make a lead of a contact told before, or bring it up to date."""
    told = put_lead(
        caller.workspace.crm, external_id, body.words(), source=source, now=service.clock()
    )
    return LeadChangeBody.of(external_id, source, told)


@router.put(
    "/leads/{external_id}/outcome", operation_id="put_outcome", responses=described(404, 409)
)
def outcome(
    caller: Operator,
    service: ServiceDep,
    external_id: RecordId,
    body: OutcomeBody,
    source: OfSource,
) -> LeadChangeBody:
    """Tell what became of a lead; the answer says which outcome stands.

    An outcome with a closing date counts above one without, and a later one above an earlier.
    """
    told = put_outcome(
        caller.workspace.crm,
        external_id,
        body.outcome,
        closed_at=body.closed_at,
        source=source,
        now=service.clock(),
    )
    return LeadChangeBody.of(external_id, source, told)


@router.post(
    "/messages",
    operation_id="post_messages",
    responses=described(409),
    dependencies=[Depends(BodyLimit("records_bytes"))],
)
def messages(
    caller: Operator, service: ServiceDep, body: MessagesBody, source: OfSource
) -> MessagesReportBody:
    """Write up to 1,000 messages of contacts told before.

    Each that cannot be used is refused alone, and the answer says why.
    """
    report = post_messages(caller.workspace.crm, body.words(), source=source, now=service.clock())
    return MessagesReportBody.of_report(report)
