"""Answers about entities as of an instant: score, band, trend, reasons, recommendation.

Input: a fitted model, its spec, a history and an instant. Output: one `Answer` per entity that
can be scored. The very same snapshot code as in training serves here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.history import History
from chatlift.learn.arrays import (
    MICROSECOND,
    Rows,
    instant_of,
    microsecond_of,
    microseconds,
    places_of,
)
from chatlift.learn.best_time import NO_CLEAR_TIME, AccountCurve, DecidedSends, best_times
from chatlift.learn.estimators import Vector
from chatlift.learn.explain import Explainer, Reason
from chatlift.learn.features.declare import Feature
from chatlift.learn.features.timeline import Inbound
from chatlift.learn.fitting import FittedModel
from chatlift.learn.reason_evidence import evenly
from chatlift.learn.reason_reference import (
    FEWEST_ROWS,
    MOST_ENTITIES,
    instants_of_week,
    mean_contributions,
    slots_at,
)
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.base import Asked, ModelSpec, Outcome, Spans
from chatlift.learn.specs.observing import ends_of_contacts
from chatlift.vocabulary import ChurnRule, ModelName

TREND_SPAN = timedelta(days=7)
SPAN = TREND_SPAN // MICROSECOND
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
    features_fingerprint: str = ""
    """Hash of the numbers that the score was made of."""


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
        return self.snapshot_of(history, entities_at(self.spec, history, as_of))

    def snapshot_of(self, history: History, asked: Asked) -> Snapshot:
        """Return what is known of the asked entities just before their instants, read at once.

        An entity that cannot be scored at its instant has no row; rows are in the order of ids.
        Attributes are read as far as the version looks at them.
        """
        return self._snapshot(history, self.spec.scoring_examples(history, self.spans, asked))

    def _snapshot(self, history: History, examples: pl.DataFrame) -> Snapshot:
        """Return what the version may know of each example, in their order."""
        return take_snapshot(
            history,
            self.spec.looked_at(examples, self.spans),
            self.features,
            key=self.key,
            attributes=self.model.encoder.names,
        )

    def answers(
        self, history: History, as_of: datetime, *, entity_ids: Sequence[int] | None = None
    ) -> list[Answer]:
        """Answer for the named entities, or for all, in the order of their ids.

        An id that is unknown or cannot be scored at `as_of` has no answer.
        """
        asked = (
            entities_at(self.spec, history, as_of)
            if entity_ids is None
            else Asked.at(entity_ids, as_of)
        )
        return self.answers_of(history, asked)

    def answers_of(
        self, history: History, asked: Asked, *, curve: AccountCurve | None = None
    ) -> list[Answer]:
        """Answer as `answers`, for each of the asked entities as of its own instant.

        Parameters
        ----------
        curve
            How the account's contacts answer by part of the day; None: derived from `history`,
            which then has to hold the whole account.
        """
        told = self._told(history, asked)
        if told is None:
            return []
        answers = [self._answer(told, row) for row in range(len(told.keys))]
        if self.spec.model is ModelName.ENGAGEMENT:
            return _with_best_times(answers, self.sends(history), curve)
        return answers

    def sends(self, history: History) -> DecidedSends:
        """Return the decided sends of a history, by the spans of the version."""
        return DecidedSends.of(self.spec.examples(history, self.spans), history.time_zone)

    def with_reference(self, history: History, as_of: datetime, newest: Snapshot) -> FittedModel:
        """Return the model with the means that its reasons are told against.

        Parameters
        ----------
        newest
            Stands in where fewer than ten entities can be scored: training's newest examples.
        """
        evidence = self.model.evidence
        if evidence is None:
            return self.model
        is_weekly = any(feature.is_of_instant for feature in self.features)
        snapshot = self.snapshot_of(history, self._typical(history, as_of, is_weekly=is_weekly))
        if len(snapshot) < FEWEST_ROWS:
            snapshot = newest
        slots = slots_at(microseconds(snapshot.examples["cutoff"]), history.time_zone)
        means = mean_contributions(
            self.model, self.model.design(snapshot), slots if is_weekly else None
        )
        return replace(self.model, kept_evidence=evidence.with_reference(means))

    def _typical(self, history: History, as_of: datetime, *, is_weekly: bool) -> Asked:
        """Return entities that can be scored, evenly spread, at each part of the last week."""
        examples = self.spec.scoring_examples(
            history, self.spans, entities_at(self.spec, history, as_of)
        ).filter(pl.col("horizon_ends_at") > pl.col("cutoff"))
        chosen = evenly(examples["entity_id"].to_numpy(), MOST_ENTITIES)
        instants = instants_of_week(as_of) if is_weekly else [as_of]
        return Asked(
            entity_ids=np.repeat(chosen, len(instants)),
            cutoffs=np.tile([microsecond_of(instant) for instant in instants], len(chosen)),
        )

    @cached_property
    def explainer(self) -> Explainer:
        """Tells why the version scores as it does."""
        outcome = outcome_of(self.spec, self.spans)
        return Explainer.of(self.model, self.features, outcome, self.spec.model)

    def _told(self, history: History, asked: Asked) -> _Told | None:
        """Return all that the answers are made of, from one snapshot; None: nobody is scored.

        The snapshot holds each entity now and, for the trend, a span before; what is known
        before an instant does not depend on what was read beside it.
        """
        examples = self.spec.scoring_examples(history, self.spans, asked.with_before(TREND_SPAN))
        snapshot = self._snapshot(history, examples)
        cutoffs = microseconds(examples["cutoff"])
        keys = list(zip(snapshot.entities.tolist(), cutoffs.tolist(), strict=True))
        row_of = {key: row for row, key in enumerate(keys)}
        pairs = zip(asked.entity_ids.tolist(), asked.cutoffs.tolist(), strict=True)
        rows = sorted({row_of[pair] for pair in pairs if pair in row_of})
        if not rows:
            return None
        design = self.model.design(snapshot)
        probabilities = self.model.probabilities_of(design)
        earlier = [row_of.get((keys[row][0], keys[row][1] - SPAN)) for row in rows]
        scores, contact_ids = shown_scores(probabilities), snapshot.contacts[rows]
        horizon_ends = microseconds(snapshot.examples["horizon_ends_at"])
        received = _received_lately(history, contact_ids, cutoffs[rows])
        return _Told(
            keys=[keys[row] for row in rows],
            contact_ids=contact_ids,
            fingerprints=[fingerprint_of(line) for line in design[rows]],
            probabilities=probabilities[rows].tolist(),
            scores=scores[rows].tolist(),
            trends=[
                _trend(float(scores[row]), None if before is None else float(scores[before]), count)
                for row, before, count in zip(rows, earlier, received, strict=True)
            ],
            reasons=self.explainer.reasons(
                snapshot, design, rows, slots_at(cutoffs[rows], history.time_zone)
            ),
            is_past=(horizon_ends <= cutoffs)[rows],
        )

    def _answer(self, told: _Told, row: int) -> Answer:
        score = told.scores[row]
        band = self.spec.bands.of(score)
        return Answer(
            entity_id=told.keys[row][0],
            contact_id=int(told.contact_ids[row]),
            state=AnswerState.PAST_HORIZON if told.is_past[row] else AnswerState.SCORED,
            probability=told.probabilities[row],
            score=score,
            band=band,
            recommendation=self.spec.recommendations[band],
            trend=told.trends[row],
            reasons=told.reasons[row],
            as_of=instant_of(told.keys[row][1]),
            features_fingerprint=told.fingerprints[row],
        )


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What a version says of each answered entity; one entry per answer."""

    keys: list[tuple[int, int]]
    """Entity, and the instant it is spoken of as of, in microseconds."""
    contact_ids: Rows
    fingerprints: list[str]
    probabilities: list[float]
    scores: list[float]
    trends: list[Trend]
    reasons: list[tuple[Reason, ...]]
    is_past: NDArray[np.bool_]


