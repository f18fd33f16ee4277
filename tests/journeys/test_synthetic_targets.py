"""Default data of three seeds: the honest figures meet every target.

`benchmarks/twenty_seeds.py` measures twenty; docs/benchmarks.md keeps its table.
"""

from __future__ import annotations

import pytest
from benchmarks.twenty_seeds import SeedOutcome, missed_by, outcome_of

from chatlift.learn.evaluation import Basis
from chatlift.simulate.request import Difficulty
from chatlift.vocabulary import ModelName
from chatlift.workflows.train import TrainRequest

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module", params=SEEDS)
def found(request: pytest.FixtureRequest) -> SeedOutcome:
    return outcome_of(request.param, Difficulty.EASY, TrainRequest())


@pytest.mark.slow
def test_every_target_is_met_and_every_model_comes_to_a_verdict(found: SeedOutcome) -> None:
    assert found.missed == ()
    assert [outcome.status for outcome in found.outcomes] == ["completed"] * 3


@pytest.mark.slow
def test_leading_figures_rest_on_rows_that_the_fit_had_not_seen(found: SeedOutcome) -> None:
    lead = found.outcomes[0]
    assert lead.model is ModelName.LEAD_SCORING
    assert lead.evaluation is not None
    # 120 leads, of which the newest fifth would hold 24: too few, so the folds decide.
    assert lead.evaluation["basis"] == Basis.OUT_OF_FOLD
    # All but the wins of the first week: 5 % of the 36, and never a lost one.
    assert 112 < lead.evaluation["counts"]["judged_entities"] <= 120
    assert missed_by(lead) == ()


@pytest.mark.slow
def test_no_figure_is_better_than_the_truth_allows(found: SeedOutcome) -> None:
    # The ceiling is the truth's own figure on the same labels. A model may be luckier than the
    # truth on one sample, by some hundredths; well above it, it would know the outcome.
    for outcome in found.outcomes:
        assert outcome.evaluation is not None
        ceiling = outcome.evaluation["ceiling"]["roc_auc"]
        assert outcome.evaluation["figures"]["roc_auc"]["value"] < ceiling + 0.03
