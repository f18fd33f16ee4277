"""Piecewise-linear curves over the columns of a matrix: a spline basis, and what is fitted on it.

A curve has knots at quantiles of the training values and one level per knot. Between two knots it
runs straight; beyond the outermost it stays level, so that a value never seen in training counts
as the nearest one that was. An unknown value (NaN) has level 0.

The basis has two curves a column, on the scale of ranks rather than of values, so that one huge
order weighs no more than the next largest:

- the *line*: the value's rank among the training values, from 0 to 1, less the mean rank, times
  the square root of 12. A column of distinct values gets mean 0 and spread 1; a yes that one row
  in a hundred has is as far from no as in an even split, so its spread is small and a ridge
  penalty holds it more tightly;
- the *bend*: how far the line is from its middle, either way, scaled likewise. It lets both ends
  count alike; a column of fewer than three knots has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chatlift.learn.arrays import Rows, Values

QUANTILES = np.array([0.0, 0.025, *np.linspace(0.125, 0.875, 7), 0.975, 1.0])
"""Of all known values: where most rows are, and near the ends, so that a single huge value flattens
the curve over no more than the fortieth of the rows that is next to it."""
QUANTILES_OF_DISTINCT = np.linspace(0.0, 1.0, 5)
"""Of the distinct values: where few rows are, such as in the long tail behind many zeros."""
SPREAD_OF_RANKS = 12.0**-0.5
"""Standard deviation of an even distribution from 0 to 1; that of its distance from the middle is
half of it."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """One curve per column.

    Raises
    ------
    ValueError
        If the shapes differ, a number is not finite or the knots of a curve do not ascend.
    """

    knots: Values
    """Columns x knots; a curve with fewer knots than others repeats its last."""
    levels: Values
    """Columns x knots: the curve's height at each knot."""

    def __post_init__(self) -> None:
        is_table = self.knots.ndim == 2 and self.knots.shape == self.levels.shape
        if not is_table or self.knots.shape[1] < 2:
            raise ValueError((self.knots.shape, self.levels.shape))
        if not (np.isfinite(self.knots).all() and np.isfinite(self.levels).all()):
            raise ValueError("a knot or level is not finite")
        if (np.diff(self.knots, axis=1) < 0).any():
            raise ValueError("the knots of a curve descend")

    @classmethod
    def of_lists(cls, knots: Sequence[Values], levels: Sequence[Values]) -> Curves:
        """Return curves with as many knots each as its own arrays have; at least one.

        Raises
        ------
        ValueError
            If a curve has no knot, or not one level for each.
        """
        if [len(one) for one in knots] != [len(one) for one in levels]:
            raise ValueError("not one level for each knot")
        most = max([2, *(len(one) for one in knots)])
        return cls(knots=_padded(knots, most), levels=_padded(levels, most))

    def to_lists(self) -> tuple[list[list[float]], list[list[float]]]:
        """Return knots and levels of each curve without the repeated ones."""
        counts = (1 + (self._widths > 0).sum(axis=1)).tolist()
        return (
            [row[:count] for row, count in zip(self.knots.tolist(), counts, strict=True)],
            [row[:count] for row, count in zip(self.levels.tolist(), counts, strict=True)],
        )

    def with_levels(self, levels: Values) -> Curves:
        """Return curves of other heights on the same knots."""
        return Curves(knots=self.knots, levels=levels)

    def of(self, matrix: NDArray[np.floating]) -> Values:
        """Return the height at each value, of the matrix's shape; 0 where it is NaN.

        A row's heights are the same bits whichever other rows stand beside it.
        """
        is_unknown = np.isnan(matrix)
        values = np.where(is_unknown, self.knots[:, 0], matrix)
        piece = self._pieces(values)
        knot, width, level, rise = (table.take(piece) for table in self._tables)
        share = np.minimum(np.maximum((values - knot) / width, 0.0), 1.0)
        return np.where(is_unknown, 0.0, level + rise * share)

    def _pieces(self, values: Values) -> Rows:
        """Return for each value the place of its piece in the tables."""
        columns, most = self.knots.shape
        piece: Rows = np.zeros(values.shape, dtype=np.int64)
        for place in range(1, most - 1):
            piece += values >= self.knots[:, place]
        return np.asarray(piece + np.arange(columns) * (most - 1), dtype=np.int64)

    @cached_property
    def _widths(self) -> Values:
        return np.diff(self.knots, axis=1)

    @cached_property
    def _tables(self) -> tuple[Values, ...]:
        """Left knot, width, left level and rise of each piece, column after column."""
        is_empty = self._widths == 0
        widths = np.where(is_empty, 1.0, self._widths)
        rises = np.where(is_empty, 0.0, np.diff(self.levels, axis=1))
        # A piece of no width lies at the end, where the last level holds.
        return tuple(
            np.ascontiguousarray(table).ravel()
            for table in (self.knots[:, :-1], widths, self.levels[:, :-1], rises)
        )


