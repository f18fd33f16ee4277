"""Predict: answers about entities as of an instant, by the version that served then.

Time is the data's, not the clock's: without `as_of` the answers hold for the last instant that
the account's sources have seen, and about a contact of a source that ended before, for its own
source's last instant. For an earlier instant the version that was champion then answers; where it
was not champion yet, or is named, the report says "in hindsight".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from chatlift.errors import InvalidInput, NotFound, NotReady
from chatlift.history import History
from chatlift.learn.scoring import Answer, AnswerState, Scorer, entities_by_end, unscorable
from chatlift.learn.specs.base import ModelSpec
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.specs.observing import ends_of_contacts, observed_through
from chatlift.registry.scores import Prediction
from chatlift.registry.serving import history_of, scorer_of
from chatlift.registry.versions import NoChampion, Serving
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName, Rung

NOTABLE = timedelta(days=1)
"""A source that ended at least so long before the rest is named."""


@dataclass(frozen=True, kw_only=True)
class PredictRequest:
    """What a person asked for."""

    model: ModelName
    external_ids: tuple[str, ...] = ()
    """Ids of the source, or the store's numbers; empty: everybody who can be scored."""
    top: int | None = None
    """Only this many, by score; None: all."""
    as_of: datetime | None = None
    version: str | None = None
    """A version's number; None: the champion of that instant."""


@dataclass(frozen=True, kw_only=True)
class PredictReport:
    """All answers, highest score first."""

    model: ModelName
    version_number: int
    as_of: datetime
    predictions: tuple[Prediction, ...]
    basis: Rung
    """What the version's scores are made of."""
    past_horizon: tuple[Prediction, ...] = ()
    """Leads that are open past their horizon, listed apart."""
    in_hindsight: bool = False
    """The version has seen outcomes that came after `as_of`."""
    is_stale: bool = False
    """The data ends more than a day before the present."""
    warnings: tuple[str, ...] = ()
    not_scored: Mapping[str, str] = field(default_factory=dict)
    """Asked-for ids without an answer, with the reason."""
    unknown_ids: tuple[str, ...] = ()
    """Of these, the ids that nobody has."""
    ended_before: Mapping[str, datetime] = field(default_factory=dict)
    """Sources that ended a day or more before `as_of`: their contacts are answered as of then."""

    @property
    def has_high(self) -> bool:
        """Whether any answer reaches the highest band."""
        high = SPECS[self.model].bands.high
        return any(prediction.answer.band == high for prediction in self.predictions)


def predict(workspace: Workspace, request: PredictRequest, *, now: datetime) -> PredictReport:
    """Answer for the requested entities.

    Raises
    ------
    NotReady
        If no version serves, or there is no data yet.
    NotFound
        If none of the named entities exists.
    """
    history = history_of(workspace)
    through = observed_through(history)
    if through is None:
        raise NotReady(
            "There is no data to predict on. Run `chatlift generate`, or import your own."
        )
    asked = _asked(request.as_of, now) or now
    as_of = min(asked, through)
    serving, in_hindsight = _serving(workspace, request, as_of, now)
    scorer = scorer_of(workspace, serving.artifact)
    ids = _entity_ids(history, scorer.spec, request.external_ids)
    wanted = frozenset(ids.values()) if request.external_ids else None
    ends = ends_of_contacts(history, as_of)
    answers = _answers(scorer, history, as_of, wanted)
    ranked = sorted(answers, key=lambda answer: (-answer.probability, answer.entity_id))
    predictions = _named(history, scorer.spec, ranked)
    scored = [p for p in predictions if p.answer.state is AnswerState.SCORED]
    past = [p for p in predictions if p.answer.state is AnswerState.PAST_HORIZON]
    return PredictReport(
        model=request.model,
        version_number=serving.version.number,
        as_of=as_of,
        predictions=tuple(scored[: request.top]),
        basis=serving.version.basis,
        past_horizon=tuple(past),
        in_hindsight=in_hindsight,
        is_stale=(asked - through).days >= 1,
        warnings=(serving.warning,) if serving.warning else (),
        not_scored=_without_answer(request.external_ids, predictions, scorer, ids),
        unknown_ids=tuple(name for name in request.external_ids if name not in ids),
        ended_before=_ended_before(ends, as_of),
    )


def _asked(as_of: datetime | None, now: datetime) -> datetime | None:
    if as_of is not None and as_of > now:
        raise InvalidInput(
            f"--as-of is {as_of:%Y-%m-%d %H:%M} UTC, which lies in the future. Name an instant "
            "that has passed, or leave it out."
        )
    return as_of


def _serving(
    workspace: Workspace, request: PredictRequest, as_of: datetime, now: datetime
) -> tuple[Serving, bool]:
    """Return who answers, and whether it knows more than was known then."""
    versions = workspace.versions
    if request.version is not None:
        named = versions.get(request.model, request.version)
        serving = Serving(version=named, artifact=versions.load(named), warning=None)
        return serving, named.created_at > as_of
    if request.as_of is None:
        return versions.load_serving(request.model, now=now), False
    try:
        then = versions.load_served_at(request.model, request.as_of, now=now)
    except NoChampion:
        return versions.load_serving(request.model, now=now), True
    return then, then.version.created_at > request.as_of


def _answers(
    scorer: Scorer, history: History, as_of: datetime, wanted: frozenset[int] | None
) -> list[Answer]:
    """Answer for each entity as of its own source's end; `wanted` None: for all."""
    asked = entities_by_end(scorer.spec, history, as_of)
    if wanted is not None:
        asked = asked.take(np.isin(asked.entity_ids, sorted(wanted)))
    return scorer.answers_of(history, asked)


def _ended_before(ends: pl.DataFrame, as_of: datetime) -> dict[str, datetime]:
    """Return the sources that ended notably earlier, with their ends."""
    early = ends.select("source", "end").unique().filter(pl.col("end") <= as_of - NOTABLE)
    return dict(early.sort("source").iter_rows())


def _entity_ids(history: History, spec: ModelSpec, asked: Sequence[str]) -> dict[str, int]:
    """Return asked-for ids by how they were spelled; unknown ones are absent.

    Raises
    ------
    NotFound
        If ids were named and none is known.
    """
    frame, column = _entities(history, spec)
    by_name = dict(frame.select("external_id", column).iter_rows())
    numbers = set(by_name.values())
    found = {
        name: by_name[name] if name in by_name else int(name)
        for name in asked
        if name in by_name or (name.isdecimal() and int(name) in numbers)
    }
    if asked and not found:
        raise NotFound(
            f"No {spec.entity} has the id {asked[0]!r}. List them with "
            f"`chatlift predict {spec.model} --all`."
        )
    return found


def _entities(history: History, spec: ModelSpec) -> tuple[pl.DataFrame, str]:
    if spec.model is ModelName.LEAD_SCORING:
        return history.leads, "lead_id"
    return history.contacts, "contact_id"


def _named(history: History, spec: ModelSpec, answers: Sequence[Answer]) -> tuple[Prediction, ...]:
    frame, column = _entities(history, spec)
    names = dict(frame.select(column, "external_id").iter_rows())
    return tuple(Prediction(external_id=names[a.entity_id], answer=a) for a in answers)


def _without_answer(
    asked: Sequence[str],
    predictions: Sequence[Prediction],
    scorer: Scorer,
    known: Mapping[str, int],
) -> dict[str, str]:
    answered = {prediction.answer.entity_id for prediction in predictions}
    return {
        name: unscorable(scorer.spec, scorer.spans)
        if name in known
        else f"no {scorer.spec.entity} has this id"
        for name in asked
        if known.get(name) not in answered
    }
