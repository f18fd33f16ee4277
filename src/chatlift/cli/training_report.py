"""The report of a training that a person reads: pure functions from dataclasses to lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chatlift.cli.console import heading
from chatlift.cli.figures import figure_line, name_of, told_figure, told_gain, told_number
from chatlift.cli.log_file import failure_lines
from chatlift.learn.gate import CheckKind, Decision
from chatlift.learn.ladder_words import basis_lines
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.versions import Version
from chatlift.vocabulary import ModelName, Rung, Verdict
from chatlift.workflows.train import ModelOutcome, TrainReport, TrainRequest

LOWEST_ACCURACY = 0.5
COIN_AUC = 0.5
"""Ranks no better than chance."""
VERDICT_WORDS = {
    Verdict.PROMOTE: "PROMOTED",
    Verdict.KEEP_CHAMPION: "KEPT AS CANDIDATE",
    Verdict.REFUSE: "REFUSED",
}
OTHER_FIGURES = (
    "roc_auc",
    "average_precision",
    "accuracy",
    "f1",
    "brier",
    "calibration_slope",
    "calibration_error",
    "lift_20",
)
RUNG_FIGURES = ("roc_auc", "brier", "log_loss")
RIVAL_FIGURES = ("mae", "r2", "accuracy", "f1", "roc_auc")


def title_of(model: ModelName) -> str:
    """Return a model's name as headings write it."""
    return model.replace("_", " ").upper()


def opening(request: TrainRequest) -> list[str]:
    """Return the heading of the whole pipeline."""
    return [
        *heading("CHATLIFT TRAINING PIPELINE"),
        f"Models: {', '.join(request.models)}",
        f"Test size {request.test_size:g}, {request.cv_folds} folds, seed {request.seed}",
    ]


def model_report(outcome: ModelOutcome) -> list[str]:
    """Return everything about one model."""
    lines = [*heading(f"TRAINING {title_of(outcome.model)} MODEL")]
    lines.append(f"Question: {SPECS[outcome.model].question}")
    if outcome.evaluation is None or outcome.decision is None:
        return [*lines, f"No model: {outcome.sentence}"]
    found = outcome.evaluation
    return [
        *lines,
        *filter(None, [found.get("why_little_is_known")]),
        *_samples(outcome.model, found["counts"]),
        *([found["undated"]] if found.get("undated") else []),
        *_hyperparameters(outcome),
        *_rung(outcome),
        "Training complete",
        *_performance(outcome.model, found),
        *_beside(outcome.model, found),
        *_by_age(found["by_age"]),
        *_gate(outcome.decision),
        *_saved(outcome.model, outcome.version),
        *_warnings(found["figures"]),
    ]


def error_lines(outcome: ModelOutcome) -> list[str]:
    """Return type and frames of a failure, for the log file and `--debug`; empty without one."""
    return failure_lines(outcome.error) if outcome.error else []


def _samples(model: ModelName, counts: Mapping[str, Any]) -> list[str]:
    entity = SPECS[model].entity
    return [
        f"Training samples: {counts['training_entities']} {entity}s "
        f"({counts['training_examples']} examples)",
        f"Known outcomes: {counts['entities']} {entity}s ({counts['examples']} examples), "
        f"{counts['positive_entities']} with a positive outcome; "
        f"{counts['undecided']} examples are still undecided",
    ]


def _hyperparameters(outcome: ModelOutcome) -> list[str]:
    defaults = SPECS[outcome.model].parameters()
    changed = {n: v for n, v in outcome.parameters.items() if v != defaults.get(n)}
    told = ", ".join(f"{name} = {value:g}" for name, value in changed.items())
    kept = f"; {outcome.rounds} rounds kept" if outcome.rounds else ""
    left_out = (outcome.evaluation or {}).get("left_out", {})
    return [
        f"Hyperparameters: {told or 'the defaults'}{kept}",
        *(f"Attribute left out: {name}: {why}" for name, why in left_out.items()),
    ]


def _rung(outcome: ModelOutcome) -> list[str]:
    """Return what ships, how it was chosen, and what more data would allow."""
    found = outcome.evaluation or {}
    basis = Rung(found.get("shipped_rung", Rung.FULL))
    support = outcome.readiness.support if outcome.readiness else None
    waits = support is not None and basis in support.rungs and bool(support.next_rungs)
    return [*basis_lines(basis, found), *([f"  {support.sentence}"] if support and waits else [])]


