"""Since when imported columns were known, told after their import."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from chatlift.service.asked_bodies import AskedBody, asking
from chatlift.service.problems import ProblemRoute
from chatlift.service.record_bodies import PRINTED
from chatlift.service.security import Operator
from chatlift.service.training_bodies import shown
from chatlift.vocabulary import FactSubject
from chatlift.workflows.known_since import KnownSinceReport, known_since_creation

router = APIRouter(route_class=ProblemRoute)
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PRINTED)]


class KnownSinceAsked(AskedBody):
    """Columns, and since when they were known."""

    model_config = asking({"since": "creation", "columns": ["Lead Source"], "subject": "lead"})

    since: Literal["creation"] = Field(description="Since their record's creation.")
    columns: list[ColumnName] = Field(
        min_length=1, max_length=2_000, description="As the files call them; `all`: every one."
    )
    subject: Literal["contact", "lead"] | None = Field(
        default=None, description="Only columns of contacts, or of leads; null: of both."
    )


class ChangedColumn(BaseModel):
    """What became of one column."""

    attribute: str = Field(description="As training calls it, such as `lead.Lead Source`.")
    changed: int = Field(description="Records whose value is known since their creation now.")


class KnownSinceBody(BaseModel):
    """What was changed."""

    model_config = shown(
        {"columns": [{"attribute": "lead.Lead Source", "changed": 1200}], "doubts": []}
    )

    columns: list[ChangedColumn]
    doubts: list[str] = Field(
        description="What the data says against a column; training will ask for a word on it."
    )

    @classmethod
    def of(cls, report: KnownSinceReport) -> Self:
        """Return what the report says."""
        return cls(
            columns=[
                ChangedColumn(attribute=column.attribute, changed=column.changed_count)
                for column in report.columns
            ],
            doubts=list(report.doubts),
        )


@router.post("/known-since", operation_id="known_since")
def known_since(caller: Operator, body: KnownSinceAsked) -> KnownSinceBody:
    """Say that imported columns were known since their record's creation; again changes nothing.

    Columns that the data contradicts, such as a reason that only closed leads have, are refused
    with 422, and nothing is changed.
    """
    subject = None if body.subject is None else FactSubject(body.subject)
    report = known_since_creation(caller.workspace, body.columns, subject=subject)
    return KnownSinceBody.of(report)
