from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chatlift.learn.evaluation import Basis, Counts, Evaluation, Predictions, Rival
from chatlift.learn.gate import AgainstChampion, Decision, Evidence, Leak, decide
from chatlift.learn.metrics import Figure
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import ModelName, Verdict

SPEC = SPECS[ModelName.CHURN]
NONE = np.empty(0)
GOOD = {
    "roc_auc": Figure(0.8, 0.75, 0.85),
    "accuracy": Figure(0.8, 0.75, 0.85),
    "precision": Figure(0.8, 0.75, 0.85),
    "recall": Figure(0.8, 0.75, 0.85),
    "f1": Figure(0.8, 0.75, 0.85),
}
CALIBRATED = {
    "mean_score_gap": Figure(0.0, -0.02, 0.02),
    "calibration_slope": Figure(1.1, 0.8, 1.4),
    "calibration_error": Figure(0.02, 0.0, 0.06),
}


def evaluation(entities: int = 300, **figures: Figure) -> Evaluation:
    rows = np.empty(0, dtype=np.int64)
    return Evaluation(
        basis=Basis.OUT_OF_FOLD,
        figures=GOOD | {name: one for name, one in figures.items() if name not in CALIBRATED},
        out_of_fold=GOOD,
        holdout=None,
        unseen_contacts=None,
        by_age={},
        rule=Rival(
            name="recency", figures={"roc_auc": Figure(0.7)}, auc_gain=Figure(0.1, 0.05, 0.15)
        ),
        reference=Rival(name="other", figures={}, auc_gain=Figure(0.0)),
        prescribed=Rival(name="forest", figures={}, auc_gain=Figure(0.0)),
        rungs={},
        chosen_rungs={},
        calibration=CALIBRATED | {n: one for n, one in figures.items() if n in CALIBRATED},
        rule_brier_gain=Figure(0.02, 0.01, 0.03),
        brier_gain=Figure(0.05, 0.02, 0.08),
        counts=Counts(
            entities=entities,
            examples=entities,
            contacts=entities,
            positive_entities=100,
            training_entities=entities,
            training_examples=entities,
            judged_entities=entities,
            purged=0,
        ),
        predictions=Predictions(
            rows=rows, repeat=rows, fold=rows, probabilities=NONE, thresholds=NONE
        ),
    )


def evidence(**changes: Any) -> Evidence:
    good = Evidence(
        spec=SPEC,
        floors=SPEC.readiness,
        evaluation=evaluation(),
        leaks=(),
        accepted_columns=frozenset(),
        suite_failures=(),
        scores=np.array([0.1, 0.5, 0.9]),
        targets=SPEC.targets,
        require_targets=False,
        against=None,
    )
    return replace(good, **changes)


def failed(decision: Decision) -> list[str]:
    return [check.name for check in decision.checks if check.stands_in_the_way]


def test_a_first_version_with_good_evidence_is_promoted() -> None:
    decision = decide(evidence())
    assert decision.verdict is Verdict.PROMOTE
    assert all(check.sentence for check in decision.checks)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (
            {"evaluation": replace(evaluation(), brier_gain=Figure(0.01, -0.01, 0.03))},
            "better_than_base_rate",
        ),
        (
            {"evaluation": evaluation(mean_score_gap=Figure(0.1, 0.05, 0.15))},
            "mean_score_is_base_rate",
        ),
        (
            {"evaluation": evaluation(mean_score_gap=Figure(-0.1, -0.15, -0.05))},
            "mean_score_is_base_rate",
        ),
        (
            {
                "evaluation": evaluation(
                    calibration_slope=Figure(2.0, 1.6, 3.0),
                    calibration_error=Figure(0.06, 0.04, 0.09),
                )
            },
            "calibration_slope",
        ),
        (
            {"evaluation": evaluation(calibration_error=Figure(0.08, 0.06, 0.1))},
            "calibration_error",
        ),
        ({"suite_failures": ("It remembers rows.",)}, "model_test_suite"),
        ({"scores": np.array([0.5, 0.5, 0.5])}, "sound_scores"),
        ({"scores": np.array([0.1, math.nan, 0.9])}, "sound_scores"),
        ({"evaluation": evaluation(50)}, "enough_data"),
    ],
)
def test_each_unsafe_or_useless_version_is_refused_by_its_own_check(
    changes: dict[str, Any], name: str
) -> None:
    decision = decide(evidence(**changes))
    assert decision.verdict is Verdict.REFUSE
    assert failed(decision) == [name]


def test_what_is_not_shown_to_be_off_is_let_pass() -> None:
    unsure = evaluation(
        120,
        mean_score_gap=Figure(0.07, -0.02, 0.16),
        calibration_slope=Figure(2.0, 1.4, 2.6),
        calibration_error=Figure(0.07, 0.02, 0.12),
    )
    assert decide(evidence(evaluation=unsure)).verdict is Verdict.PROMOTE


def test_ranking_no_better_than_the_rule_is_a_note_that_says_what_would_settle_it() -> None:
    rule = Rival(
        name="recency", figures={"roc_auc": Figure(0.8)}, auc_gain=Figure(0.02, -0.02, 0.06)
    )
    decision = decide(evidence(evaluation=replace(evaluation(), rule=rule)))
    assert decision.verdict is Verdict.PROMOTE
    assert decision.reasons == ()
    # The interval reaches 0.04 either way and has to shrink to 0.02: four times the 300 rows.
    (note,) = decision.notes
    assert "Ranks no better than 'recency'" in note
    assert "About 1,200 outcomes would settle it" in note


