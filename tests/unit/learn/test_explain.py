"""Reasons: exact sums, words that fit the value, and the very message that moved the text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.businesses import QUICK
from tests.histories import at, business

from chatlift import history as crm
from chatlift.history import History
from chatlift.learn.arrays import microseconds
from chatlift.learn.calibration import Calibrator
from chatlift.learn.estimators import FittedLogistic
from chatlift.learn.explain import MOST_REASONS, Explainer, Reason
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import FittedModel, Recipe, fit
from chatlift.learn.ladder import Member, WeightedSum
from chatlift.learn.reason_evidence import ColumnEvidence, ReasonEvidence
from chatlift.learn.reason_groups import TEXT_GROUP, groups_of
from chatlift.learn.reason_reference import SLOTS, slots_at
from chatlift.learn.scoring import Scorer
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.base import ModelSpec
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import ModelName

KEY = b"k"
DAYS = 95


@pytest.fixture(scope="module")
def told() -> History:
    return business(7, contacts=60, days=DAYS)


def fitted(told: History, name: ModelName) -> tuple[ModelSpec, FittedModel, Snapshot]:
    spec = SPECS[name]
    found = spec.examples(told, spec.spans).filter(pl.col("label").is_not_null())
    features = catalogue(name)
    snapshot = take_snapshot(told, found, features, key=KEY)
    recipe = Recipe(
        estimator=spec.estimator,
        parameters=spec.parameters(QUICK[name]),
        seed=0,
        features=tuple(feature.name for feature in features),
    )
    return spec, fit(snapshot, recipe), snapshot


@pytest.fixture(scope="module", params=list(ModelName))
def model(told: History, request: pytest.FixtureRequest) -> tuple[ModelSpec, FittedModel, Snapshot]:
    return fitted(told, request.param)


@pytest.fixture(scope="module")
def leads(told: History) -> tuple[ModelSpec, FittedModel, Snapshot]:
    return fitted(told, ModelName.LEAD_SCORING)


def reasons(one: FittedModel, spec: ModelSpec, snapshot: Snapshot) -> list[tuple[Reason, ...]]:
    explainer = Explainer.of(one, catalogue(spec.model), spec.outcome, spec.model)
    return explainer.reasons(snapshot, one.design(snapshot), range(len(snapshot)))


def test_contributions_add_up_to_the_margin(
    model: tuple[ModelSpec, FittedModel, Snapshot],
) -> None:
    _, one, snapshot = model
    matrix = one.design(snapshot)
    whole = one.estimator.contributions(matrix).sum(axis=1)
    assert np.allclose(whole, one.estimator.margins(matrix), atol=2e-3)


def test_reasons_are_few_sorted_and_worth_the_time(
    model: tuple[ModelSpec, FittedModel, Snapshot],
) -> None:
    spec, one, snapshot = model
    told = reasons(one, spec, snapshot.take(np.arange(40)))
    assert len(told) == 40
    assert any(told)
    for found in told:
        directions = [reason.raises for reason in found]
        assert directions == sorted(directions, reverse=True)
        for raises in (True, False):
            shares = [reason.share for reason in found if reason.raises is raises]
            assert shares == sorted(shares, reverse=True)
            assert len(shares) <= MOST_REASONS
            assert all(0 < share <= 1 for share in shares)
        for part in ("group", "words"):
            parts = [getattr(reason, part) for reason in found]
            assert len(parts) == len(set(parts))
        assert not [r for r in found if "because" in r.words.lower()]


def single(one: FittedModel, column: str, weight: float) -> FittedModel:
    """The same model with one coefficient only, so that its reasons can be told by head."""
    count = len(one.columns)
    weights = np.zeros(2 * count)
    weights[one.columns.index(column)] = weight
    linear = FittedLogistic.of_lines(np.zeros(count), np.ones(count), weights, 0.0)
    alone = WeightedSum({Member.PRESCRIBED: linear}, {Member.PRESCRIBED: 1.0})
    return replace(one, estimator=alone, calibrator=Calibrator(), kept_evidence=None, inner=None)


def shown(one: FittedModel, direction: int, **changes: Any) -> FittedModel:
    """The same model with evidence that all groups matter and all columns go one way."""
    evidence = ReasonEvidence(
        base_rate=0.3,
        stable_groups=frozenset(groups_of(one.columns)),
        columns={name: ColumnEvidence(direction=direction) for name in one.columns},
    )
    return replace(one, kept_evidence=replace(evidence, **changes))


NAME = "messages_received_count_7d"


@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_a_reason_is_the_fact_beside_what_is_usual(
    leads: tuple[ModelSpec, FittedModel, Snapshot], weight: float
) -> None:
    spec, one, snapshot = leads
    alone = shown(single(one, NAME, weight), int(weight))
    usual = float(alone.medians[alone.columns.index(NAME)])
    values = snapshot.features.get_column(NAME).to_list()
    lists = list(zip(values, reasons(alone, spec, snapshot), strict=True))
    assert {value > usual for value in values if value} == {True, False}
    for value, found in lists:
        if not value or value <= usual:
            # Nothing is taken away from the mean here, so every count moves the weight's way,
            # and few messages do not speak for what many messages went with.
            assert found == ()
            continue
        (reason,) = found
        noun = "message" if value == 1 else "messages"
        assert reason.words == (
            f"wrote {value:.0f} {noun} in the last 7 days; most wrote {usual:.0f}"
        )
        assert (reason.group, reason.feature, reason.share) == ("volume", NAME, 1.0)
        assert reason.raises is (weight > 0)
        assert reason.message_id is None


def test_a_sentence_never_speaks_against_what_training_showed(
    leads: tuple[ModelSpec, FittedModel, Snapshot],
) -> None:
    """The model raises many messages; over all training rows they went with no sale."""
    spec, one, snapshot = leads
    contrary = shown(single(one, NAME, 1.0), -1)
    usual = float(contrary.medians[contrary.columns.index(NAME)])
    many = np.flatnonzero(snapshot.features.get_column(NAME).to_numpy() > usual)
    assert len(many)
    assert not any(reasons(contrary, spec, snapshot.take(many)))


def test_a_group_that_training_did_not_find_to_matter_is_not_told(
    leads: tuple[ModelSpec, FittedModel, Snapshot],
) -> None:
    spec, one, snapshot = leads
    alone = single(one, NAME, 1.0)
    assert any(reasons(shown(alone, 1), spec, snapshot))
    assert not any(reasons(shown(alone, 1, stable_groups=frozenset({"answering"})), spec, snapshot))


def test_what_is_the_same_for_everybody_is_no_reason(
    leads: tuple[ModelSpec, FittedModel, Snapshot],
) -> None:
    """Against a mean of 0.4 log-odds only three messages (0.6) raise by 0.1 or more."""
    spec, one, snapshot = leads
    alone = shown(single(one, NAME, 0.2), 1)
    values = snapshot.features.get_column(NAME).to_numpy()
    means = tuple(0.4 if name == NAME else 0.0 for name in alone.columns)
    assert alone.evidence is not None
    against = replace(alone, kept_evidence=replace(alone.evidence, reference=(means,)))
    for value, found in zip(values, reasons(against, spec, snapshot), strict=True):
        assert any(reason.raises for reason in found) is bool(value >= 3)
    assert {2.0, 3.0} <= set(values.tolist())


def test_a_version_without_evidence_tells_only_what_is_known_beforehand(
    leads: tuple[ModelSpec, FittedModel, Snapshot],
) -> None:
    spec, one, snapshot = leads
    assert not any(reasons(single(one, NAME, 1.0), spec, snapshot))
    text = reasons(single(one, "text_score_mean_30d", 1.0), spec, snapshot)
    assert {reason.group for found in text for reason in found} == {TEXT_GROUP}


def test_the_message_named_is_the_one_that_moved_the_text(
    told: History, leads: tuple[ModelSpec, FittedModel, Snapshot]
) -> None:
    """One contact says one keen thing among idle ones; another one cool thing."""
    spec, one, _ = leads
    told_by = {901: "I want to buy it", 902: "too expensive for us"}
    people = [[c, f"c{c}", "story", at(0), None] for c in told_by]
    said = [
        [c * 10 + i, c, None, "in", "text", text, at(90 + i / 10), False]
        for c, keen in told_by.items()
        for i, text in enumerate(("ok", keen, "ok"))
    ]
    asked = [[c, f"l{c}", c, at(89), "open", None, None] for c in told_by]
    small = replace(
        told,
        contacts=pl.DataFrame(people, schema=crm.CONTACTS, orient="row"),
        messages=pl.DataFrame(said, schema=crm.MESSAGES, orient="row"),
        leads=pl.DataFrame(asked, schema=crm.LEADS, orient="row"),
    )
    column = next(name for name in one.columns if name.startswith("text_score_mean"))
    scorer = Scorer(
        model=single(one, column, 1.0),
        spec=spec,
        spans=spec.spans,
        features=catalogue(spec.model),
        key=KEY,
    )
    keen, cool = scorer.answers(small, at(DAYS))
    for answer, message_id, raises in ((keen, 9011, True), (cool, 9021, False)):
        (reason,) = answer.reasons
        assert (reason.group, reason.raises) == (TEXT_GROUP, raises)
        assert reason.message_id == message_id
        assert reason.words == f"writes like those who {'bought' if raises else 'did not buy'}"
    assert keen.probability > cool.probability


def test_engagement_is_told_against_those_of_the_same_part_of_the_week(told: History) -> None:
    """At night few habits speak for anybody: against the mean of a day all would be low."""
    spec, one, snapshot = fitted(told, ModelName.ENGAGEMENT)
    features = catalogue(spec.model)
    scorer = Scorer(model=one, spec=spec, spans=spec.spans, features=features, key=KEY)
    model = scorer.with_reference(told, at(DAYS), snapshot)
    assert model.evidence is not None
    assert len(model.evidence.reference) == SLOTS
    now = scorer.snapshot(told, at(DAYS))
    slots = slots_at(microseconds(now.examples["cutoff"]), told.time_zone)
    assert len(now) > 10
    mean = model.contributions(model.design(now)).mean(axis=0)
    assert np.allclose(mean, model.evidence.reference[slots[0]], atol=1e-4)
    noon = model.evidence.reference[(slots[0] + 2) % SLOTS]
    assert not np.allclose(mean, noon, atol=0.01)
