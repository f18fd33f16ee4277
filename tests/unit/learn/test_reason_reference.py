"""The mean that reasons are told against: of those scored, at the same part of the week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np
from numpy.typing import NDArray

from chatlift.learn.arrays import microsecond_of
from chatlift.learn.fitting import FittedModel
from chatlift.learn.reason_reference import (
    FEWEST_ROWS,
    SLOTS,
    instants_of_week,
    mean_contributions,
    slots_at,
)

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


class Doubling:
    """A model whose contributions are twice the design."""

    def contributions(self, design: NDArray[np.float32]) -> NDArray[np.float64]:
        return 2.0 * design


MODEL = cast("FittedModel", Doubling())


def test_each_part_of_the_week_has_one_instant() -> None:
    instants = instants_of_week(MONDAY + timedelta(hours=9))
    slots = slots_at(np.array([microsecond_of(i) for i in instants]), "Europe/Madrid")
    assert sorted(slots.tolist()) == list(range(SLOTS))
    assert max(instants) == MONDAY + timedelta(hours=9)


def test_slots_follow_the_clock_of_the_business() -> None:
    """Sunday 23:30 UTC is Monday 01:30 in Madrid, the first night of the week."""
    late = np.array([microsecond_of(MONDAY - timedelta(minutes=30))])
    assert slots_at(late, "Europe/Madrid").tolist() == [0]
    assert slots_at(late, "UTC").tolist() == [SLOTS - 1]


def test_a_slot_with_too_few_rows_takes_the_mean_of_all() -> None:
    """Ten rows of 1 in slot 3, two rows of 7 in slot 5: means 2 and, over all, 2 x 24 / 12 = 4."""
    design = np.array([[1.0]] * FEWEST_ROWS + [[7.0]] * 2, dtype=np.float32)
    slots = np.array([3] * FEWEST_ROWS + [5] * 2)
    means = mean_contributions(MODEL, design, slots)
    assert means.shape == (SLOTS, 1)
    assert (means[3, 0], means[5, 0], means[0, 0]) == (2.0, 4.0, 4.0)
    assert mean_contributions(MODEL, design, None).tolist() == [[4.0]]
