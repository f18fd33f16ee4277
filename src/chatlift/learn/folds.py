"""Which rows judge which: grouped, stratified folds and the temporal holdout with its purge.

A contact is never on both sides of a fold. Rows are numbered as in the snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def grouped_folds(groups: Rows, labels: NDArray[np.float64], *, folds: int, seed: int) -> Rows:
    """Return the fold of each row, 0 to `folds` - 1.

    Groups are shuffled, then dealt out from the rarest class of share of ones on, so that every
    fold holds a like number of groups and of ones.
    """
    unique, member = np.unique(groups, return_inverse=True)
    ones = np.bincount(member, weights=labels, minlength=len(unique))
    sizes = np.bincount(member, minlength=len(unique))
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(unique))
    share = ones[shuffled] / sizes[shuffled]
    # Sorted by share in coarse steps, then by size: neighbours are alike and are dealt in turn.
    order = shuffled[np.lexsort((-sizes[shuffled], np.round(share, 1)))]
    turn = np.arange(len(order)) % folds
    blocks = np.arange(len(order)) // folds
    mixed = (
        np.concatenate(
            [generator.permutation(turn[blocks == block]) for block in np.unique(blocks)]
        )
        if len(order)
        else turn
    )
    fold_of_group = np.empty(len(unique), dtype=np.int64)
    fold_of_group[order] = mixed
    return fold_of_group[member]


@dataclass(frozen=True, kw_only=True)
class Split:
    """A temporal holdout."""

    train: Rows
    """Rows whose horizon ended before the first judged cutoff."""
    judge: Rows
    """Rows on or after it."""
    purged: int
    """Rows dropped because their horizon reached into the holdout."""


def temporal_split(examples: pl.DataFrame, *, test_size: float) -> Split:
    """Hold out the newest examples, `test_size` of them.

    Parameters
    ----------
    examples
        One row per mature example, with `split_at` and `horizon_ends_at`.
    """
    split_at = examples.get_column("split_at").dt.timestamp("us").to_numpy()
    ends_at = examples.get_column("horizon_ends_at").dt.timestamp("us").to_numpy()
    if not len(split_at):
        none = np.empty(0, dtype=np.int64)
        return Split(train=none, judge=none, purged=0)
    boundary = np.quantile(split_at, 1 - test_size, method="higher")
    is_judge = split_at >= boundary
    is_train = ~is_judge & (ends_at <= boundary)
    return Split(
        train=np.flatnonzero(is_train),
        judge=np.flatnonzero(is_judge),
        purged=int((~is_judge & ~is_train).sum()),
    )
