"""The best figure anyone could reach, where the truth behind the data is known.

Only generated data has a truth: the probability of every outcome, kept apart from the CRM. The
ceiling is the same metric computed on those probabilities and the labels that came of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from chatlift.learn.fitting import best_f1_threshold
from chatlift.learn.metrics import METRICS, Judged
from chatlift.learn.snapshots import Snapshot

CEILING_METRICS = ("mae", "r2", "accuracy", "precision", "recall", "f1", "roc_auc", "brier")

Ceilings = Mapping[str, float]
"""Metric to the best value that this data allows."""


def ceilings(snapshot: Snapshot, truth: pl.DataFrame) -> Ceilings | None:
    """Measure the truth itself on the snapshot's leading rows; None where it covers too few.

    Parameters
    ----------
    truth
        One row per example: `entity_id`, `cutoff` (null: holds at every cutoff of the entity)
        and the true `probability` of the label.
    """
    rows = snapshot.examples.filter(pl.col("is_leading"))
    keys = (
        ["entity_id", "cutoff"] if truth.get_column("cutoff").is_not_null().all() else ["entity_id"]
    )
    told = truth.select(*keys, "probability").unique(keys)
    joined = rows.join(told, on=keys, how="inner")
    if joined.height < rows.height / 2 or joined.is_empty():
        return None
    labels = joined.get_column("label").cast(pl.Float64).to_numpy()
    chances = np.clip(joined.get_column("probability").to_numpy(), 1e-4, 1 - 1e-4)
    acted = (chances >= best_f1_threshold(chances, labels)).astype(np.float64)
    judged = Judged(labels, chances, acted, joined.get_column("contact_id").to_numpy())
    ones = np.ones((1, len(labels)))
    return {name: float(METRICS[name](judged, ones)[0]) for name in CEILING_METRICS}
