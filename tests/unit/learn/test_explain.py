"""Reasons: exact sums, words that fit the value, and the very message that moved the text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.businesses import QUICK
from tests.histories import at, business

from chatlift import history as crm
from chatlift.history import History
from chatlift.learn.estimators import FittedLogistic
from chatlift.learn.explain import (
    LEAST_SHARE,
    MOST_REASONS,
    TEXT_GROUP,
    TEXT_WORDS,
    Explainer,
    Reason,
)
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import FittedModel, Recipe, fit
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
    explainer = Explainer.of(one, catalogue(spec.model))
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
            assert all(LEAST_SHARE <= share <= 1 for share in shares)
        groups = [reason.group for reason in found]
        assert len(groups) == len(set(groups))
        assert not [r for r in found if "because" in r.words.lower()]


def single(one: FittedModel, column: str, weight: float) -> FittedModel:
    """The same model with one coefficient only, so that its reasons can be told by head."""
    count = len(one.columns)
    weights = np.zeros(2 * count)
    weights[one.columns.index(column)] = weight
    linear = FittedLogistic(np.zeros(count), np.ones(count), weights, 0.0)
    return replace(one, estimator=linear)


@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_words_follow_the_value_and_the_direction_follows_the_weight(
    leads: tuple[ModelSpec, FittedModel, Snapshot], weight: float
) -> None:
    spec, one, snapshot = leads
    name = "messages_received_count_7d"
    feature = next(f for f in catalogue(spec.model) if f.name == name)
    alone = single(one, name, weight)
    median = alone.medians[alone.columns.index(name)]
    values = snapshot.features.get_column(name).to_list()
    for value, found in zip(values, reasons(alone, spec, snapshot), strict=True):
        if not value:
            assert found == ()
            continue
        (reason,) = found
        assert (reason.group, reason.feature, reason.share) == (feature.group, name, 1.0)
        assert reason.words == (feature.high if value > median else feature.low)
        assert reason.raises is (weight > 0)
        assert reason.message_id is None
    assert {bool(value) for value in values} == {True, False}


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
        assert reason.words == TEXT_WORDS[0 if raises else 1]
    assert keen.probability > cool.probability
