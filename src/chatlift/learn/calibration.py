"""From margins to probabilities that mean what they say.

A calibrator is learned on margins of rows that the estimator behind them has not seen.
Platt's two numbers (Platt 1999, with his smoothed labels) below 1,000 entities; from there
isotonic regression, if it wins on held-out folds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

ISOTONIC_FROM_ENTITIES = 1_000
NEWTON_STEPS = 50
HALVINGS = 40
"""A Newton step is halved at most so often."""
LEAST_GAIN = 1e-4
"""Share of the promised gain that a step has to bring (Armijo 1966)."""
ROUNDING = 1e-12
"""Losses nearer than this, as a share, are equal."""
RIDGE = 1e-3
"""A faint pull on slope and intercept, so that perfectly separated rows stay finite."""
LEAST_PROBABILITY = 1e-4
"""Probabilities are kept this far from 0 and 1."""
TIE_BREAK = 1e-6
"""Share of the margin's own probability in a step of the isotonic curve: its rows keep an order."""


@dataclass(frozen=True)
class Calibrator:
    """A rising curve from margin to probability.

    With `knots` empty: 1 / (1 + exp(-(slope x margin + intercept))). Otherwise straight lines
    between the knots (margin, probability), flat outside.
    """

    slope: float = 1.0
    intercept: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()

    def probabilities(self, margins: Vector) -> Vector:
        """Return one probability per margin, strictly between 0 and 1."""
        if self.knots:
            margin, probability = np.asarray(self.knots, dtype=np.float64).T
            stepped = np.interp(margins, margin, probability)
            found = stepped + TIE_BREAK * (sigmoid(margins) - stepped)
        else:
            found = sigmoid(self.slope * margins + self.intercept)
        return np.asarray(np.clip(found, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY))

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers."""
        return {"slope": self.slope, "intercept": self.intercept, "knots": list(self.knots)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Calibrator:
        """Read what `to_json` wrote."""
        knots = tuple((float(x), float(y)) for x, y in found["knots"])
        return cls(float(found["slope"]), float(found["intercept"]), knots)


def sigmoid(values: Vector) -> Vector:
    """Return 1 / (1 + exp(-x)) without overflow.

    Examples
    --------
    >>> sigmoid(np.array([0.0, -1000.0])).tolist()
    [0.5, 0.0]
    """
    small = np.exp(-np.abs(values))
    return np.asarray(np.where(values < 0, small, 1.0) / (1.0 + small))


def log_odds_of(probabilities: Vector) -> Vector:
    """Return log(p / (1 - p)).

    Examples
    --------
    >>> log_odds_of(np.array([0.5, 0.75])).round(3).tolist()
    [0.0, 1.099]
    """
    return np.asarray(np.log(probabilities / (1 - probabilities)))


def shifted(probabilities: Vector, shift: Vector | float) -> Vector:
    """Return probabilities after a shift of their log-odds.

    Examples
    --------
    >>> shifted(np.array([0.5]), float(np.log(3))).round(3).tolist()
    [0.75]
    """
    moved = sigmoid(log_odds_of(probabilities) + shift)
    return np.asarray(np.clip(moved, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY))


def logistic_line(margins: Vector, labels: Vector) -> tuple[float, float]:
    """Return slope and intercept of the logistic regression of labels on margins."""
    slopes, intercepts = logistic_lines(margins, labels, np.ones((1, len(margins))))
    return float(slopes[0]), float(intercepts[0])


def logistic_lines(margins: Vector, labels: Vector, weights: Vector) -> tuple[Vector, Vector]:
    """Return slope and intercept of the weighted regression, one each per row of weights.

    Fitted by Newton steps for all rows of weights (resamples x rows) at once, with a faint ridge
    around slope 1 and intercept 0. A step that does not lower the loss is halved until it does:
    on margins that part ones and zeros almost wholly, plain steps go astray and never settle.
    """
    slope, intercept = np.ones(len(weights)), np.zeros(len(weights))
    loss = _line_loss(margins, labels, weights, slope, intercept)
    for _ in range(NEWTON_STEPS):
        probability = sigmoid(slope[:, None] * margins + intercept[:, None])
        rest = weights * (labels - probability)
        spread = weights * probability * (1 - probability)
        pull_slope = rest @ margins - RIDGE * (slope - 1)
        pull_intercept = rest.sum(axis=1) - RIDGE * intercept
        mixed = spread @ margins
        by_slope = spread @ margins**2 + RIDGE
        by_intercept = spread.sum(axis=1) + RIDGE
        area = by_slope * by_intercept - mixed**2
        step_slope = (by_intercept * pull_slope - mixed * pull_intercept) / area
        step_intercept = (by_slope * pull_intercept - mixed * pull_slope) / area
        gain = pull_slope * step_slope + pull_intercept * step_intercept
        share, start = np.ones(len(weights)), loss
        for _ in range(HALVINGS):
            ends = slope + share * step_slope, intercept + share * step_intercept
            loss = _line_loss(margins, labels, weights, *ends)
            is_short = loss > start - LEAST_GAIN * share * gain + ROUNDING * (1 + start)
            if not is_short.any():
                break
            share = np.where(is_short, share / 2, share)
        slope, intercept = ends
        if max(np.abs(step_slope).max(), np.abs(step_intercept).max()) < 1e-7:
            break
    return slope, intercept


def _line_loss(
    margins: Vector, labels: Vector, weights: Vector, slope: Vector, intercept: Vector
) -> Vector:
    """Return the weighted log loss of each line, with the ridge."""
    raised = slope[:, None] * margins + intercept[:, None]
    losses = np.logaddexp(0, raised) - labels * raised
    ridge = RIDGE * ((slope - 1) ** 2 + intercept**2) / 2
    return np.asarray((weights * losses).sum(axis=1) + ridge)


def platt(margins: Vector, labels: Vector) -> Calibrator:
    """Return Platt's curve; never a falling one, since higher must mean more likely."""
    ones, rows = labels.sum(), len(labels)
    smoothed = np.where(labels > 0.5, (ones + 1) / (ones + 2), 1 / (rows - ones + 2))
    slope, intercept = logistic_line(margins, smoothed)
    if slope <= 0:
        share = (ones + 1) / (rows + 2)
        return Calibrator(0.0, float(np.log(share / (1 - share))))
    return Calibrator(slope, intercept)


