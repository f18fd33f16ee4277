"""Quantiles over any window of a long line, from running counts per logarithmic bucket.

Input: one whole number per event (seconds of delay, characters ...). Output: `Buckets`, which
answers quantiles over ranges of events, all ranges at once. Neighbouring bucket edges lie 8 %
apart and a bucket is read as its middle, so a value is off by at most 4 % (10 % is promised);
what is below one counts as zero.

The running counts are kept as a wavelet matrix (Claude, Navarro, Ordonez 2015, "The wavelet
matrix"): one running count per bit of the bucket's number rather than one per bucket. The work
is eight steps per range, whatever its length, and does not depend on other contacts. A few
ranges are simply sorted, which gives the same buckets.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chatlift.learn.arrays import running_totals

Rows = NDArray[np.int64]

BITS = 8
FEW_RANGES = 16
"""Up to so many ranges are sorted one by one, which is quicker than counting for them."""
RATIO = 1.08
EDGES = RATIO ** np.arange(2**BITS - 1)
"""Lower edges of the buckets above the first: 1 to 3.1e8 (ten years of seconds)."""
MIDDLES = np.r_[0.0, EDGES * RATIO**0.5]


class Buckets:
    """Running counts over a sequence of events."""

    def __init__(self, values: NDArray[np.generic]) -> None:
        self._codes = np.searchsorted(EDGES, values, side="right").astype(np.uint8)

    @cached_property
    def _zeros(self) -> list[NDArray[np.int32]]:
        """Per bit of the code, highest first, the running count of zeros."""
        codes, counts = self._codes, []
        for bit in reversed(range(BITS)):
            is_zero = (codes >> bit) & 1 == 0
            counts.append(running_totals(is_zero, np.int32))
            codes = np.concatenate([codes[is_zero], codes[~is_zero]])
        return counts

    def quantile(self, starts: Rows, ends: Rows, share: float) -> NDArray[np.float64]:
        """Return the quantile of each range [start, end); NaN where it is empty.

        Between two neighbours it is interpolated, as a median of two is their mean.

        Examples
        --------
        >>> Buckets(np.array([60, 0, 3600])).quantile(np.array([0]), np.array([2]), 0.0).tolist()
        [0.0]
        """
        if len(starts) <= FEW_RANGES:
            spans = zip(starts.tolist(), ends.tolist(), strict=True)
            return np.array([self._of_range(start, end, share) for start, end in spans])
        count = ends - starts
        place = np.maximum(count - 1, 0) * share
        lower = np.floor(place).astype(np.int64)
        value = self._nth(starts, ends, lower)
        if np.any(place != lower):
            upper = self._nth(starts, ends, np.minimum(lower + 1, np.maximum(count - 1, 0)))
            value = value + (upper - value) * (place - lower)
        return np.where(count > 0, value, np.nan)

    def _of_range(self, start: int, end: int, share: float) -> float:
        """Return the quantile of one range; sorting it is quicker than looking at every bit."""
        if start >= end:
            return np.nan
        values = MIDDLES[np.sort(self._codes[start:end])]
        place = (end - start - 1) * share
        lower = int(place)
        value = float(values[lower])
        if place == lower:
            return value
        return value + (float(values[lower + 1]) - value) * (place - lower)

    def _nth(self, starts: Rows, ends: Rows, rank: Rows) -> NDArray[np.float64]:
        """Return the middle of the bucket that holds the value of the given rank (from 0)."""
        code = np.zeros(len(starts), dtype=np.int64)
        low, high, rank = starts, ends, rank.copy()
        for bit, zeros in zip(reversed(range(BITS)), self._zeros, strict=True):
            zeros_low, zeros_high = zeros[low], zeros[high]
            is_one = rank >= zeros_high - zeros_low
            rank = np.where(is_one, rank - (zeros_high - zeros_low), rank)
            low = np.where(is_one, zeros[-1] + low - zeros_low, zeros_low)
            high = np.where(is_one, zeros[-1] + high - zeros_high, zeros_high)
            code += is_one.astype(np.int64) << bit
        return np.asarray(MIDDLES[code], dtype=np.float64)
