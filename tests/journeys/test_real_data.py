"""Real data sets from their files to a verdict; skipped where the shared folder is missing.

Fewer trees, and two folds in place of five where the set is large, keep it short;
docs/benchmarks.md has the figures of the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.real_data import (
    RealData,
    crm_sales_opportunities,
    folder,
    persuasion_for_good,
    telco_churn,
)
from benchmarks.run_real_data import Outcome, request_for, trained_on

from chatlift.vocabulary import ModelName, Verdict

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(
        not folder().is_dir(),
        reason="the folder of real data sets is missing; CHATLIFT_REAL_DATA names it",
    ),
]


TREES = {ModelName.LEAD_SCORING: {"trees": 20}, ModelName.CHURN: {"trees": 20}}


def taken(make: Callable[[Path], RealData], model: ModelName, *, folds: int = 2) -> Outcome:
    return trained_on(model, make, replace(request_for(model), cv_folds=folds, parameters=TREES))


def out_of_fold_auc(outcome: Outcome) -> dict[str, float]:
    assert outcome.trained.evaluation is not None
    found: dict[str, float] = outcome.trained.evaluation["out_of_fold"]["roc_auc"]
    return found


def failed_checks(outcome: Outcome) -> set[str]:
    assert outcome.trained.decision is not None
    return {check.name for check in outcome.trained.decision.checks if not check.passed}


def test_conversations_tell_who_donates_better_than_chance() -> None:
    # With two folds each fit sees half of the 1,017 talks; with five, as users have it, the AUC was
    # 0.640 to 0.666 over five seeds.
    outcome = taken(persuasion_for_good, ModelName.LEAD_SCORING, folds=5)
    whole = out_of_fold_auc(outcome)
    assert outcome.text is not None
    assert outcome.text.low is not None
    assert outcome.text.low > 0.5
    assert whole["low"] > 0.5
    assert whole["value"] > 0.6
    assert outcome.tested.passed


def test_contracts_tell_who_cancels() -> None:
    outcome = taken(telco_churn, ModelName.CHURN)
    auc = out_of_fold_auc(outcome)
    # 0.845 was measured with five folds and 100 trees; published fits lie at 0.84 to 0.85.
    assert auc["value"] > 0.83
    assert auc["low"] < 0.845 < auc["high"]
    assert outcome.tested.passed
    # 7,043 contracts less 1,869 cancelled less 11 of tenure 0, which came after the only cutoff.
    assert len(outcome.predicted.predictions) == 7043 - 1869 - 11


def test_deals_that_nothing_foretells_are_refused() -> None:
    outcome = taken(crm_sales_opportunities, ModelName.LEAD_SCORING)
    assert outcome.trained.decision is not None
    assert outcome.trained.decision.verdict is Verdict.REFUSE
    assert "better_than_base_rate" in failed_checks(outcome)
    assert outcome.trained.evaluation is not None
    newest = outcome.trained.evaluation["holdout"]["roc_auc"]
    assert newest["low"] < 0.5 < newest["high"]


def test_a_column_that_is_filled_in_at_closing_is_refused() -> None:
    def with_open_deals(target: Path) -> RealData:
        return crm_sales_opportunities(target, only_closed=False)

    outcome = taken(with_open_deals, ModelName.LEAD_SCORING)
    assert outcome.trained.decision is not None
    assert outcome.trained.decision.verdict is Verdict.REFUSE
    assert "no_leak" in failed_checks(outcome)
