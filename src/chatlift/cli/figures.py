"""Figures in words: names, units, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {
    "mae": "Mean Absolute Error",
    "r2": "R2 Score",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1 Score",
    "roc_auc": "ROC AUC",
    "average_precision": "Average Precision",
    "brier": "Brier Score",
    "calibration_error": "Calibration Error",
    "calibration_slope": "Calibration Slope",
    "calibration_intercept": "Calibration Intercept",
    "lift_10": "Lift in the top 10 %",
    "lift_20": "Lift in the top 20 %",
    "base_rate": "Base Rate",
    "mean_score_gap": "Mean Score less Base Rate",
    "log_loss": "Log Loss",
}
SHARES = frozenset({"accuracy", "precision", "recall", "base_rate"})
PAIRED = frozenset({"calibration_slope", "calibration_intercept"})
"""Judged as a pair: each has a wider interval, so that both hold together 95 % of the time."""
NAME_WIDTH = 26


def name_of(metric: str) -> str:
    """Return a metric's name for people."""
    return NAMES.get(metric, metric)


def told_number(metric: str, value: float | None) -> str:
    """Return a value in its unit.

    Examples
    --------
    >>> told_number("accuracy", 0.8123), told_number("mae", 6.2), told_number("r2", None)
    ('81.2 %', '6.20', 'not measurable')
    """
    if value is None:
        return "not measurable"
    if metric in SHARES:
        return f"{100 * value:.1f} %"
    return f"{value:.2f}" if metric == "mae" or metric.startswith("lift") else f"{value:.3f}"


def told_figure(metric: str, figure: Mapping[str, Any]) -> str:
    """Return a figure with its interval, where it has one."""
    value = told_number(metric, figure["value"])
    if figure["low"] is None or figure["high"] is None:
        return value
    low, high = told_number(metric, figure["low"]), told_number(metric, figure["high"])
    level = "97.5" if metric in PAIRED else "95"
    return f"{value} ({level} % interval {low.removesuffix(' %')} to {high})"


def told_gain(metric: str, gain: Mapping[str, Any]) -> str:
    """Return how much better or worse a version is than a rival, never better by less than none.

    Parameters
    ----------
    gain
        The figure of the version less that of the rival, of a metric that is good when high.

    Examples
    --------
    >>> told_gain("roc_auc", {"value": -0.024, "low": -0.05, "high": 0.002})
    'worse by 0.024 (95 % interval 0.050 worse to 0.002 better)'
    >>> told_gain("roc_auc", {"value": 0.08, "low": 0.03, "high": 0.15})
    'better by 0.080 (95 % interval 0.030 to 0.150 better)'
    """
    if gain["value"] is None:
        return "not measurably better or worse"
    told = f"{_way(gain['value'])} by {told_number(metric, abs(gain['value']))}"
    if gain["low"] is None or gain["high"] is None:
        return told
    low, high = (told_number(metric, abs(gain[end])) for end in ("low", "high"))
    low_way, high_way = _way(gain["low"]), _way(gain["high"])
    turn = "" if low_way == high_way else f" {low_way}"
    return f"{told} (95 % interval {low}{turn} to {high} {high_way})"


def _way(gain: float) -> str:
    return "better" if gain >= 0 else "worse"


def figure_line(metric: str, figure: Mapping[str, Any]) -> str:
    """Return a line with name and figure."""
    return f"  {name_of(metric):<{NAME_WIDTH}} {told_figure(metric, figure)}"


def told_bytes(count: int) -> str:
    """Return a size.

    Examples
    --------
    >>> told_bytes(532_480)
    '0.5 MB'
    """
    return f"{count / 1_000_000:.1f} MB"
