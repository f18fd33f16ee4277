"""Compute declared features for examples, as of each example's cutoff.

Input: a history, examples (one row per entity and cutoff) and the features wanted. Output: one
Float64 column per feature, one row per example in the same order; null where unknown, never NaN.
The same function serves training and prediction, so both see the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from chatlift.errors import InvalidInput
from chatlift.history import History
from chatlift.learn.arrays import Values
from chatlift.learn.features.asof import AsOf
from chatlift.learn.features.declare import Feature


def compute_features(
    history: History, examples: pl.DataFrame, features: Sequence[Feature]
) -> pl.DataFrame:
    """Return one row per example, in order, with one Float64 column per feature.

    Parameters
    ----------
    examples
        Columns `contact_id` (Int64), `cutoff` (UTC microseconds), `lead_id` (Int64 or null).

    Raises
    ------
    InvalidInput
        If a feature does not give exactly one number per example.
    """
    values = feature_values(history, examples, features)
    columns = {feature.name: row for feature, row in zip(features, values, strict=True)}
    return pl.DataFrame(columns or None, height=examples.height).fill_nan(None)


def feature_values(history: History, examples: pl.DataFrame, features: Sequence[Feature]) -> Values:
    """Return one row per feature, one number per example, NaN where unknown; as above."""
    view = AsOf(history, examples)
    values = np.empty((len(features), len(view)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for row, feature in enumerate(features):
            values[row] = _values(feature, view)
    values[~np.isfinite(values)] = np.nan
    return values


def _values(feature: Feature, view: AsOf) -> Values:
    values = np.asarray(feature.compute(view), dtype=np.float64)
    if values.shape != (len(view),):
        raise InvalidInput(
            f"Feature {feature.name} gave an array of shape {values.shape} for {len(view)} "
            "examples. It has to return one number per example."
        )
    return values
