"""Which columns move a model's scores most.

Input: a fitted model and a snapshot. Output: names of columns; the encoded columns of one imported
attribute (`lead.source=ad`, `lead.source=friend`) count together as that attribute (`lead.source`).
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from chatlift.learn.fitting import FittedModel
from chatlift.learn.snapshots import Snapshot

MOST_NAMED = 3
MOST_ROWS = 1_000
"""Rows that are looked at, evenly spread; a mean over them needs no more."""


def most_moving(model: FittedModel, snapshot: Snapshot, count: int = MOST_NAMED) -> tuple[str, ...]:
    """Return the names of the columns that move the scores most, the strongest first.

    A column's movement is the mean distance, in log-odds, of what it adds from what it adds on
    average; columns that move nothing are not named.
    """
    step = max(1, len(snapshot) // MOST_ROWS)
    design = model.design(snapshot.take(np.arange(0, len(snapshot), step)))
    parts = model.estimator.contributions(design)[:, :-1]
    by_name: dict[str, list[int]] = defaultdict(list)
    for place, column in enumerate(model.columns):
        by_name[column.split("=", 1)[0]].append(place)
    movement = {}
    for name, places in by_name.items():
        added = parts[:, places].sum(axis=1)
        movement[name] = float(np.abs(added - added.mean()).mean())
    ranked = sorted(movement, key=lambda name: -movement[name])
    return tuple(name for name in ranked[:count] if movement[name] > 0)
