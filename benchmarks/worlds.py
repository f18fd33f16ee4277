"""Worlds of our own: tables of numbers with known chances, as snapshots that `fit` takes.

Input: a matrix with one row per lead, its outcomes and dates. There are no messages, attributes or
conversations in such a world, so nothing but the numbers can carry a signal.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.learn.features.text import TokenMatrix
from chatlift.learn.fitting import Recipe
from chatlift.learn.snapshots import Snapshot
from chatlift.learn.specs.base import as_examples
from chatlift.learn.specs.lead_scoring import SPEC
from chatlift.records import INSTANT
from chatlift.vocabulary import Rung

Values = NDArray[np.float64]

DAY = 86_400_000_000
"""Microseconds of a day."""
HORIZON_DAYS = 30
START = 1_735_689_600_000_000
"""2025-01-01 UTC in microseconds since 1970: day 0 of every world."""


def snapshot_of(numbers: Values, labels: Values, days: Values) -> Snapshot:
    """Return one lead per row, each of a contact of its own, judged at its creation.

    Parameters
    ----------
    numbers
        One column per feature, called `x0`, `x1` ...; NaN where unknown.
    labels
        0 or 1: whether the lead was won within `HORIZON_DAYS`.
    days
        The day of each lead's creation, from day 0 of the world; may be broken.
    """
    count, width = numbers.shape
    created = START + np.rint(days * DAY).astype(np.int64)
    lead_ids = np.arange(1, count + 1)
    rows = pl.DataFrame({"entity_id": lead_ids, "created": created}).with_columns(
        contact_id="entity_id",
        lead_id="entity_id",
        cutoff=pl.col("created").cast(INSTANT),
        split_at=pl.col("created").cast(INSTANT),
        horizon_ends_at=(pl.col("created") + HORIZON_DAYS * DAY).cast(INSTANT),
        age_days=pl.lit(0.0),
        is_leading=pl.lit(value=True),
        label=pl.Series(labels),
    )
    nothing = np.zeros(count, dtype=np.int64)
    return Snapshot(
        examples=as_examples(rows),
        feature_names=names_of(width),
        numbers=np.ascontiguousarray(numbers, dtype=np.float32),
        attributes=pl.DataFrame(height=count),
        tokens=TokenMatrix(indptr=np.zeros(1, dtype=np.int64), indices=np.empty(0, dtype=np.int32)),
        message_ids=np.empty(0, dtype=np.int64),
        starts=nothing,
        ends=nothing,
    )


def names_of(width: int) -> tuple[str, ...]:
    """Return the names of so many features.

    Examples
    --------
    >>> names_of(2)
    ('x0', 'x1')
    """
    return tuple(f"x{place}" for place in range(width))


def recipe_of(
    width: int,
    seed: int,
    *,
    rule: tuple[str, ...],
    basis: Rung | None = None,
    parameters: dict[str, float] | None = None,
) -> Recipe:
    """Return the shipped recipe of lead scoring for a world of so many features.

    Parameters
    ----------
    rule
        Features that the simple rule looks at.
    basis
        The rung to fit; None: the one that the data supports.
    parameters
        Hyperparameters in place of the defaults.
    """
    return Recipe(
        estimator=SPEC.estimator,
        parameters=SPEC.parameters({"text_strength": 0.0} | (parameters or {})),
        seed=seed,
        features=names_of(width),
        rule=rule,
        basis=basis,
    )
