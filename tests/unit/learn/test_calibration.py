from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlift.learn.calibration import (
    RIDGE,
    Calibrator,
    calibrate,
    isotonic,
    logistic_line,
    platt,
    sigmoid,
)


def drawn(count: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    margins = rng.normal(0, 2, count)
    labels = (rng.random(count) < sigmoid(0.5 * margins - 1)).astype(float)
    return margins, labels


def test_the_line_finds_the_slope_and_intercept_that_made_the_labels() -> None:
    slope, intercept = logistic_line(*drawn(40_000))
    assert slope == pytest.approx(0.5, abs=0.03)
    assert intercept == pytest.approx(-1.0, abs=0.05)


def test_platt_keeps_the_mean_at_the_base_rate() -> None:
    margins, labels = drawn(500)
    mean = platt(margins, labels).probabilities(margins).mean()
    assert mean == pytest.approx(labels.mean(), abs=0.005)


def test_margins_that_point_the_wrong_way_give_the_base_rate_not_a_falling_curve() -> None:
    margins, labels = drawn(500)
    curve = platt(-margins, labels)
    assert curve.slope == 0.0
    assert curve.probabilities(margins) == pytest.approx((labels.sum() + 1) / 502)


def test_perfectly_separated_margins_stay_finite_and_inside_the_range() -> None:
    margins, labels = np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0])
    chances = platt(margins, labels).probabilities(margins)
    assert ((chances > 0) & (chances < 1)).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-40, 40), min_size=2, max_size=30), st.booleans())
def test_a_higher_margin_never_gets_a_lower_probability(values: list[float], steps: bool) -> None:
    margins, labels = drawn(1_200)
    curve = isotonic(margins, labels) if steps else platt(margins, labels)
    chances = curve.probabilities(np.sort(values))
    assert (np.diff(chances) >= 0).all()


def test_isotonic_is_only_considered_from_a_thousand_entities_and_has_to_win() -> None:
    margins, labels = drawn(3_000)
    bent = np.where(margins > 0, 1.0, -1.0) * np.abs(margins) ** 0.1
    folds = np.arange(3_000) % 3
    assert not calibrate(bent, labels, folds, entities=999).knots
    stairs = (np.random.default_rng(1).random(3_000) < np.where(margins > 1, 0.95, 0.4)).astype(
        float
    )
    assert calibrate(margins, stairs, folds, entities=3_000).knots


def test_rows_on_one_step_of_the_curve_keep_the_order_of_their_margins() -> None:
    """The step lies at 0.3 between margins -1 and 1: equal but for a millionth."""
    curve = Calibrator(knots=((-1.0, 0.3), (1.0, 0.3)))
    chances = curve.probabilities(np.array([-0.9, 0.0, 0.9, 5.0]))
    assert (np.diff(chances) > 0).all()
    assert chances == pytest.approx(0.3, abs=2e-6)


def test_a_curve_survives_json() -> None:
    margins, labels = drawn(1_200)
    curve = isotonic(margins, labels)
    again = Calibrator.from_json(curve.to_json())
    assert np.array_equal(again.probabilities(margins), curve.probabilities(margins))


def test_a_line_settles_where_margins_part_ones_and_zeros_almost_wholly() -> None:
    """Plain Newton steps never settled here, and rounding decided where they stood at the end."""
    random = np.random.default_rng(0)
    zeros, ones = random.uniform(-9, -2.9, 84), random.uniform(1, 9, 36)
    margins = np.r_[zeros, ones, -2.66]
    labels = np.r_[np.zeros(84), np.ones(37)]
    slope, intercept = logistic_line(margins, labels)
    rest = labels - sigmoid(slope * margins + intercept)
    # At the minimum the penalised loss is flat both ways.
    assert rest @ margins - RIDGE * (slope - 1) == pytest.approx(0, abs=1e-8)
    assert rest.sum() - RIDGE * intercept == pytest.approx(0, abs=1e-8)