def test_a_figure_too_good_to_be_true_is_a_note_unless_the_data_was_generated() -> None:
    perfect = evaluation(roc_auc=Figure(0.995, 0.985, 0.999))
    (note,) = decide(evidence(evaluation=perfect)).notes
    assert "too good to be true" in note
    named = decide(evidence(evaluation=perfect, moving_columns=("lead.stage", "lead.city"))).notes
    assert "move the scores most (lead.stage, lead.city)" in named[0]
    assert decide(evidence(evaluation=perfect, is_generated=True)).notes == ()


def test_a_vertical_calibration_line_passes_where_probabilities_are_shown_to_be_close() -> None:
    separated = evaluation(
        calibration_slope=Figure(7.2, 2.9, 8.1), calibration_error=Figure(0.02, 0.01, 0.03)
    )
    assert decide(evidence(evaluation=separated)).verdict is Verdict.PROMOTE


def test_a_suspected_leak_needs_a_persons_word_and_a_proven_one_refuses_anyway() -> None:
    suspected = Leak(column="lead.plan", is_proven=False, sentence="Too good.")
    proven = Leak(column="lead.plan", is_proven=True, sentence="Filled at closing.")
    vouched = frozenset({"lead.plan"})
    assert decide(evidence(leaks=[suspected])).verdict is Verdict.REFUSE
    trusted = evidence(leaks=[suspected], accepted_columns=vouched)
    assert decide(trusted).verdict is Verdict.PROMOTE
    assert decide(evidence(leaks=[proven], accepted_columns=vouched)).verdict is Verdict.REFUSE


def test_targets_are_only_part_of_the_gate_where_they_are_required() -> None:
    missed = evaluation(recall=Figure(0.6, 0.5, 0.7))
    assert decide(evidence(evaluation=missed)).verdict is Verdict.PROMOTE
    strict = decide(evidence(evaluation=missed, require_targets=True))
    assert strict.verdict is Verdict.REFUSE
    assert failed(strict) == ["target_recall"]


def against(mean: float, spread: float, **changes: Any) -> AgainstChampion:
    gains = np.r_[mean, np.random.default_rng(0).normal(mean, spread, 4_000)]
    told = AgainstChampion(
        champion_number=3,
        is_refresh=True,
        brier_gains=gains,
        unseen_positives=50,
        unseen_negatives=80,
        is_cross_fitted=False,
        new_entity_share=0.5,
        look=1,
    )
    return replace(told, **changes)


def verdict(comparison: AgainstChampion) -> Verdict:
    return decide(evidence(against=comparison)).verdict


def test_a_refresh_is_promoted_unless_it_is_shown_to_be_worse() -> None:
    assert verdict(against(0.0, 0.01)) is Verdict.PROMOTE
    assert verdict(against(-0.01, 0.01)) is Verdict.PROMOTE  # worse, but not shown: z = -1
    assert verdict(against(-0.03, 0.01)) is Verdict.REFUSE  # z = -3


def test_small_losses_of_refreshes_add_up_to_a_refusal() -> None:
    # z of this refresh alone is -1; of all nine together it is -9 / 3 = -3.
    ninth = against(-0.01, 0.01, earlier_gain=-0.08, earlier_variance=8 * 0.01**2)
    assert verdict(against(-0.01, 0.01)) is Verdict.PROMOTE
    assert verdict(ninth) is Verdict.REFUSE
    assert "worse by 0.090" in " ".join(decide(evidence(against=ninth)).reasons)


def test_what_replaces_a_rule_has_to_be_better_and_not_perhaps_much_worse() -> None:
    def replacing(mean: float, spread: float) -> Verdict:
        return verdict(against(mean, spread, is_refresh=False, replaces_rule=True))

    # With 95 % the loss is at most 1.645 x spread - mean, and 0.005 is let pass.
    assert replacing(0.005, 0.005) is Verdict.PROMOTE  # at most 0.0032 worse
    assert replacing(0.005, 0.01) is Verdict.KEEP_CHAMPION  # perhaps 0.011 worse
    assert replacing(-0.001, 0.001) is Verdict.KEEP_CHAMPION
    assert replacing(-0.03, 0.01) is Verdict.REFUSE


def test_a_refresh_without_any_new_row_keeps_the_champion() -> None:
    assert verdict(against(0.0, 0.01, brier_gains=np.empty(0))) is Verdict.KEEP_CHAMPION


def test_a_mean_that_is_off_by_next_to_nothing_passes() -> None:
    close = evaluation(mean_score_gap=Figure(-0.004, -0.009, -0.001))
    assert decide(evidence(evaluation=close)).verdict is Verdict.PROMOTE


def test_a_new_recipe_has_to_be_shown_better() -> None:
    assert verdict(against(0.01, 0.01, is_refresh=False)) is Verdict.KEEP_CHAMPION
    assert verdict(against(0.03, 0.01, is_refresh=False)) is Verdict.PROMOTE
    assert verdict(against(-0.03, 0.01, is_refresh=False)) is Verdict.REFUSE


def test_later_looks_need_stronger_evidence_and_new_data() -> None:
    # Look 1 may err 3.0 % of the time (z = 1.9), look 5 only 0.12 % (z = 3.0).
    assert verdict(against(0.025, 0.01, is_refresh=False)) is Verdict.PROMOTE
    later = against(0.025, 0.01, is_refresh=False, look=5)
    assert verdict(later) is Verdict.KEEP_CHAMPION
    for look in (1, 2):
        stale = against(0.05, 0.01, is_refresh=False, look=look, new_entity_share=0.02)
        assert verdict(stale) is Verdict.KEEP_CHAMPION


def test_all_looks_together_spend_no_more_than_the_budget() -> None:
    spent = sum(against(0, 1, look=look).allowed_error for look in range(1, 10_000))
    assert spent == pytest.approx(0.05, abs=1e-4)
    assert spent <= 0.05
