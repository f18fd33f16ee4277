from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.histories import business

from chatlift.learn.evaluation import (
    REPEATS_IF_SMALL,
    Evaluation,
    Options,
    Predictions,
    _holdout_decides,
    _walked,
    evaluate,
)
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import Recipe
from chatlift.learn.folds import Split
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.base import Readiness
from chatlift.learn.specs.engagement import SPEC
from chatlift.learn.threads import side_by_side
from chatlift.vocabulary import ModelName, Rung

OPTIONS = Options(cv_folds=2)
FLOORS = Readiness(entities=20, examples=20, per_class=5)
FEATURES = catalogue(ModelName.ENGAGEMENT)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    story = business(3, contacts=60)
    examples = SPEC.examples(story, SPEC.spans).filter(pl.col("label").is_not_null())
    return take_snapshot(story, examples, FEATURES, key=b"key")


@pytest.fixture(scope="module")
def measured(snapshot: Snapshot) -> Evaluation:
    recipe = Recipe(
        estimator="logistic",
        parameters=SPEC.parameters({"text_strength": 0}),
        seed=0,
        features=tuple(feature.name for feature in FEATURES),
        rule=SPEC.rule,
        basis=None,
    )
    with side_by_side(1) as beside:
        return evaluate(snapshot, SPEC, recipe, OPTIONS, FLOORS, beside)


def test_every_rung_is_judged_beside_the_chosen_one(measured: Evaluation) -> None:
    assert list(measured.rungs) == list(Rung)
    assert measured.rule is measured.rungs[Rung.RULE]
    assert measured.prescribed is measured.rungs[Rung.FULL]
    assert sum(measured.chosen_rungs.values()) == REPEATS_IF_SMALL * OPTIONS.cv_folds
    for rival in (*measured.rungs.values(), measured.reference):
        assert rival.figures["log_loss"].value is not None


def split_of(count: int, train: int, judge: int) -> Split:
    rows = np.arange(count)
    return Split(train=rows[:train], judge=rows[count - judge :], purged=count - train - judge)


@pytest.mark.parametrize(("train", "decides"), [(500, True), (499, False)])
def test_a_purge_that_leaves_less_than_half_makes_the_folds_decide(
    snapshot: Snapshot, train: int, *, decides: bool
) -> None:
    repeated = snapshot.take(np.arange(1_000) % len(snapshot))
    examples = repeated.examples.with_columns(entity_id=pl.int_range(1_000))
    many = replace(repeated, examples=examples)
    assert _holdout_decides(many, split_of(1_000, train, 300)) is decides


def test_out_of_fold_probabilities_are_anchored_by_what_was_decided_before(
    snapshot: Snapshot,
) -> None:
    """Everybody answers, though the fits say that half do."""
    everybody = snapshot.examples.with_columns(label=pl.lit(1, dtype=pl.Int8))
    moved = replace(snapshot, examples=everybody)
    rows = np.arange(len(moved))
    zeros = np.zeros(len(moved), dtype=np.int64)
    flat = Predictions(
        rows=rows,
        repeat=zeros,
        fold=zeros,
        probabilities=np.full(len(moved), 0.5),
        thresholds=np.full(len(moved), 0.5),
    )
    walked = _walked([flat], moved).probabilities
    order = np.argsort(moved.begun, kind="stable")
    first, last = order[: len(order) // 20], order[-len(order) // 20 :]
    assert np.allclose(walked[first], 0.5)  # Nothing had been decided before.
    assert walked[last].mean() > 0.6
