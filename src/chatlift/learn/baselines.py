"""The plain rules that every model has to beat, learned and judged on the same rows as it.

A rule is a one-column logistic line, so that it answers with a probability too: on the time since
the contact last wrote (churn), on the share of sends it answered (engagement), on the win rate of
its source (leads). Where its input does not exist, the base rate stands in.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from chatlift.learn.estimators import Logistic, Matrix, Vector
from chatlift.learn.snapshots import Snapshot
from chatlift.learn.specs.base import ModelSpec

SOURCE_COLUMNS = ("lead.source", "contact.source")
PRIOR_ROWS = 10.0
"""A source's win rate is pulled towards the base rate as if by this many more rows."""


def rule_probabilities(spec: ModelSpec, train: Snapshot, judge: Snapshot) -> Vector:
    """Return the rule's probability per judged row, learned on the training rows only."""
    labels = train.labels
    column = rule_input(spec, train, train)
    known = column[~np.isnan(column)]
    if not len(known) or known.std() == 0 or len(np.unique(labels)) < 2:
        return np.full(len(judge), labels.mean())
    fitted = Logistic().fit(column, labels, {"l2": 1.0}, 0)
    return np.asarray(1 / (1 + np.exp(-fitted.margins(rule_input(spec, train, judge)))))


def rule_input(spec: ModelSpec, train: Snapshot, judge: Snapshot) -> Matrix:
    """Return the one column that the rule looks at; NaN where unknown."""
    if spec.rule_feature is None:
        values = _source_rates(train, judge)
    elif spec.rule_feature in judge.feature_names:
        values = judge.columns_of([spec.rule_feature])[:, 0].astype(np.float64)
    else:
        values = np.full(len(judge), np.nan)
    if spec.rule_feature is not None and spec.rule_feature.startswith("hours_"):
        values = np.log1p(values)
    return values.reshape(-1, 1).astype(np.float32)


def _source_rates(train: Snapshot, judge: Snapshot) -> Vector:
    column = next((c for c in SOURCE_COLUMNS if c in train.attributes.columns), None)
    if column is None or column not in judge.attributes.columns:
        return np.full(len(judge), np.nan)
    base = train.labels.mean()
    rates = (
        train.attributes.select(source=pl.col(column))
        .with_columns(label=pl.Series(train.labels))
        .group_by("source")
        .agg(rate=(pl.col("label").sum() + PRIOR_ROWS * base) / (pl.len() + PRIOR_ROWS))
    )
    found = judge.attributes.select(source=pl.col(column)).join(
        rates, on="source", how="left", nulls_equal=True, maintain_order="left"
    )
    return found.get_column("rate").fill_null(base).to_numpy()
