"""Columns of frames as arrays, and ranges of rows in long sorted ones.

A handful of rows should cost a handful of microseconds: a Polars expression has a constant price
of a tenth of a millisecond, whatever the number of rows, and an answer about one contact would
pay it hundreds of times. So what reads a few columns does it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.records import INSTANT

Rows = NDArray[np.int64]
Values = NDArray[np.float64]

NONE = -1
"""Stands where there is no row and no id."""
FEW_RANGES = 16
"""Up to so many ranges are searched one by one, which is quicker than all of them together."""
FEW_ROWS = 1_000
"""Up to so many rows, to hand expressions to other threads takes longer than to work them out."""


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MICROSECONDS_A_DAY = 86_400_000_000


def microsecond_of(instant: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (instant - EPOCH) // MICROSECOND


def instant_of(microsecond: int) -> datetime:
    """Return microseconds since 1970 as an instant."""
    return EPOCH + timedelta(microseconds=microsecond)


def as_instants(name: str, microseconds: Rows) -> pl.Series:
    """Return microseconds since 1970 as a column of instants."""
    return pl.Series(name, microseconds).cast(INSTANT)


def microseconds(instants: pl.Series) -> Rows:
    """Return instants, none of them null, as microseconds since 1970."""
    return instants.cast(INSTANT).cast(pl.Int64).to_numpy()


def known_microseconds(instants: pl.Series) -> Values:
    """Return instants as microseconds since 1970, NaN where there is none."""
    return instants.cast(INSTANT).cast(pl.Int64).cast(pl.Float64).to_numpy()


def ids_of(column: pl.Series) -> Rows:
    """Return ids, -1 where there is none."""
    numbers = column.cast(pl.Int64)
    if numbers.null_count() == len(numbers):
        return np.full(len(numbers), NONE)
    return (numbers.fill_null(NONE) if numbers.null_count() else numbers).to_numpy()


def places_of(asked: Rows, ids: pl.Series) -> Rows:
    """Return the row of each asked id among sorted ones; -1 where there is none."""
    known = ids.to_numpy()
    if not len(known):
        return np.full(len(asked), NONE)
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return np.where(known[place] == asked, place, NONE)


def looked_up(asked: Rows, ids: pl.Series, values: Values) -> Values:
    """Return the value of each asked id; NaN where there is none. Ids are sorted."""
    place = places_of(asked, ids)
    return (
        np.where(place >= 0, values[place], np.nan) if len(values) else np.full(len(asked), np.nan)
    )


def by_name(names: pl.Series, known: pl.Series, values: Values) -> Values:
    """Return the value that each name has, by a short list of known ones; NaN where it is none."""
    found = np.full(len(names), np.nan)
    for name, value in zip(known, values, strict=True):
        found[(names == name).to_numpy()] = value
    return found


def selected(frame: pl.DataFrame, expressions: Sequence[pl.Expr]) -> pl.DataFrame:
    """Return the expressions over the frame; of a few rows one after the other, on this thread."""
    few = frame.height <= FEW_ROWS
    return frame.select_seq(expressions) if few else frame.select(expressions)


def first_row_from(line: NDArray[Any], starts: Rows, ends: Rows, bounds: Rows) -> Rows:
    """Return per range [start, end) the first row whose entry is >= the bound; `end` if none is.

    Within each range the entries are sorted. Many ranges are halved together: the steps grow with
    the logarithm of the longest one.

    Examples
    --------
    >>> line = np.array([3, 5, 9, 1, 2])
    >>> first_row_from(line, np.array([0, 3]), np.array([3, 5]), np.array([5, 7])).tolist()
    [1, 5]
    """
    if len(starts) <= FEW_RANGES:
        spans = zip(starts.tolist(), ends.tolist(), bounds.tolist(), strict=True)
        rows = [start + line[start:end].searchsorted(bound) for start, end, bound in spans]
        return np.asarray(rows, dtype=np.int64)
    low, high = starts.copy(), ends.copy()
    longest = int((ends - starts).max(initial=0))
    for _ in range(longest.bit_length()):
        middle = (low + high) >> 1
        open_ = low < high
        before = open_ & (line[np.where(open_, middle, 0)] < bounds)
        low = np.where(before, middle + 1, low)
        high = np.where(open_ & ~before, middle, high)
    return low


def running_totals(values: NDArray[Any], dtype: type[np.integer[Any]] = np.int64) -> NDArray[Any]:
    """Return at i the sum of all entries before i; one entry more than there are values.

    Examples
    --------
    >>> running_totals(np.array([True, False, True])).tolist()
    [0, 1, 1, 2]
    """
    totals = np.zeros(len(values) + 1, dtype=dtype)
    np.cumsum(values, dtype=dtype, out=totals[1:])
    return totals


def moved_back(values: NDArray[Any], first: Any) -> NDArray[Any]:
    """Return each entry one place later, `first` in front, the last one gone.

    Examples
    --------
    >>> moved_back(np.array([3, 5, 9]), -1).tolist()
    [-1, 3, 5]
    """
    moved = np.empty_like(values)
    moved[:1] = first
    moved[1:] = values[:-1]
    return moved


def begins_run(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell per entry whether it differs from the one before; the first one does.

    Examples
    --------
    >>> begins_run(np.array([7, 7, 2])).tolist()
    [True, False, True]
    """
    begins = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=begins[1:])
    return begins


def joined_ranges(starts: Rows, count: Rows) -> Rows:
    """Return the numbers start, start + 1 ... of each range, one range after the other.

    Examples
    --------
    >>> joined_ranges(np.array([7, 2]), np.array([2, 3])).tolist()
    [7, 8, 2, 3, 4]
    """
    return np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count - starts, count)
