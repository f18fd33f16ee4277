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

    Groups are dealt out in rounds, the weightier first, about as many to each fold; in each round
    the group with most ones above its due goes to the fold that has fewest above its own. So the
    folds have nearly the same share of ones. Were they left to chance, a fold with many ones would
    be judged by fits that saw few, and the AUC over all folds would come out below 0.5 where
    nothing can be known (docs/benchmarks.md).
    """
    unique, member = np.unique(groups, return_inverse=True)
    sizes = np.bincount(member, minlength=len(unique))
    surplus = np.bincount(member, weights=labels, minlength=len(unique)) - sizes * labels.mean()
    generator = np.random.default_rng(seed)
    # The chance in the order makes other folds for another seed.
    order = np.argsort(-np.abs(surplus) * generator.uniform(0.5, 1.5, len(unique)), kind="stable")
    fold_of_group = np.empty(len(unique), dtype=np.int64)
    balance = np.zeros(folds)
    for dealt in np.split(order, range(folds, len(order), folds)):
        neediest = np.lexsort((generator.random(folds), balance))[: len(dealt)]
        taken = dealt[np.argsort(-surplus[dealt], kind="stable")]
        fold_of_group[taken] = neediest
        balance[neediest] += surplus[taken]
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
