"""What the prediction API takes and answers, each body with an example."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from chatlift.learn.explain import Reason
from chatlift.learn.scoring import Answer
from chatlift.service.asked_bodies import AskedBody, asking
from chatlift.service.training_bodies import NOON, shown
from chatlift.service.version_bodies import OF_BASIS
from chatlift.vocabulary import Rung
from chatlift.workflows.answer import MOST_IDS

PREDICTION = {
    "id": 131,
    "external_id": "lead-131",
    "state": "scored",
    "score": 95.1,
    "probability": 0.951,
    "interval": None,
    "band": "hot",
    "trend": "improving",
    "reasons": [
        {
            "words": "answers within 6 minutes; most take 3 hours",
            "raises": True,
            "share": 0.41,
            "message_id": None,
            "message_text": None,
        }
    ],
    "recommendation": "High priority - contact immediately",
    "best_time": None,
    "model_version": 3,
    "basis": "blend",
    "as_of": NOON,
}


LONGEST_ID = 200
Texts = Mapping[int, str]
"""Texts of messages by their number."""


class ReasonBody(BaseModel):
    """One thing that moved a score, in words that a seller can check."""

    words: str = Field(description="A fact and what is usual, or a rate and that of all.")
    raises: bool = Field(description="Whether it raises the score.")
    share: float = Field(ge=0, le=1, description="Of all that moved it.")
    message_id: int | None = Field(description="The message that moved the text score most.")
    message_text: str | None = Field(
        description="What it says; null for callers who may not read messages."
    )

    @classmethod
    def of(cls, reason: Reason, texts: Texts) -> ReasonBody:
        """Return a reason as it is shown."""
        return cls(
            words=reason.words,
            raises=reason.raises,
            share=round(reason.share, 4),
            message_id=reason.message_id,
            message_text=None if reason.message_id is None else texts.get(reason.message_id),
        )


class PredictionBody(BaseModel):
    """What a version says of one entity."""

    model_config = shown(PREDICTION)

    id: int = Field(description="The store's number.")
    external_id: str = Field(description="The id of its source.")
    state: str = Field(description="scored, or past_horizon: open for longer than it is scored.")
    score: float = Field(ge=0, le=100, description="100 x probability, shown from 1 to 99.")
    probability: float = Field(ge=0, le=1)
    interval: tuple[float, float] | None = Field(
        description="Null until its coverage has been measured."
    )
    band: str
    trend: str = Field(description="improving, steady, declining or not_enough_info.")
    reasons: list[ReasonBody] = Field(
        description="Up to three each way, the strongest first; none: no single thing stands out."
    )
    recommendation: str
    best_time: str | None = Field(description="engagement: when the contact answered more often.")
    model_version: int
    basis: Rung = Field(description=OF_BASIS)
    as_of: datetime

    @classmethod
    def of(
        cls, external_id: str, answer: Answer, version: int, basis: Rung, texts: Texts
    ) -> PredictionBody:
        """Return an answer as it is shown.

        Parameters
        ----------
        version, basis
            Who answers, and what its scores are made of.
        texts
            The messages that the caller may read, by number.
        """
        return cls(
            id=answer.entity_id,
            external_id=external_id,
            state=answer.state,
            score=answer.score,
            probability=answer.probability,
            interval=answer.interval,
            band=answer.band,
            trend=answer.trend,
            reasons=[ReasonBody.of(reason, texts) for reason in answer.reasons],
            recommendation=answer.recommendation,
            best_time=answer.best_time,
            model_version=version,
            basis=basis,
            as_of=answer.as_of,
        )


class NotesBody(BaseModel):
    """What one should know of answers before one acts on them."""

    model: str
    model_version: int
    basis: Rung = Field(description=OF_BASIS)
    as_of: datetime = Field(description="The last instant that is known.")
    is_stale: bool = Field(description="The data ends more than a day before now.")
    in_hindsight: bool = Field(description="The version has seen outcomes that came after as_of.")
    warnings: list[str]


NOTES = {
    "model": "lead_scoring",
    "model_version": 3,
    "basis": "blend",
    "as_of": NOON,
    "is_stale": False,
    "in_hindsight": False,
    "warnings": [],
}


class PredictionsBody(NotesBody):
    """Entities by score, the highest first."""

    model_config = shown(
        {
            **NOTES,
            "total": 1,
            "past_horizon_count": 0,
            "reaches_highest_band": True,
            "records_have_changed": False,
            "predictions": [PREDICTION],
            "next_cursor": None,
        }
    )

    total: int = Field(description="How many meet the filters.")
    past_horizon_count: int = Field(description="Open past their horizon, and not in the list.")
    reaches_highest_band: bool = Field(description="Whether any is hot, or at high risk.")
    records_have_changed: bool = Field(
        description="Records came in since everybody was scored; the next scoring will know them."
    )
    predictions: list[PredictionBody]
    next_cursor: str | None = Field(description="Null: there are no more.")


class SinglePredictionBody(PredictionBody):
    """What a version says of one entity, scored now."""

    model_config = shown({**PREDICTION, "is_stale": False, "in_hindsight": False, "warnings": []})

    is_stale: bool
    in_hindsight: bool
    warnings: list[str]


class IdsBody(AskedBody):
    """Whom to speak of."""

    model_config = asking({"ids": ["lead-131"]}, strict=True)

    ids: list[Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID)]] = Field(
        min_length=1, max_length=MOST_IDS, description="Ids of the source, or the store's numbers."
    )


class NotScored(BaseModel):
    """An id without an answer."""

    id: str
    reason: str


class BatchAnswerBody(NotesBody):
    """Answers in the order asked, and the ids that have none."""

    model_config = shown({**NOTES, "predictions": [PREDICTION], "not_scored": []})

    predictions: list[PredictionBody]
    not_scored: list[NotScored]


class BestTimeRow(BaseModel):
    """When one contact answered more often."""

    id: int
    external_id: str
    best_time: str


class BestTimesBody(NotesBody):
    """When to write to whom, as far as it can be told."""

    model_config = shown(
        {
            **NOTES,
            "model": "engagement",
            "best_times": [{"id": 7, "external_id": "ana", "best_time": "no clear best time"}],
            "not_scored": [],
        }
    )

    best_times: list[BestTimeRow]
    not_scored: list[NotScored]
