"""The training report: what a person reads, and what a program gets."""

from dataclasses import replace

import pytest
from tests.unit.cli.samples import evaluation, failed, figures, not_ready, outcome, report, version

from chatlift.cli.json_text import json_text
from chatlift.cli.training_report import error_lines, model_report, opening, summary, to_json
from chatlift.learn.readiness import Need, Pace, ReadinessReport, Support
from chatlift.vocabulary import ModelName, Rung, Verdict
from chatlift.workflows.train import TrainRequest


def test_columns_that_no_example_could_use_lead_the_report() -> None:
    why = "3 of 3 imported columns are known only since the import."
    lines = model_report(outcome(evaluation=evaluation() | {"why_little_is_known": why}))
    assert lines.index(why) < lines.index("Training complete")
    assert why in lines[:6]
    assert why not in model_report(outcome())


def test_the_report_of_a_model_has_its_parts_in_order() -> None:
    told = "\n".join(model_report(outcome()))
    parts = [
        "TRAINING LEAD SCORING MODEL",
        "Will this lead buy?",
        "Training samples: 96 leads (392 examples)",
        "Basis: blend: a weighted sum of",
        "of 15 judged fits 11 chose blend, 4 full.",
        "Scores are raised by 4.2 points on average",
        "Training complete",
        "Model Performance",
        "Mean Absolute Error        6.20; target below 10.00: met; the ceiling",
        "R2 Score                   0.700; target above 0.800: not met; the ceiling",
        "Simple rule (a plain rule)",
        "Held close to it (shrunken)",
        "Prescribed algorithm (xgboost)",
        "Weighted sum (blend)",
        "Reference fit (another algorithm)",
        "Gate verdict: PROMOTED",
        "ok   Better than the base rate.",
        "note As good as the rule.",
        "Model saved: ",
    ]
    places = [told.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places)
    assert told.endswith("lead_scoring_model.ubj")


def test_the_report_says_of_whom_the_figures_are_and_who_was_left_out() -> None:
    plain = [line.strip() for line in model_report(outcome())]
    assert "Measured out of fold over all mature examples" in plain
    found = evaluation() | {
        "judged_words": "still open at 7 days",
        "undated": "7 of 9 lack a date.",
    }
    told = [line.strip() for line in model_report(outcome(evaluation=found))]
    assert "Measured out of fold over all mature examples; of leads still open at 7 days" in told
    assert "7 of 9 lack a date." in told


def test_only_hyperparameters_that_were_set_are_told() -> None:
    told = "\n".join(model_report(outcome()))
    assert "Hyperparameters: max_depth = 5; 66 rounds kept" in told
    assert "trees = 100" not in told


def test_an_interval_is_told_with_its_figure() -> None:
    told = "\n".join(model_report(outcome(evaluation=evaluation())))
    assert "R2 Score                   0.900 (95 % interval 0.800 to 1.000)" in told


def test_a_figure_is_told_once() -> None:
    judged = evaluation() | {"targets": [], "ceiling": None}
    told = model_report(outcome(model=ModelName.CHURN, evaluation=judged))
    named = [line[2:26].strip() for line in told if "% interval" in line]
    assert {"Accuracy", "F1 Score", "ROC AUC"} <= set(named)
    assert len(named) == len(set(named))


def test_data_without_a_truth_has_no_ceiling() -> None:
    told = "\n".join(model_report(outcome(evaluation=evaluation() | {"ceiling": None})))
    assert "ceiling" not in told


def test_the_newest_examples_are_told_or_their_lack() -> None:
    assert "No figure on the newest examples" in "\n".join(model_report(outcome()))
    found = evaluation() | {"holdout": figures(roc_auc=0.8)}
    told = "\n".join(model_report(outcome(evaluation=found)))
    assert "Newest examples (temporal holdout)" in told
    assert "ROC AUC 0.800" in told


def test_leads_are_told_by_age() -> None:
    found = evaluation() | {"by_age": {"7": figures(mae=8.5, r2=0.804, roc_auc=None)}}
    lines = model_report(outcome(evaluation=found))
    row = next(line for line in lines if line.split()[:1] == ["7"])
    assert row.split() == ["7", "8.50", "0.804", "not", "measurable"]


def test_accuracy_below_a_half_warns_with_what_to_do() -> None:
    told = model_report(outcome(evaluation=evaluation(accuracy=0.42)))
    assert told[-1].startswith("Warning: accuracy is 42.0 %")
    assert "train again" in told[-1]
    assert "right way round" not in told[-1]
    assert not model_report(outcome(evaluation=evaluation(accuracy=0.5)))[-1].startswith("Warning")


@pytest.mark.parametrize(("high", "is_told"), [(0.499, True), (0.5, False), (None, False)])
def test_outcomes_may_be_upside_down_only_where_that_is_shown(
    high: float | None, is_told: bool
) -> None:
    found = evaluation()
    found["figures"]["roc_auc"] = {"value": 0.45, "low": 0.4, "high": high}
    told = "\n".join(model_report(outcome(evaluation=found)))
    assert ("outcomes are recorded the right way round" in told) is is_told


