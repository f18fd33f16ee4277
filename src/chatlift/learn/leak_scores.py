"""How well each imported attribute alone tells the outcome, beside the best of the other columns.

Input: a snapshot and the encoder of its attributes. Output: per attribute the AUC of a score made
of all its values together. The score of a row comes from the rows of other contacts only, so a rare
value cannot look better than it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.learn.features.attributes import AttributeEncoder
from chatlift.learn.folds import grouped_folds
from chatlift.learn.metrics import (
    Figure,
    Judged,
    Vector,
    interval_of,
    measure,
    measure_difference,
    measure_values,
)
from chatlift.learn.snapshots import Snapshot, numbers_of

Rows = NDArray[np.int64]

FOLDS = 5
MOST_BINS = 12
ROWS_PER_BIN = 10
PRIOR_ROWS = 2.0
"""Rows at the base rate that are added to each value, so that a rare one says little."""


def codes_of(
    encoder: AttributeEncoder, attributes: pl.DataFrame, cutoffs: pl.Series
) -> dict[str, Rows]:
    """Return for each attribute a whole number per row: which of its values the row has.

    Numbers and dates are cut at their quantiles; unknown is a value of its own, the last one.

    Parameters
    ----------
    attributes, cutoffs
        One row per example, as `AttributeEncoder.encode` takes them.
    """
    encoded = encoder.encode(attributes, cutoffs)
    codes = {}
    for attribute in encoder.attributes:
        values = numbers_of(encoded.select(attribute.columns))
        codes[attribute.name] = (
            np.argmax(values, axis=1) if attribute.kind == "category" else _bins(values[:, 0])
        )
    return codes


def _bins(values: NDArray[np.float32]) -> Rows:
    """Return the quantile bin of each number; the last one holds the unknown ones."""
    is_known = np.isfinite(values)
    known = values[is_known]
    count = int(np.clip(len(known) // ROWS_PER_BIN, 2, MOST_BINS))
    edges = np.unique(np.quantile(known, np.arange(1, count) / count)) if len(known) else known
    bins = np.searchsorted(edges, values, side="left")
    return np.where(is_known, bins, len(edges) + 1)


def cross_fitted_rates(codes: Rows, labels: Vector, folds: Rows) -> Vector:
    """Return per row the share of ones among the rows of other folds that have the same value.

    Examples
    --------
    >>> codes, labels = np.array([0, 0, 1, 1]), np.array([1.0, 1.0, 0.0, 0.0])
    >>> cross_fitted_rates(codes, labels, np.array([0, 1, 0, 1])).round(2).tolist()
    [0.67, 0.67, 0.33, 0.33]
    """
    shape = (int(codes.max()) + 1, int(folds.max()) + 1)
    cells = codes * shape[1] + folds
    rows = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    ones = np.bincount(cells, weights=labels, minlength=rows.size).reshape(shape)
    other_rows = rows.sum(axis=1, keepdims=True) - rows
    other_ones = ones.sum(axis=1, keepdims=True) - ones
    base = other_ones.sum(axis=0) / np.maximum(other_rows.sum(axis=0), 1)
    rates = (other_ones + PRIOR_ROWS * base) / (other_rows + PRIOR_ROWS)
    return np.asarray(rates[codes, folds])


@dataclass(frozen=True, kw_only=True)
class ColumnScore:
    """How well one whole attribute tells the outcome, on contacts that it was not counted on."""

    name: str
    auc: Figure
    best_other: str
    """The attribute that is not high itself and tells it best; empty: there is none."""
    best_other_auc: Figure
    gain: Figure
    """`auc` less `best_other_auc`, on the same rows."""


class ColumnScores:
    """The attributes of a snapshot, scored one by one."""

    def __init__(self, encoder: AttributeEncoder, snapshot: Snapshot, *, seed: int) -> None:
        self.encoder = encoder
        self.snapshot = snapshot
        self.seed = seed
        self.labels = self.snapshot.labels
        self.contacts = self.snapshot.contacts
        self.folds = grouped_folds(self.contacts, self.labels, folds=FOLDS, seed=seed)

    def above(self, least: float) -> list[ColumnScore]:
        """Return the attributes whose AUC lies above `least`, each beside the best of the others.

        The others are the attributes that do not lie above it: of two columns that know the
        outcome neither excuses the other. Declared features are no measure: where messages tell
        nearly all, an attribute known from the creation on still should not.
        """
        if not len(self.labels) or self.labels.std() == 0:
            return []
        cutoffs = self.snapshot.examples.get_column("cutoff")
        codes = codes_of(self.encoder, self.snapshot.attributes, cutoffs)
        scores = {name: self._rates(code) for name, code in codes.items()}
        aucs = {name: self._auc(score) for name, score in scores.items()}
        high = [name for name, auc in aucs.items() if auc > least]
        if not high:
            return []
        others = [name for name in scores if name not in high]
        best = max(others, key=lambda name: aucs[name], default="")
        rival = scores.get(best, np.zeros_like(self.labels))
        return [self._compared(name, scores[name], best, rival) for name in high]

    def _rates(self, codes: Rows) -> Vector:
        return cross_fitted_rates(codes, self.labels, self.folds)

    def _auc(self, scores: Vector) -> float:
        return measure_values([self._judged(scores)], ["roc_auc"])["roc_auc"] or 0.0

    def _judged(self, scores: Vector) -> Judged:
        return Judged(self.labels, scores, np.zeros_like(scores), self.contacts)

    def _compared(self, name: str, score: Vector, best: str, rival: Vector) -> ColumnScore:
        own, other = [self._judged(score)], [self._judged(rival)]
        return ColumnScore(
            name=name,
            auc=measure(own, ["roc_auc"], seed=self.seed)["roc_auc"],
            best_other=best,
            best_other_auc=measure(other, ["roc_auc"], seed=self.seed)["roc_auc"],
            gain=interval_of(measure_difference(own, other, "roc_auc", seed=self.seed)),
        )


def first_rows(snapshot: Snapshot) -> NDArray[np.bool_]:
    """Return which examples count: of a lead the first one, of a contact all."""
    if snapshot.examples.get_column("lead_id").null_count():
        return np.ones(len(snapshot), dtype=np.bool_)
    return snapshot.examples.select(pl.col("entity_id").is_first_distinct()).to_series().to_numpy()