def lines_and_bends(matrix: NDArray[np.floating]) -> tuple[Curves, Curves]:
    """Return the two curves of each column, learned from these rows; see the module's text.

    Each has mean 0 over the rows whose value is known. A column without known values, or with
    only one, has level curves.
    """
    ranked = np.sort(np.where(np.isfinite(matrix), matrix, np.nan), axis=0).astype(np.float64)
    counts = (~np.isnan(ranked)).sum(axis=0)
    columns = [ranked[:count, column] for column, count in enumerate(counts.tolist())]
    knots = [_knots(values) for values in columns]
    levels = [_ranks(*pair) for pair in zip(columns, knots, strict=True)]
    lines = _centred(Curves.of_lists(knots, levels), matrix, SPREAD_OF_RANKS)
    has_bend = np.array([len(one) > 2 for one in knots], dtype=np.bool_)
    distances = lines.with_levels(np.where(has_bend[:, None], np.abs(lines.levels), 0.0))
    return lines, _centred(distances, matrix, 0.5)


def _knots(ranked: Values) -> Values:
    """Return the knots of one column, ascending, all different; 0 where it has no values."""
    if not len(ranked):
        return np.zeros(1)
    distinct = ranked[np.r_[True, ranked[1:] != ranked[:-1]]]
    usual = ranked[(QUANTILES * (len(ranked) - 1)).astype(np.int64)]
    rare = distinct[(QUANTILES_OF_DISTINCT * (len(distinct) - 1)).astype(np.int64)]
    return np.unique(np.concatenate([usual, rare]))


def _ranks(ranked: Values, knots: Values) -> Values:
    """Return the rank of each knot among the values, 0 to 1; equal values share theirs.

    Examples
    --------
    >>> _ranks(np.array([0.0, 0.0, 1.0, 5.0]), np.array([0.0, 1.0, 5.0])).tolist()
    [0.25, 0.625, 0.875]
    """
    below, upto = ranked.searchsorted(knots, "left"), ranked.searchsorted(knots, "right")
    return np.asarray((below + upto) / (2 * max(len(ranked), 1)), dtype=np.float64)


def _centred(curves: Curves, matrix: NDArray[np.floating], spread: float) -> Curves:
    """Return curves less their mean over the known values of these rows, in units of `spread`."""
    is_known = ~np.isnan(matrix)
    mean = curves.of(matrix).sum(axis=0, where=is_known) / np.maximum(is_known.sum(axis=0), 1)
    return curves.with_levels((curves.levels - mean[:, None]) / spread)


def _padded(rows: Sequence[Values], length: int) -> Values:
    """Return rows of different lengths as a table; the last entry of each is repeated."""
    padded = [np.r_[row, np.full(length - len(row), row[-1])] for row in rows if len(row)]
    if len(padded) < len(rows):
        raise ValueError("a curve has no knot")
    return np.array(padded, dtype=np.float64).reshape(len(rows), length)