def _performance(model: ModelName, found: Mapping[str, Any]) -> list[str]:
    judged = found.get("judged_words")
    whom = f"; of {SPECS[model].entity}s {judged}" if judged else ""
    lines = ["Model Performance", f"  Measured {found['basis_words']}{whom}"]
    targets = {target["metric"]: target for target in found["targets"]}
    for metric in SPECS[model].headline_metrics:
        ending = _target_words(targets.get(metric)) + _ceiling_words(metric, found["ceiling"])
        lines.append(figure_line(metric, found["figures"][metric]) + ending)
    return lines


def _target_words(target: Mapping[str, Any] | None) -> str:
    if target is None:
        return ""
    side = "below" if target["is_upper"] else "above"
    bound = told_number(target["metric"], target["bound"])
    return f"; target {side} {bound}: {'met' if target['met'] else 'not met'}"


def _ceiling_words(metric: str, ceiling: Mapping[str, float] | None) -> str:
    if not ceiling or metric not in ceiling:
        return ""
    return f"; the ceiling of this data is {told_number(metric, ceiling[metric])}"


def _beside(model: ModelName, found: Mapping[str, Any]) -> list[str]:
    """Return base rate, rivals, figures that were not told above, and the temporal holdout."""
    figures = found["figures"]
    others = [name for name in OTHER_FIGURES if name not in SPECS[model].headline_metrics]
    lines = [figure_line("base_rate", figures["base_rate"])]
    lines += ["Beside it, on the same rows", *rival_lines(found)]
    lines += [
        "Other figures",
        *(figure_line(metric, figures[metric]) for metric in others),
    ]
    lines += _compact("Newest examples (temporal holdout)", found["holdout"])
    lines += _compact("Of these, contacts never seen before", found["unseen_contacts"])
    if found["holdout"] is None:
        lines.append("  No figure on the newest examples: too few were decided before them.")
    return lines


def rival_lines(found: Mapping[str, Any]) -> list[str]:
    """Return a line for the rule, each other rung, the prescribed algorithm and the reference.

    Parameters
    ----------
    found
        An evaluation as `learn.reporting.evaluation_to_json` tells it.
    """
    rungs = found.get("rungs", {})
    told = [
        ("Simple rule", found["rule"]),
        ("Held close to it", rungs.get(Rung.SHRUNKEN)),
        ("Prescribed algorithm", found.get("prescribed")),
        ("Weighted sum", rungs.get(Rung.BLEND)),
        ("Reference fit", found["reference"]),
    ]
    return [_rival(title, rival) for title, rival in told if rival is not None]


def _rival(title: str, rival: Mapping[str, Any]) -> str:
    figures = rival["figures"]
    told = ", ".join(
        f"{name_of(name)} {told_number(name, figures[name]['value'])}"
        for name in RUNG_FIGURES
        if name in figures
    )
    gain = told_gain("roc_auc", rival["auc_gain"])
    return f"  {title} ({rival['name']}): {told}; by ROC AUC the version is {gain}"


def _compact(title: str, figures: Mapping[str, Any] | None) -> list[str]:
    """Return a line of plain values; nothing where they were not measured."""
    if figures is None or figures["roc_auc"]["value"] is None:
        return []
    told = ", ".join(f"{name_of(m)} {told_number(m, figures[m]['value'])}" for m in RIVAL_FIGURES)
    return [f"  {title}: {told}"]


