"""A quantile of a range is near the true one, and the same whatever is asked beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlift.learn.features.quantiles import FEW_RANGES, Buckets

VALUES = st.lists(st.integers(0, 10_000_000), max_size=40)
SHARES = st.sampled_from([0.0, 0.1, 0.5, 0.75, 0.9, 1.0])


def ranges_of(count: int) -> tuple[np.ndarray, np.ndarray]:
    """All ranges within so many events."""
    pairs = [(start, end) for start in range(count + 1) for end in range(start, count + 1)]
    starts, ends = np.array(pairs, dtype=np.int64).T
    return starts, ends


@given(values=VALUES, share=SHARES)
def test_many_ranges_are_answered_as_each_alone(values: list[int], share: float) -> None:
    buckets = Buckets(np.array(values, dtype=np.int64))
    starts, ends = ranges_of(len(values))
    many = np.tile(starts, FEW_RANGES + 1), np.tile(ends, FEW_RANGES + 1)
    together = buckets.quantile(*many, share)[: len(starts)]
    alone = [
        buckets.quantile(starts[row : row + 1], ends[row : row + 1], share)[0]
        for row in range(len(starts))
    ]
    np.testing.assert_array_equal(together, alone)


@given(values=VALUES.filter(len), share=SHARES)
def test_a_quantile_is_off_by_a_tenth_at_most(values: list[int], share: float) -> None:
    whole = np.array([0]), np.array([len(values)])
    found = Buckets(np.array(values, dtype=np.int64)).quantile(*whole, share)[0]
    assert found == pytest.approx(np.quantile(values, share), rel=0.1)


def test_nothing_has_no_quantile() -> None:
    assert np.isnan(Buckets(np.array([7])).quantile(np.array([1]), np.array([1]), 0.5)).all()
