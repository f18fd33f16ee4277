"""Answers about entities as of an instant: score, band, trend, reasons, recommendation.

Input: a fitted model, its spec, a history and an instant. Output: one `Answer` per entity that
can be scored. The very same snapshot code as in training serves here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import polars as pl

from chatlift.history import History
from chatlift.learn.best_time import NO_CLEAR_TIME, best_times
from chatlift.learn.estimators import Vector
from chatlift.learn.explain import Reason, explain
from chatlift.learn.features.declare import Feature
from chatlift.learn.fitting import FittedModel
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.base import ModelSpec, Spans
from chatlift.learn.specs.observing import ends_of_contacts
from chatlift.vocabulary import Direction, ModelName

ByEnd = Mapping[datetime, Sequence[int] | None]
"""Entities by the instant they are scored as of; None: all that can be."""

TREND_SPAN = timedelta(days=7)
TREND_POINTS = 10.0
FEWEST_MESSAGES_FOR_TREND = 2
LOWEST_SHOWN, HIGHEST_SHOWN = 1.0, 99.0


class Trend(StrEnum):
    """Where a score is going: the same version now against seven days ago."""

    IMPROVING = "improving"
    STEADY = "steady"
    DECLINING = "declining"
    NOT_ENOUGH_INFO = "not_enough_info"


class AnswerState(StrEnum):
    """Whether an entity can be scored."""

    SCORED = "scored"
    PAST_HORIZON = "past_horizon"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model says about one entity at an instant."""

    entity_id: int
    contact_id: int
    state: AnswerState
    probability: float
    """Calibrated, 0 to 1; the raw value behind the shown score."""
    score: float
    """100 x probability, shown clamped to 1-99, one decimal."""
    band: str
    recommendation: str
    trend: Trend
    reasons: tuple[Reason, ...]
    as_of: datetime
    interval: tuple[float, float] | None = None
    """Of the score; None until its coverage has been measured."""
    best_time: str | None = None
    """engagement: in which part of the day the contact answered more often, if any stands out."""


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Everything needed to answer about an account's entities with one version."""

    model: FittedModel
    spec: ModelSpec
    spans: Spans
    features: tuple[Feature, ...]
    key: bytes
    """The account's key for hashing words."""

    def snapshot(self, history: History, as_of: datetime) -> Snapshot:
        """Return what is known just before `as_of` of every entity that can be scored."""
        return self.snapshot_by_end(history, {as_of: None})

    def snapshot_by_end(self, history: History, by_end: ByEnd) -> Snapshot:
        """Return what is known of the named entities just before their instants, read at once.

        An entity that cannot be scored at its instant has no row; rows are in the order of ids.
        """
        examples = pl.concat(
            _only(self.spec.scoring_examples(history, self.spans, end), entities)
            for end, entities in by_end.items()
        )
        return take_snapshot(
            history, examples.sort("entity_id", "cutoff"), self.features, key=self.key
        )

    def answers(
        self, history: History, as_of: datetime, *, entity_ids: Sequence[int] | None = None
    ) -> list[Answer]:
        """Answer for the named entities, or for all, in the order of their ids.

        An id that is unknown or cannot be scored at `as_of` has no answer.
        """
        return self.answers_by_end(history, {as_of: entity_ids})

    def answers_by_end(self, history: History, by_end: ByEnd) -> list[Answer]:
        """Answer as `answers`, for each of the named entities as of its own instant."""
        if not by_end:
            return []
        now = self.snapshot_by_end(history, by_end)
        if not len(now):
            return []
        scores = shown_scores(self.model.probabilities(now))
        trends = self._trends(history, now, scores)
        told = explain(self.model, now, self.features)
        probabilities = self.model.probabilities(now)
        is_past = self._is_past_horizon(now)
        answers = [
            self._answer(
                now, row, float(probabilities[row]), trends[row], told[row], bool(is_past[row])
            )
            for row in range(len(now))
        ]
        return self._with_best_times(answers, history)

    def _with_best_times(self, answers: list[Answer], history: History) -> list[Answer]:
        """Add to engagement answers when the contact answered more often."""
        if self.spec.model is not ModelName.ENGAGEMENT:
            return answers
        sends = self.spec.examples(history, self.spans)
        times = {
            end: best_times(sends.filter(pl.col("horizon_ends_at") < end), history.time_zone)
            for end in {answer.as_of for answer in answers}
        }
        found = [times[answer.as_of].get(answer.contact_id) for answer in answers]
        return [
            replace(answer, best_time=time.words if time else NO_CLEAR_TIME)
            for answer, time in zip(answers, found, strict=True)
        ]

    def _answer(
        self,
        now: Snapshot,
        row: int,
        probability: float,
        trend: Trend,
        reasons: tuple[Reason, ...],
        is_past: bool,
    ) -> Answer:
        score = float(shown_scores(np.array([probability]))[0])
        band = self.spec.bands.of(score)
        return Answer(
            entity_id=int(now.entities[row]),
            contact_id=int(now.contacts[row]),
            state=AnswerState.PAST_HORIZON if is_past else AnswerState.SCORED,
            probability=probability,
            score=score,
            band=band,
            recommendation=self.spec.recommendations[band],
            trend=trend,
            reasons=reasons,
            as_of=now.examples.get_column("cutoff")[row],
        )

    def _is_past_horizon(self, now: Snapshot) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        ended = now.examples.select(pl.col("horizon_ends_at") <= pl.col("cutoff"))
        return ended.to_series().to_numpy()

    def _trends(self, history: History, now: Snapshot, scores: Vector) -> list[Trend]:
        cutoffs = now.examples.group_by("cutoff").agg("entity_id")
        before = self.snapshot_by_end(
            history, {end - TREND_SPAN: entities for end, entities in cutoffs.iter_rows()}
        )
        then = dict(
            zip(
                before.entities.tolist(),
                shown_scores(self.model.probabilities(before)).tolist() if len(before) else [],
                strict=True,
            )
        )
        wrote = _received_lately(history, now.examples)
        return [
            _trend(score, then.get(entity), wrote.get(contact, 0))
            for score, entity, contact in zip(
                scores.tolist(), now.entities.tolist(), now.contacts.tolist(), strict=True
            )
        ]