def _by_age(by_age: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not by_age:
        return []
    lines = ["By age of the lead", f"  {'days':>6}  {'MAE':>6}  {'R2':>7}  {'ROC AUC':>8}"]
    for age, figures in by_age.items():
        mae, r2, auc = (told_number(m, figures[m]["value"]) for m in ("mae", "r2", "roc_auc"))
        lines.append(f"  {age:>6}  {mae:>6}  {r2:>7}  {auc:>8}")
    return lines


def _gate(decision: Decision) -> list[str]:
    return [
        f"Gate verdict: {VERDICT_WORDS[decision.verdict]}",
        *(
            f"  {mark(passed=check.passed, kind=check.kind)} {check.sentence}"
            for check in decision.checks
        ),
    ]


def mark(*, passed: bool, kind: str) -> str:
    """Return how a check of the gate is marked; a note is never a failure."""
    if passed:
        return "ok  "
    return "note" if kind == CheckKind.NOTE else "NO  "


def _saved(model: ModelName, version: Version | None) -> list[str]:
    if version is None:
        return []
    return [f"Model saved: {main_file_of(model, version)}"]


def main_file_of(model: ModelName, version: Version) -> Path:
    """Return where the main file of a version lies."""
    return Path(version.folder) / SPECS[model].main_file


def _warnings(figures: Mapping[str, Any]) -> list[str]:
    """Warn of an order that is shown to be upside down, and of an accuracy below a coin's."""
    accuracy, auc = figures["accuracy"]["value"], figures["roc_auc"]
    warnings = []
    if auc["high"] is not None and auc["high"] < COIN_AUC:
        warnings.append(
            f"Warning: ROC AUC is {told_figure('roc_auc', auc)}, shown to rank the wrong way. "
            "Check that outcomes are recorded the right way round, and train again."
        )
    if accuracy is not None and accuracy < LOWEST_ACCURACY:
        warnings.append(
            f"Warning: accuracy is {told_number('accuracy', accuracy)}, worse than a coin. Look at "
            "the data with `chatlift data check`, import more history, and train again."
        )
    return warnings


def summary(report: TrainReport) -> list[str]:
    """Return how all models came out and how to go on."""
    return [
        *heading("TRAINING SUMMARY"),
        *(_summary_line(outcome) for outcome in report.outcomes),
        f"Run {report.run.run_id} is {report.run.status} after {report.seconds:.1f} s.",
        *_next_steps(report.outcomes),
    ]


def _summary_line(outcome: ModelOutcome) -> str:
    name = f"{outcome.model:<13}"
    serves = _serves_instead(outcome)
    if outcome.evaluation is None or outcome.decision is None:
        status = outcome.status.replace("_", " ").upper()
        return f"{name} {status}: the sentence above says why; {serves}"
    figures = outcome.evaluation["figures"]
    told = ", ".join(
        f"{name_of(metric)} {told_number(metric, figures[metric]['value'])}"
        for metric in SPECS[outcome.model].headline_metrics
    )
    ending = "" if outcome.decision.verdict is Verdict.PROMOTE else f"; {serves}"
    return f"{name} {_state(outcome)}: {told}{ending}"


def _serves_instead(outcome: ModelOutcome) -> str:
    if outcome.serving_number is None:
        return "nothing serves"
    return f"v{outcome.serving_number} goes on serving"


def _state(outcome: ModelOutcome) -> str:
    """Return the verdict, with the version it is about; kept back where promotion was not asked."""
    decision, version = outcome.decision, outcome.version
    if decision is None or version is None:
        return outcome.status.upper()
    if decision.verdict is Verdict.PROMOTE and not version.is_champion:
        return f"v{version.number} PASSED, NOT PROMOTED"
    failed = ", ".join(check.name for check in decision.checks if check.stands_in_the_way)
    by = f" by {failed}" if failed else ""
    return f"v{version.number} {VERDICT_WORDS[decision.verdict]}{by}"


def _next_steps(outcomes: Sequence[ModelOutcome]) -> list[str]:
    waiting = [o.version for o in outcomes if o.version is not None and not o.version.is_champion]
    return [*(_about_waiting(version) for version in waiting), *_way_on(outcomes)]


def _about_waiting(version: Version) -> str:
    """Return how to go on with a version that does not serve."""
    model, number = version.model, version.number
    if version.verdict is Verdict.PROMOTE:
        return f"To let {model} v{number} serve: chatlift models promote {model} {number}"
    return f"Why {model} v{number} does not serve: chatlift models show {model} --version {number}"


def _way_on(outcomes: Sequence[ModelOutcome]) -> list[str]:
    serving = [o.model for o in outcomes if o.version is not None and o.version.is_champion]
    if serving:
        return [f"Go on with: chatlift test {serving[0]}, then chatlift predict {serving[0]}"]
    if any(outcome.version is not None for outcome in outcomes):
        return []
    if any(outcome.status == "failed" for outcome in outcomes):
        return ["Go on with: chatlift runs show, which tells more of what failed."]
    return ["Go on with: chatlift import, or wait for more outcomes."]


def to_json(report: TrainReport) -> dict[str, Any]:
    """Return the report as plain values for programs."""
    run = report.run
    return {
        "run_id": run.run_id,
        "status": run.status,
        "message": run.message,
        "seconds": report.seconds,
        "models": [_outcome_to_json(outcome) for outcome in report.outcomes],
    }


def _outcome_to_json(outcome: ModelOutcome) -> dict[str, Any]:
    version = outcome.version
    return {
        "model": outcome.model,
        "status": outcome.status,
        "sentence": outcome.sentence,
        "version": version.number if version else None,
        "serves": version.is_champion if version else False,
        "serving_version": outcome.serving_number,
        "basis": version.basis if version else None,
        "saved": str(main_file_of(outcome.model, version)) if version else None,
        "parameters": dict(outcome.parameters),
        "evaluation": outcome.evaluation,
        "verdict": outcome.decision.verdict if outcome.decision else None,
        "notes": list(outcome.decision.notes) if outcome.decision else [],
        "checks": [asdict(check) for check in outcome.decision.checks] if outcome.decision else [],
        "findings": [asdict(finding) for finding in outcome.findings],
        "readiness": asdict(outcome.readiness) if outcome.readiness else None,
        "error": outcome.error,
    }
