"""An evaluation and a decision as plain values: what version rows, reports and APIs show.

Fractions stay fractions; `mae` is in points of the 0-100 scale. A figure is a dictionary with
`value`, `low` and `high` (95 % interval), None where it could not be measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from chatlift.learn.evaluation import BASIS_WORDS, Basis, Evaluation, Rival
from chatlift.learn.gate import Check, CheckKind, Decision
from chatlift.learn.metrics import Figure
from chatlift.learn.specs.base import ModelSpec, Target
from chatlift.vocabulary import Verdict


def evaluation_to_json(
    evaluation: Evaluation, targets: Sequence[Target], ceiling: Mapping[str, float] | None
) -> dict[str, Any]:
    """Return everything measured; `ceiling` is the best anyone could reach on generated data."""
    return {
        "basis": evaluation.basis,
        "basis_words": BASIS_WORDS[evaluation.basis],
        "figures": _figures(evaluation.figures),
        "out_of_fold": _figures(evaluation.out_of_fold),
        "holdout": _optional(evaluation.holdout),
        "unseen_contacts": _optional(evaluation.unseen_contacts),
        "by_age": {age: _figures(figures) for age, figures in evaluation.by_age.items()},
        "rule": _rival(evaluation.rule),
        "reference": _rival(evaluation.reference),
        "prescribed": _rival(evaluation.prescribed),
        "rungs": {rung: _rival(rival) for rung, rival in evaluation.rungs.items()},
        "chosen_rungs": dict(evaluation.chosen_rungs),
        "calibration": _figures(evaluation.calibration),
        "brier_gain": evaluation.brier_gain.to_json(),
        "rule_brier_gain": evaluation.rule_brier_gain.to_json(),
        "counts": asdict(evaluation.counts),
        "targets": [_target(target, evaluation) for target in targets],
        "ceiling": dict(ceiling) if ceiling else None,
    }


def headline_metrics(evaluation: Evaluation, spec: ModelSpec) -> dict[str, float | None]:
    """Return the short form that runs, histories and model lists carry."""
    return {name: evaluation.figures[name].value for name in (*spec.headline_metrics, "roc_auc")}


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """Return the verdict and every check with its evidence."""
    return {
        "verdict": decision.verdict,
        "checks": [asdict(check) for check in decision.checks],
    }


def decision_from_json(found: Mapping[str, Any]) -> Decision:
    """Read what `decision_to_json` wrote."""
    checks = tuple(Check(**{**check, "kind": _kind(check["kind"])}) for check in found["checks"])
    return Decision(verdict=Verdict(found["verdict"]), checks=checks)


def _kind(name: str) -> CheckKind:
    """Read a kind; versions of before there was a ladder call the checks of worth `quality`."""
    return CheckKind.WORTH if name == "quality" else CheckKind(name)


def figures_from_json(found: Mapping[str, Any]) -> dict[str, Figure]:
    """Read figures back."""
    return {name: Figure.from_json(figure) for name, figure in found.items()}


def basis_from_json(found: Mapping[str, Any]) -> Basis:
    """Return which rows the leading figures were measured on."""
    return Basis(found["basis"])


def _figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: figure.to_json() for name, figure in figures.items()}


def _optional(figures: Mapping[str, Figure] | None) -> dict[str, Any] | None:
    return None if figures is None else _figures(figures)


def _rival(rival: Rival) -> dict[str, Any]:
    return {
        "name": rival.name,
        "figures": _figures(rival.figures),
        "auc_gain": rival.auc_gain.to_json(),
    }


def _target(target: Target, evaluation: Evaluation) -> dict[str, Any]:
    value = evaluation.figures[target.metric].value
    return {
        "metric": target.metric,
        "bound": target.bound,
        "is_upper": target.is_upper,
        "value": value,
        "met": value is not None and target.is_met(value),
    }
