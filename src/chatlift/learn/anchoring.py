"""Anchor probabilities to the newest outcomes: a base rate moves, a fit averages over its year.

Input: calibrated log-odds of rows that the fit had not seen, their labels and instants. Output: a
shift of log-odds. It is level plus slope over time of what the outcomes ask for beyond the
calibrated log-odds, at the last observed instant; both are drawn towards zero by normal priors, so
that few outcomes shift little (ridge regression with an offset, Hoerl and Kennard 1970). All rows
together weigh as much as there are entities.

Judging walks forward: each row is shifted by what had been decided before its block of time began.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chatlift.learn.calibration import shifted, sigmoid

Vector = NDArray[np.float64]
Instants = NDArray[np.int64]
Entities = NDArray[np.int64]

PRIOR_LEVEL = 0.5
"""Standard deviation of the level, in log-odds."""
PRIOR_SLOPE = 0.5
"""Standard deviation of the slope, in log-odds a year."""
LARGEST_SHIFT = 1.5
"""No shift goes further, whatever the outcomes ask for."""
WALKING_BLOCKS = 12
MICROSECONDS_A_YEAR = 365.25 * 86_400_000_000
NEWTON_STEPS = 25


def anchor_shift(
    log_odds: Vector, labels: Vector, begun: Instants, entities: Entities, at: int
) -> float:
    """Return the shift of log-odds that the outcomes ask for at an instant.

    Parameters
    ----------
    log_odds, labels, begun, entities
        One per row: calibrated log-odds by a fit that had not seen the row, its outcome, when its
        example began (microseconds) and whose it is.
    at
        The instant to be right at, in microseconds.
    """
    if not len(labels):
        return 0.0
    # The same weight for every row: how many rows an entity has depends on how it ended.
    weights = np.full(len(labels), len(np.unique(entities)) / len(labels))
    years = (begun - at) / MICROSECONDS_A_YEAR
    middle = float(np.average(years, weights=weights))
    design = np.column_stack([np.ones(len(years)), years - middle])
    level, slope = _ridge(design, labels, log_odds, weights)
    return float(np.clip(level - slope * middle, -LARGEST_SHIFT, LARGEST_SHIFT))


def _ridge(design: Vector, labels: Vector, log_odds: Vector, weights: Vector) -> Vector:
    """Return the coefficients of the penalised logistic regression with an offset."""
    pull = 1 / np.square([PRIOR_LEVEL, PRIOR_SLOPE])
    values = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        probability = sigmoid(log_odds + design @ values)
        gradient = design.T @ (weights * (labels - probability)) - pull * values
        spread = (weights * probability * (1 - probability))[:, None]
        step = np.linalg.solve(design.T @ (design * spread) + np.diag(pull), gradient)
        values = values + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-9:
            break
    return values


def walking_shifts(
    log_odds: Vector, labels: Vector, begun: Instants, decided: Instants, entities: Entities
) -> Vector:
    """Return for each row the shift that was known when its block of time began.

    Parameters
    ----------
    decided
        When the outcome of each row had been wholly observed, in microseconds.

    Returns
    -------
    Vector
        One shift per row; 0 in the first block, before which nothing had been decided.
    """
    shifts = np.zeros(len(labels))
    edges = np.unique(
        np.quantile(begun, np.arange(WALKING_BLOCKS) / WALKING_BLOCKS, method="lower")
    )
    for place, start in enumerate(edges.tolist()):
        known = decided <= start
        is_inside = begun >= start
        if place + 1 < len(edges):
            is_inside &= begun < edges[place + 1]
        shifts[is_inside] = anchor_shift(
            log_odds[known], labels[known], begun[known], entities[known], start
        )
    return shifts


def mean_points_moved(probabilities: Vector, shift: float) -> float:
    """Return by how many points of the score a shift that is in the probabilities moved them.

    Parameters
    ----------
    probabilities
        One per row, after the shift.

    Returns
    -------
    float
        Mean over the rows, on the 0-100 scale; negative where scores were lowered; 0 without rows.

    Examples
    --------
    >>> round(mean_points_moved(np.array([0.75, 0.75]), float(np.log(3))), 6)
    25.0
    """
    if not len(probabilities):
        return 0.0
    return float(100 * np.mean(probabilities - shifted(probabilities, -shift)))
