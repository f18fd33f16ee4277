"""Curves: level beyond their ends, nothing for what is unknown, on the scale of ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from chatlift.learn.curves import Curves, lines_and_bends

CELLS = st.one_of(
    st.floats(-(2.0**100), 2.0**100, width=32), st.just(np.nan), st.sampled_from([0.0, 1.0, 2.0])
)
MATRICES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.integers(0, 6)),
    elements=CELLS,
)
PLAIN = settings(max_examples=80, deadline=None)


def column(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32).reshape(-1, 1)


def two() -> Curves:
    """A curve through three points, and a level one of a single knot."""
    return Curves.of_lists(
        [np.array([0.0, 10.0, 20.0]), np.array([5.0])], [np.array([1.0, 3.0, -1.0]), np.array([7])]
    )


def test_a_curve_runs_straight_between_knots_and_stays_level_beyond_them() -> None:
    values = column(-np.inf, -5, 0, 5, 10, 15, 20, 1e9, np.inf)
    heights = two().of(np.hstack([values, values]))
    assert heights[:, 0].tolist() == [1, 1, 1, 2, 3, 1, -1, -1, -1]
    assert heights[:, 1].tolist() == [7.0] * 9


def test_an_unknown_value_has_level_0() -> None:
    assert two().of(np.full((1, 2), np.nan)).tolist() == [[0.0, 0.0]]


def test_lists_hold_each_knot_once_and_give_the_same_curves_back() -> None:
    knots, levels = two().to_lists()
    assert (knots, levels) == ([[0, 10, 20], [5]], [[1, 3, -1], [7]])
    again = Curves.of_lists([np.array(k) for k in knots], [np.array(v) for v in levels])
    assert np.array_equal(again.knots, two().knots)
    assert np.array_equal(again.levels, two().levels)


@pytest.mark.parametrize(
    ("knots", "levels"),
    [([[1.0, 0.0]], [[0.0, 0.0]]), ([[0.0, np.nan]], [[0.0, 0.0]]), ([[0.0, 1.0]], [[0.0]]),
     ([[]], [[]]), ([[0.0, 1.0]], [[0.0, np.inf]])],
    ids=["descends", "knot unknown", "level missing", "no knot", "endless level"],
)  # fmt: skip
def test_what_makes_no_curve_is_refused(knots: list[list[float]], levels: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any sentence will do
        Curves.of_lists([np.array(k) for k in knots], [np.array(v) for v in levels])


@PLAIN
@given(matrix=MATRICES)
def test_both_curves_are_finite_and_have_mean_0_over_known_values(matrix: Any) -> None:
    for curves in lines_and_bends(matrix):
        heights = curves.of(matrix)
        assert heights.shape == matrix.shape
        assert np.isfinite(heights).all()
        assert np.allclose(heights.sum(axis=0), 0.0, atol=1e-9 * max(len(matrix), 1))
        assert not heights[np.isnan(matrix)].any()


@PLAIN
@given(matrix=MATRICES, others=MATRICES)
def test_a_line_never_falls_and_keeps_the_order_of_values(matrix: Any, others: Any) -> None:
    lines, _ = lines_and_bends(matrix)
    asked = np.resize(others, (len(others), matrix.shape[1])) if others.size else matrix
    for place in range(matrix.shape[1]):
        ordered = np.sort(asked[:, place][~np.isnan(asked[:, place])])
        one = Curves(knots=lines.knots[[place]], levels=lines.levels[[place]])
        assert (np.diff(one.of(ordered.reshape(-1, 1))[:, 0]) >= 0).all()


@PLAIN
@given(matrix=MATRICES)
def test_a_row_alone_has_the_same_bits_as_among_others(matrix: Any) -> None:
    for curves in lines_and_bends(matrix):
        together = curves.of(matrix)
        alone = [curves.of(matrix[row : row + 1])[0] for row in range(len(matrix))]
        assert together.tobytes() == np.array(alone).tobytes()


@PLAIN
@given(matrix=MATRICES, factor=st.sampled_from([2.0, 1024.0]))
def test_only_the_order_of_values_matters_at_the_knots(matrix: Any, factor: float) -> None:
    """Values are multiplied by powers of two, which moves no digit."""
    lines, bends = lines_and_bends(matrix)
    wider, wider_bends = lines_and_bends(matrix * np.float32(factor))
    assert np.array_equal(lines.knots * factor, wider.knots)
    assert np.allclose(lines.levels, wider.levels)
    assert np.allclose(bends.levels, wider_bends.levels)


def test_a_column_of_distinct_values_gets_a_line_and_a_bend_of_spread_1() -> None:
    values = column(*np.random.default_rng(1).permutation(np.exp(np.linspace(0, 40, 2001))))
    lines, bends = lines_and_bends(values)
    assert lines.of(values).std() == pytest.approx(1.0, abs=0.05)
    assert bends.of(values).std() == pytest.approx(1.0, abs=0.1)


def test_both_ends_of_a_bend_lie_above_its_middle() -> None:
    values = column(*range(101))
    _, bends = lines_and_bends(values)
    first, middle, last = bends.of(column(0, 50, 100))[:, 0]
    assert first == pytest.approx(last, abs=0.05)
    assert first > middle + 2


@pytest.mark.parametrize("count", [1, 50])
def test_a_yes_is_one_rank_step_from_no_however_rare(count: int) -> None:
    """Half of the ranks lie between the middles of both: 0.5 x sqrt(12) = 1.732."""
    values = column(*[1.0] * count, *[0.0] * (100 - count))
    lines, bends = lines_and_bends(values)
    no, yes = lines.of(column(0, 1))[:, 0]
    assert yes - no == pytest.approx(0.5 * 12**0.5)
    assert not bends.of(values).any()


def test_a_long_tail_behind_many_zeros_has_knots_of_its_own() -> None:
    values = column(*[0.0] * 950, *range(1, 51))
    lines, _ = lines_and_bends(values)
    assert len(lines.to_lists()[0][0]) >= 4
    assert lines.of(column(13))[0, 0] - lines.of(column(0))[0, 0] > 1.5


@pytest.mark.parametrize("values", [(3.0, 3.0), (np.nan, np.nan), (np.nan, 3.0)])
def test_a_column_that_says_nothing_has_level_curves(values: tuple[float, ...]) -> None:
    for curves in lines_and_bends(column(*values)):
        assert not curves.of(column(-1, 3, 9, np.nan)).any()


def test_no_columns_and_no_rows_have_curves_too() -> None:
    for shape in ((4, 0), (0, 3), (0, 0)):
        for curves in lines_and_bends(np.empty(shape, dtype=np.float32)):
            assert curves.of(np.zeros((2, shape[1]))).shape == (2, shape[1])