def entities_at(spec: ModelSpec, history: History, as_of: datetime) -> Asked:
    """Return all entities of a model, to be asked for as of one instant."""
    if spec.model is ModelName.LEAD_SCORING:
        return Asked.at(history.leads["lead_id"], as_of)
    return Asked.at(history.contacts["contact_id"], as_of)


def entities_by_end(spec: ModelSpec, history: History, as_of: datetime) -> Asked:
    """Return all entities, each as of `as_of` or the end of its contact's source before."""
    asked = entities_at(spec, history, as_of)
    contact_ids = asked.entity_ids
    if spec.model is ModelName.LEAD_SCORING:
        contact_ids = history.leads["contact_id"].to_numpy()
    ends = ends_of_contacts(history, as_of)
    places = places_of(contact_ids, ends["contact_id"])
    placed = asked.take(places >= 0)
    return replace(placed, cutoffs=microseconds(ends["end"])[places[places >= 0]])


def unscorable(spec: ModelSpec, spans: Spans) -> str:
    """Say why an entity that exists has no score."""
    if spec.model is ModelName.LEAD_SCORING:
        return "it is closed, or was not created yet"
    if spec.model is ModelName.ENGAGEMENT:
        return "it has opted out, or was not created yet"
    if spans.churn_rule is ChurnRule.CONTRACT:
        return "it has churned already, or was not created yet"
    return f"it has not written in the last {spans.active_days:g} days"


