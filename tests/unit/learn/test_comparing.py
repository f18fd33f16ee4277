from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.histories import business

from chatlift.learn.comparing import Champion, compare, same_recipe
from chatlift.learn.evaluation import Options, out_of_fold
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import Recipe, fit
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.engagement import SPEC
from chatlift.vocabulary import ModelName

OPTIONS = Options(cv_folds=2)
FEATURES = catalogue(ModelName.ENGAGEMENT)


def recipe(**parameters: float) -> Recipe:
    chosen: Mapping[str, float] = SPEC.parameters(parameters)
    names = tuple(feature.name for feature in FEATURES)
    return Recipe(estimator="logistic", parameters=chosen, seed=0, features=names)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    story = business(3, contacts=80)
    examples = SPEC.examples(story, SPEC.spans).filter(pl.col("label").is_not_null())
    return take_snapshot(story, examples, FEATURES, key=b"key")


def champion(snapshot: Snapshot, share: float, **changes: object) -> Champion:
    """The champion as fitted on the oldest share of the examples."""
    cutoffs = snapshot.examples["cutoff"].dt.timestamp("us").to_numpy()
    old = cutoffs <= np.quantile(cutoffs, share)
    keys = zip(snapshot.entities[old].tolist(), cutoffs[old].tolist(), strict=True)
    told = Champion(
        number=1,
        model=fit(snapshot.take(old), recipe()),
        has_same_spans=True,
        trained_on=frozenset(keys),
        looks_before=0,
        entities_at_last_look=40,
    )
    return replace(told, **changes)  # type: ignore[arg-type]


def test_only_rows_that_the_champion_never_saw_are_compared(snapshot: Snapshot) -> None:
    ours = out_of_fold(snapshot, recipe(), OPTIONS, repeats=1)
    half = compare(champion(snapshot, 0.5), snapshot, ours, recipe(), OPTIONS)
    assert half.is_refresh
    assert len(half.brier_gains) > 1
    everything = compare(champion(snapshot, 1.0), snapshot, ours, recipe(), OPTIONS)
    assert len(everything.brier_gains) == 0
    assert (everything.unseen_positives, everything.unseen_negatives) == (0, 0)


def test_a_recipe_with_too_few_unseen_rows_is_refitted_on_the_same_folds(
    snapshot: Snapshot,
) -> None:
    ours = out_of_fold(snapshot, recipe(l2=50), OPTIONS, repeats=1)
    found = compare(champion(snapshot, 1.0), snapshot, ours, recipe(l2=50), OPTIONS)
    assert not found.is_refresh
    assert found.is_cross_fitted
    assert len(found.brier_gains) > 1


def test_other_spans_make_a_new_recipe_of_the_same_algorithm(snapshot: Snapshot) -> None:
    ours = out_of_fold(snapshot, recipe(), OPTIONS, repeats=1)
    other = champion(snapshot, 0.5, has_same_spans=False)
    assert not compare(other, snapshot, ours, recipe(), OPTIONS).is_refresh


def test_a_recipe_is_the_same_whatever_its_seed() -> None:
    assert same_recipe(recipe(), replace(recipe(), seed=9))
    assert not same_recipe(recipe(), recipe(l2=11))


def test_the_share_of_new_entities_counts_from_the_last_look(snapshot: Snapshot) -> None:
    ours = out_of_fold(snapshot, recipe(), OPTIONS, repeats=1)
    found = compare(champion(snapshot, 0.5), snapshot, ours, recipe(), OPTIONS)
    entities = len(np.unique(snapshot.entities))
    assert found.new_entity_share == pytest.approx((entities - 40) / 40)
    assert found.look == 1
