"""The words in which specs are written: hyperparameters, targets, bands, example frames."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from tests.histories import at

from chatlift.errors import InvalidInput
from chatlift.history import History
from chatlift.learn.specs.base import (
    EXAMPLES,
    Asked,
    Bands,
    Hyperparameter,
    Target,
    contact_examples,
)
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import ModelName

TREES = Hyperparameter(
    name="trees", default=50, minimum=5, maximum=100, meaning="how many", is_whole=True
)
MODELS = list(ModelName)


def test_a_hyperparameter_in_its_range_is_taken() -> None:
    assert TREES.check(5) == 5
    assert isinstance(TREES.check(7.0), int)


@pytest.mark.parametrize("value", [4, 101, 7.5, float("nan"), float("inf")])
def test_a_hyperparameter_outside_says_what_it_takes(value: float) -> None:
    with pytest.raises(InvalidInput, match=r"it takes a whole number from 5 to 100 \(how many\)"):
        TREES.check(value)


@pytest.mark.parametrize("model", MODELS)
def test_every_default_is_allowed_and_an_unknown_name_is_told(model: ModelName) -> None:
    spec = SPECS[model]
    assert spec.parameters() == {p.name: p.default for p in spec.hyperparameters}
    with pytest.raises(InvalidInput, match=f"{model} has no hyperparameter 'wings'. It has: "):
        spec.parameters({"wings": 2})


@pytest.mark.parametrize("model", MODELS)
def test_every_spec_has_words_for_each_band_and_a_target_for_what_leads(model: ModelName) -> None:
    spec = SPECS[model]
    bands = {spec.bands.high, spec.bands.medium, spec.bands.low}
    assert set(spec.recommendations) == bands
    assert {target.metric for target in spec.targets} == set(spec.headline_metrics)
    assert spec.readiness.per_class >= 20


@pytest.mark.parametrize(
    ("score", "band"), [(99, "hot"), (70, "hot"), (69.9, "warm"), (40, "warm"), (39.9, "cold")]
)
def test_a_band_begins_at_its_bound(score: float, band: str) -> None:
    assert Bands(high="hot", medium="warm", low="cold").of(score) == band


def test_a_target_is_met_beyond_its_bound_only() -> None:
    least, most = Target(metric="f1", bound=0.7), Target(metric="mae", bound=10, is_upper=True)
    assert [least.is_met(v) for v in (0.69, 0.7, 0.71)] == [False, False, True]
    assert [most.is_met(v) for v in (9.9, 10, 10.1)] == [True, False, False]


def test_examples_of_contacts_are_shaped_and_ordered() -> None:
    cutoffs = [at(20), at(10), at(15)]
    rows = pl.DataFrame({"contact_id": [2, 2, 1], "cutoff": cutoffs}).with_columns(
        horizon_ends_at=pl.col("cutoff") + timedelta(days=30), label=pl.lit(1)
    )
    found = contact_examples(rows)
    assert found.schema == EXAMPLES
    assert found.select("entity_id", "cutoff").rows() == [(1, at(15)), (2, at(10)), (2, at(20))]
    assert found.get_column("lead_id").null_count() == 3
    assert found.get_column("is_leading").all()


@pytest.mark.parametrize("model", MODELS)
def test_a_history_of_nothing_has_no_examples(model: ModelName) -> None:
    spec = SPECS[model]
    assert spec.examples(History(), spec.spans).schema == EXAMPLES
    assert spec.examples(History(), spec.spans).is_empty()
    assert spec.scoring_examples(History(), spec.spans, Asked.at([1], at(0))).is_empty()
