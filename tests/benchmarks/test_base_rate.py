from __future__ import annotations

import numpy as np
import pytest
from benchmarks.base_rate import (
    WEIGHTS,
    Gaps,
    Shape,
    World,
    chances_of,
    gaps_of,
    rates_on,
    summary_rows,
)


@pytest.mark.parametrize("rate", [0.25, 0.35])
def test_the_mean_chance_of_a_day_is_its_base_rate(rate: float) -> None:
    numbers = np.random.default_rng(0).normal(size=(40_000, len(WEIGHTS)))
    chances = chances_of(numbers, np.full(len(numbers), rate))
    # One chance spreads by about 0.2, so the mean of 40,000 by 0.001.
    assert chances.mean() == pytest.approx(rate, abs=0.004)


@pytest.mark.parametrize("shape", [Shape.RISING, Shape.FALLING, Shape.STEPPING])
def test_the_base_rate_moves_by_ten_points_over_the_year(shape: Shape) -> None:
    first, last = rates_on(shape, np.array([0.0, 365.0]))
    assert abs(last - first) == pytest.approx(0.10)


def gaps(seed: int, anchored: float, not_anchored: float) -> Gaps:
    return Gaps(
        world=World(shape=Shape.RISING, leads=300, seed=seed),
        rung="full",
        anchored=anchored,
        not_anchored=not_anchored,
        shift=0.1,
        seconds=1.0,
    )


def test_gaps_of_either_sign_count_up_to_three_points() -> None:
    [row] = summary_rows([gaps(0, 0.03, -0.05), gaps(1, -0.02, 0.04), gaps(2, 0.08, 0.01)])
    assert str(row[2]).startswith("2 of 3")
    assert row[3] == "+0.030"  # (0.03 - 0.02 + 0.08) / 3
    assert str(row[4]).startswith("1 of 3")


def test_the_anchor_alone_makes_the_difference_between_the_two() -> None:
    found = gaps_of(World(shape=Shape.RISING, leads=300, seed=1000))
    assert found.shift != 0
    # A chance of about 0.3 moves by 0.3 x 0.7 per unit of log-odds, others by a little less.
    assert found.anchored - found.not_anchored == pytest.approx(0.19 * found.shift, rel=0.2)
