"""The mean that reasons are told against: of those scored when a version was made.

What is the same for everybody is no reason. So the mean contribution of each design column over
the entities that can be scored at the end of the data is kept with the version. The chance of an
answer also depends on the hour, and at night nobody has habits in his favour; so engagement keeps
one mean per weekday and part of the day, over the last seven days.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from chatlift.learn.arrays import Rows
from chatlift.learn.estimators import Matrix, Vector
from chatlift.learn.features.timeline import (
    PARTS_OF_DAY,
    hour_of,
    local_time,
    part_of,
    weekday_of,
)
from chatlift.learn.fitting import FittedModel

SLOTS = 7 * PARTS_OF_DAY
"""Parts of a week."""
FEWEST_ROWS = 10
"""Of a slot; with fewer the mean over all slots stands in."""
MOST_ENTITIES = 300
PART = timedelta(hours=24 // PARTS_OF_DAY)


def slots_at(cutoffs: Rows, time_zone: str) -> Rows:
    """Return the part of the week of each instant (microseconds): 0 is the night to Monday."""
    local = local_time(cutoffs, time_zone)
    return weekday_of(local) * PARTS_OF_DAY + part_of(hour_of(local))


def instants_of_week(through: datetime) -> list[datetime]:
    """Return one instant in each part of the week that ends at `through`."""
    return [through - number * PART for number in range(SLOTS)]


def mean_contributions(model: FittedModel, design: Matrix, slots: Rows | None) -> Vector:
    """Return the mean contribution per slot (rows) and design column.

    Parameters
    ----------
    design
        The model's design matrix; one row per entity, or per entity and slot.
    slots
        The part of the week of each row; None: one mean over all rows.
    """
    moved = model.contributions(design)
    overall = moved.mean(axis=0)
    if slots is None:
        return np.asarray(overall[None, :])
    means = np.tile(overall, (SLOTS, 1))
    for slot in np.unique(slots).tolist():
        inside = slots == slot
        if inside.sum() >= FEWEST_ROWS:
            means[slot] = moved[inside].mean(axis=0)
    return means