def isotonic(margins: Vector, labels: Vector) -> Calibrator:
    """Return the rising step curve of least squares, as straight lines between its corners."""
    from sklearn.isotonic import IsotonicRegression

    fit = IsotonicRegression(y_min=1e-3, y_max=1 - 1e-3, out_of_bounds="clip")
    fit.fit(margins, labels)
    corners = zip(fit.X_thresholds_, fit.y_thresholds_, strict=True)
    return Calibrator(knots=tuple((float(x), float(y)) for x, y in corners))


def calibrate(
    margins: Vector, labels: Vector, folds: NDArray[np.int64], *, entities: int
) -> Calibrator:
    """Return the calibrator that this much data allows.

    Parameters
    ----------
    margins, labels, folds
        One per row: a margin from an estimator that has not seen the row, its 0/1 label, and
        the fold it lay in.
    entities
        Distinct mature entities behind the rows; decides whether isotonic may compete.
    """
    if entities < ISOTONIC_FROM_ENTITIES:
        return platt(margins, labels)
    losses = {make: _held_out_loss(make, margins, labels, folds) for make in (platt, isotonic)}
    return min(losses, key=losses.__getitem__)(margins, labels)


def _held_out_loss(make: Any, margins: Vector, labels: Vector, folds: NDArray[np.int64]) -> float:
    """Squared error of the curve on folds that it was not drawn on."""
    loss = 0.0
    for fold in np.unique(folds):
        judged = folds == fold
        curve = make(margins[~judged], labels[~judged])
        loss += float(((curve.probabilities(margins[judged]) - labels[judged]) ** 2).sum())
    return loss