def outcome_of(spec: ModelSpec, spans: Spans) -> Outcome:
    """Return how what a version predicts is told, by the rule of churn that it was trained by."""
    if spec.model is ModelName.CHURN and spans.churn_rule is ChurnRule.CONTRACT:
        return Outcome(happened="left", did_not_happen="stayed")
    return spec.outcome


def fingerprint_of(features: Vector) -> str:
    """Return what tells apart the inputs of two answers: a hash of one row of the design."""
    return hashlib.blake2b(features.tobytes(), digest_size=16).hexdigest()


def shown_scores(probabilities: Vector) -> Vector:
    """Return 100 x probability, clamped to 1-99, one decimal.

    Examples
    --------
    >>> shown_scores(np.array([0.0001, 0.5, 0.9999])).tolist()
    [1.0, 50.0, 99.0]
    """
    return np.asarray(np.round(np.clip(100 * probabilities, LOWEST_SHOWN, HIGHEST_SHOWN), 1))


def _with_best_times(
    answers: list[Answer], sends: DecidedSends, curve: AccountCurve | None
) -> list[Answer]:
    """Add to engagement answers when the contact answered more often."""
    contact_ids = np.array([answer.contact_id for answer in answers])
    ends = np.array([microsecond_of(answer.as_of) for answer in answers])
    found = best_times(sends, curve or AccountCurve(sends), contact_ids, ends)
    return [
        replace(answer, best_time=time.words if time else NO_CLEAR_TIME)
        for answer, time in zip(answers, found, strict=True)
    ]


def _received_lately(history: History, contact_ids: Rows, cutoffs: Rows) -> list[int]:
    """Return how often each contact wrote in the span of a trend before its cutoff."""
    inbound = Inbound(history)
    before = inbound.first_from(contact_ids, cutoffs - SPAN)
    received: list[int] = (inbound.first_from(contact_ids, cutoffs) - before).tolist()
    return received


def _trend(score: float, before: float | None, received: int) -> Trend:
    if before is None or received < FEWEST_MESSAGES_FOR_TREND:
        return Trend.NOT_ENOUGH_INFO
    if score - before >= TREND_POINTS:
        return Trend.IMPROVING
    return Trend.DECLINING if before - score >= TREND_POINTS else Trend.STEADY
