"""Columns as arrays: instants, lookups, and ranges searched one by one or all together."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.histories import at

from chatlift.learn.arrays import (
    FEW_RANGES,
    as_instants,
    by_name,
    first_row_from,
    ids_of,
    instant_of,
    known_microseconds,
    looked_up,
    microsecond_of,
    microseconds,
    places_of,
)
from chatlift.records import INSTANT


def test_instants_go_to_microseconds_and_back() -> None:
    told = pl.Series("told_at", [at(0), at(1.5)], INSTANT)
    assert microseconds(told).tolist() == [microsecond_of(at(0)), microsecond_of(at(1.5))]
    assert as_instants("told_at", microseconds(told)).equals(told)
    assert instant_of(microsecond_of(at(1.5))) == at(1.5)


def test_what_is_unknown_stays_unknown() -> None:
    told = pl.Series([at(1), None], dtype=INSTANT)
    found = known_microseconds(told)
    assert found[0] == microsecond_of(at(1))
    assert np.isnan(found[1])
    assert ids_of(pl.Series([7, None], dtype=pl.Int64)).tolist() == [7, -1]


def test_ids_are_looked_up_and_strangers_have_nothing() -> None:
    ids, values = pl.Series([2, 5]), np.array([20.0, 50.0])
    asked = np.array([5, 3, 99, 2, -1])
    assert places_of(asked, ids).tolist() == [1, -1, -1, 0, -1]
    assert np.array_equal(
        looked_up(asked, ids, values), [50, np.nan, np.nan, 20, np.nan], equal_nan=True
    )
    nobody = pl.Series([], dtype=pl.Int64)
    assert np.isnan(looked_up(asked, nobody, np.array([]))).all()


def test_a_name_that_is_not_known_has_no_value() -> None:
    found = by_name(pl.Series(["a", "b"]), pl.Series(["b"]), np.array([1.0]))
    assert np.array_equal(found, [np.nan, 1.0], equal_nan=True)


@given(
    line=st.lists(st.integers(0, 20), max_size=30),
    cuts=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=2 * FEW_RANGES),
    bounds=st.lists(st.integers(-1, 21), min_size=2 * FEW_RANGES, max_size=2 * FEW_RANGES),
)
def test_many_ranges_are_searched_as_each_alone(
    line: list[int], cuts: list[tuple[int, int]], bounds: list[int]
) -> None:
    ordered, size = np.sort(np.array(line, dtype=np.int64)), len(line)
    pairs = [sorted((min(a, size), min(b, size))) for a, b in cuts]
    starts = np.array([start for start, _ in pairs], dtype=np.int64)
    ends = np.array([end for _, end in pairs], dtype=np.int64)
    wanted = np.array(bounds[: len(pairs)], dtype=np.int64)
    together = first_row_from(ordered, starts, ends, wanted)
    brute = [
        next((row for row in range(s, e) if ordered[row] >= bound), e)
        for (s, e), bound in zip(pairs, wanted.tolist(), strict=True)
    ]
    assert together.tolist() == brute