def entities_by_end(
    spec: ModelSpec, history: History, as_of: datetime
) -> dict[datetime, list[int]]:
    """Return all entities by the instant to answer as of: `as_of`, or their source's end before."""
    is_lead = spec.model is ModelName.LEAD_SCORING
    entities = history.leads if is_lead else history.contacts
    placed = entities.select("contact_id", entity_id="lead_id" if is_lead else "contact_id").join(
        ends_of_contacts(history, as_of), on="contact_id"
    )
    return dict(placed.group_by("end", maintain_order=True).agg("entity_id").iter_rows())


def shown_scores(probabilities: Vector) -> Vector:
    """Return 100 x probability, clamped to 1-99, one decimal.

    Examples
    --------
    >>> shown_scores(np.array([0.0001, 0.5, 0.9999])).tolist()
    [1.0, 50.0, 99.0]
    """
    return np.asarray(np.round(np.clip(100 * probabilities, LOWEST_SHOWN, HIGHEST_SHOWN), 1))


def _only(examples: pl.DataFrame, entities: Sequence[int] | None) -> pl.DataFrame:
    return examples if entities is None else examples.filter(pl.col("entity_id").is_in(entities))


def _received_lately(history: History, examples: pl.DataFrame) -> dict[int, int]:
    """Return how often each contact wrote in the span of a trend before its cutoff."""
    ends = examples.select("contact_id", "cutoff").unique()
    counted = (
        history.messages.filter(pl.col("direction") == Direction.INBOUND)
        .join(ends, on="contact_id")
        .filter(
            pl.col("sent_at") >= pl.col("cutoff") - TREND_SPAN,
            pl.col("sent_at") < pl.col("cutoff"),
        )
        .group_by("contact_id")
        .len()
    )
    return dict(counted.iter_rows())


def _trend(score: float, before: float | None, received: int) -> Trend:
    if before is None or received < FEWEST_MESSAGES_FOR_TREND:
        return Trend.NOT_ENOUGH_INFO
    if score - before >= TREND_POINTS:
        return Trend.IMPROVING
    return Trend.DECLINING if before - score >= TREND_POINTS else Trend.STEADY
