"""The training report: what a person reads, and what a program gets."""

from tests.unit.cli.samples import evaluation, failed, figures, not_ready, outcome, report, version

from chatlift.cli.json_text import json_text
from chatlift.cli.training_report import error_lines, model_report, opening, summary, to_json
from chatlift.vocabulary import ModelName, Verdict
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
        "Training complete",
        "Model Performance",
        "Mean Absolute Error        6.20; target below 10.00: met; the ceiling",
        "R2 Score                   0.700; target above 0.800: not met; the ceiling",
        "Simple rule (a plain rule)",
        "Gate verdict: PROMOTED",
        "ok  Better than the rule.",
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
    assert not model_report(outcome(evaluation=evaluation(accuracy=0.5)))[-1].startswith("Warning")


def test_a_refused_version_says_why() -> None:
    told = "\n".join(model_report(outcome(Verdict.REFUSE)))
    assert "Gate verdict: REFUSED" in told
    assert "NO  Better than the rule." in told


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
    assert "v7 PASSED, NOT PROMOTED" in "\n".join(summary(report(kept)))


def test_programs_get_every_outcome() -> None:
    found = to_json(report(outcome(), not_ready(), failed()))
    assert [model["status"] for model in found["models"]] == ["completed", "not_ready", "failed"]
    assert found["models"][0]["version"] == 7
    assert '"verdict": "promote"' in json_text(found)


def test_the_opening_names_the_choices() -> None:
    assert "Test size 0.2, 5 folds, seed 0" in opening(TrainRequest())