def test_worse_is_said_as_worse() -> None:
    found = evaluation()
    loss = {"value": -0.024, "low": -0.05, "high": 0.002}
    found["reference"] = found["reference"] | {"auc_gain": loss}
    told = "\n".join(model_report(outcome(evaluation=found)))
    assert "the version is worse by 0.024 (95 % interval 0.050 worse to 0.002 better)" in told
    assert "better by -" not in told


def test_a_basis_that_was_set_is_told_so() -> None:
    found = evaluation() | {"shipped_rung": "rule", "set_rung": "rule"}
    told = "\n".join(model_report(outcome(evaluation=found)))
    assert "Basis: rule: the simple rule alone" in told
    assert "Set by a person: basis=rule." in told


def test_a_simple_basis_comes_with_what_more_data_would_allow() -> None:
    need = Need(what="mature leads", found=120, needed=150, pace=Pace.NONE)
    support = Support(
        rungs=(Rung.RULE, Rung.SHRUNKEN),
        entity="lead",
        found=120,
        next_rungs=(Rung.FULL, Rung.BLEND),
        next_need=need,
    )
    readiness = ReadinessReport(needs=(), undecided=0, support=support)
    shrunken = outcome(evaluation=evaluation() | {"shipped_rung": "shrunken"}, readiness=readiness)
    assert "about 30 more, none came in lately" in "\n".join(model_report(shrunken))
    assert "about 30 more" not in "\n".join(model_report(outcome(readiness=readiness)))


def test_a_refused_version_says_why() -> None:
    told = "\n".join(model_report(outcome(Verdict.REFUSE)))
    assert "Gate verdict: REFUSED" in told
    assert "NO   Better than the base rate." in told
    assert "note As good as the rule." in told


def test_too_little_data_is_a_sentence_and_no_figures() -> None:
    told = "\n".join(model_report(not_ready()))
    assert "TRAINING CHURN MODEL" in told
    assert "3 mature contacts of 100 needed" in told
    assert "Model Performance" not in told


def test_a_failure_keeps_its_frames_for_the_log() -> None:
    assert error_lines(failed())[-1] == "  chatlift/learn/fitting.py:7 in fit"
    assert error_lines(outcome()) == []


def test_the_summary_tells_all_models_and_how_to_go_on() -> None:
    told = "\n".join(summary(report(outcome(), not_ready(), failed())))
    assert "lead_scoring  v7 PROMOTED: Mean Absolute Error 6.20, R2 Score 0.700" in told
    assert "churn         NOT READY" in told
    assert "engagement    FAILED" in told
    assert "Run run-1 is completed after 8.0 s." in told
    assert "chatlift predict lead_scoring" in told


def test_the_way_on_fits_what_went_wrong() -> None:
    assert "chatlift import" in summary(report(not_ready()))[-1]
    assert "chatlift runs show" in summary(report(failed(), not_ready()))[-1]


def test_a_version_that_was_not_promoted_on_request_says_so() -> None:
    kept = outcome(version=version(is_champion=False))
    lines = summary(report(kept))
    assert "v7 PASSED, NOT PROMOTED" in "\n".join(lines)
    assert lines[-1] == "To let lead_scoring v7 serve: chatlift models promote lead_scoring 7"


@pytest.mark.parametrize(("serving", "told"), [(5, "v5 goes on serving"), (None, "nothing serves")])
def test_after_a_refusal_the_ending_says_by_what_and_what_serves(
    serving: int | None, told: str
) -> None:
    lines = summary(report(outcome(Verdict.REFUSE, serving_number=serving)))
    (row,) = [line for line in lines if line.startswith("lead_scoring")]
    assert "v7 REFUSED by better: " in row
    assert row.endswith(f"; {told}")
    assert lines[-1].endswith("chatlift models show lead_scoring --version 7")
    assert not any("chatlift train" in line for line in lines)


def test_too_little_data_leaves_what_serves_and_says_so() -> None:
    lines = summary(report(replace(not_ready(), serving_number=2)))
    assert any(line.startswith("churn") and line.endswith("v2 goes on serving") for line in lines)


def test_programs_get_every_outcome() -> None:
    found = to_json(report(outcome(), not_ready(), failed()))
    assert [model["status"] for model in found["models"]] == ["completed", "not_ready", "failed"]
    assert found["models"][0]["version"] == 7
    assert found["models"][0]["basis"] == "blend"
    assert found["models"][0]["notes"] == ["As good as the rule."]
    assert found["models"][0]["serving_version"] == 7
    assert '"verdict": "promote"' in json_text(found)


def test_the_opening_names_the_choices() -> None:
    assert "Test size 0.2, 5 folds, seed 0" in opening(TrainRequest())
