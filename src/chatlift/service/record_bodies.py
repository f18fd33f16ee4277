"""What the routes of single records take and answer, each body with an example."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from chatlift.service.asked_bodies import Strict, asking
from chatlift.service.ingest_bodies import NOON, CountsBody
from chatlift.service.training_bodies import shown
from chatlift.vocabulary import SOURCE_NAME, Direction, LeadOutcome
from chatlift.workflows.put_records import (
    MOST_MESSAGES,
    Change,
    ContactWords,
    LeadReport,
    LeadWords,
    MessagesReport,
    MessageWords,
)

EARLIEST, LATEST = datetime(1901, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MOST_ATTRIBUTES = 200


def _in_utc(instant: datetime) -> datetime:
    if not EARLIEST <= instant <= LATEST:
        raise ValueError("the instant lies before 1901 or after 2200")
    return instant.astimezone(UTC)


PRINTED = r"^[^\x00-\x1f\x7f]+$"
"""Neither empty nor with characters that no id has."""
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PRINTED)]
Words = Annotated[str, StringConstraints(max_length=500)]
Text = Annotated[str, StringConstraints(max_length=100_000)]
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,31}$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Attributes = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=PRINTED)],
        Text | bool | int | Number | None,
    ],
    Field(max_length=MOST_ATTRIBUTES, description="Further values by name; null: it has none."),
]
KnownAt = Annotated[
    Instant | None,
    Field(description="Since when the attributes are known; null: since now."),
]
RecordId = Annotated[
    str,
    Path(
        min_length=1, max_length=255, pattern=PRINTED, description="The id that your system uses."
    ),
]
SourceName = Annotated[
    str,
    Query(pattern=f"^{SOURCE_NAME.pattern}$", description="Names the system that tells."),
]


class ContactBody(Strict):
    """What is told of a contact; what is left out or null stays as it is."""

    model_config = asking(
        {"name": "Ana Soler", "phone": "+34600111222", "attributes": {"plan": "gold", "seats": 3}}
    )

    name: Words | None = None
    phone: Annotated[str, StringConstraints(max_length=100)] | None = None
    created_at: Instant | None = Field(
        default=None, description="Since when it is a contact; null: since now, if it is new."
    )
    churned_at: Instant | None = Field(
        default=None, description="When it cancelled; of two dates the earlier stands."
    )
    attributes: Attributes = Field(default_factory=dict)
    known_at: KnownAt = None

    def words(self) -> ContactWords:
        """Return what the workflow takes."""
        return ContactWords(**_fields(self))


class LeadBody(Strict):
    """What is told of a lead; what is left out or null stays as it is."""

    model_config = asking(
        {"contact_external_id": "c-1001", "created_at": NOON, "attributes": {"source": "ad"}}
    )

    contact_external_id: ExternalId = Field(description="A contact that was told before.")
    created_at: Instant | None = Field(
        default=None, description="Null: now, if it is new. It does not change afterwards."
    )
    outcome: LeadOutcome | None = None
    closed_at: Instant | None = Field(default=None, description="Only with won or lost.")
    attributes: Attributes = Field(default_factory=dict)
    known_at: KnownAt = None

    def words(self) -> LeadWords:
        """Return what the workflow takes."""
        return LeadWords(**_fields(self))


class OutcomeBody(Strict):
    """What became of a lead."""

    model_config = asking({"outcome": "won", "closed_at": NOON})

    outcome: LeadOutcome
    closed_at: Instant | None = Field(
        default=None,
        description="Null: nobody says; the outcome is known from now on, and training leaves the "
        "lead out, because at which age it was still open is unknown.",
    )


class MessageBody(Strict):
    """One message of a contact that was told before."""

    external_id: ExternalId
    contact_external_id: ExternalId
    conversation_external_id: ExternalId | None = None
    direction: Direction
    kind: Kind = "text"
    text: Text | None = None
    sent_at: Instant
    is_automatic: bool = Field(default=False, description="Written by a rule, not by a person.")


class MessagesBody(Strict):
    """Some messages."""

    model_config = asking(
        {
            "messages": [
                {
                    "external_id": "m-1",
                    "contact_external_id": "c-1001",
                    "direction": "in",
                    "text": "Is the blue one in stock?",
                    "sent_at": NOON,
                }
            ]
        }
    )

    messages: list[MessageBody] = Field(min_length=1, max_length=MOST_MESSAGES)

    def words(self) -> list[MessageWords]:
        """Return what the workflow takes."""
        return [MessageWords(**_fields(message)) for message in self.messages]


def _fields(body: BaseModel) -> dict[str, Any]:
    return {name: getattr(body, name) for name in type(body).model_fields}


class ChangeBody(BaseModel):
    """What telling a record did."""

    model_config = shown({"external_id": "c-1001", "source": "api", "result": "created"})

    external_id: str
    source: str
    result: Change


class LeadChangeBody(ChangeBody):
    """What telling a lead did, and how it stands now."""

    model_config = shown(
        {
            "external_id": "l-7",
            "source": "api",
            "result": "updated",
            "contact_external_id": "c-1001",
            "created_at": "2026-02-20T09:00:00Z",
            "outcome": "won",
            "closed_at": NOON,
        }
    )

    contact_external_id: str
    created_at: datetime
    outcome: LeadOutcome
    closed_at: datetime | None

    @classmethod
    def of(cls, external_id: str, source: str, report: LeadReport) -> Self:
        """Return what a lead's report says."""
        return cls(
            external_id=external_id,
            source=source,
            result=report.change,
            contact_external_id=report.lead.contact_external_id,
            created_at=report.lead.created_at,
            outcome=report.lead.outcome,
            closed_at=report.lead.closed_at,
        )


class RejectedMessage(BaseModel):
    """A message that cannot be used."""

    index: int = Field(description="Its place in what was sent, from 0.")
    column: str
    reason: str


class MessagesReportBody(CountsBody):
    """What became of the messages."""

    model_config = shown(
        {
            "read": 2,
            "accepted": 1,
            "updated": 0,
            "duplicate": 0,
            "rejected": 1,
            "rejections": [
                {
                    "index": 1,
                    "column": "contact_external_id",
                    "reason": "no contact of this source has this id; import the contacts first",
                }
            ],
        }
    )

    rejections: list[RejectedMessage]

    @classmethod
    def of_report(cls, report: MessagesReport) -> Self:
        """Return what the report says, without any value that was sent."""
        told = report.rejections.select("row_number", "column", "reason")
        return cls(
            **CountsBody.of(report.counts).model_dump(),
            rejections=[
                RejectedMessage(index=place, column=column, reason=reason)
                for place, column, reason in told.iter_rows()
            ],
        )
