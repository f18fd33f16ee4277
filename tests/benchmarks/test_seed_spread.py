from __future__ import annotations

import numpy as np
import pytest
from benchmarks.seed_spread import (
    DAYS_A_MONTH,
    ECONOMY,
    SIGNALS,
    WITHIN_MONTH,
    Spread,
    Unit,
    summary_rows,
    table_of,
)


def test_the_economy_is_nearly_the_same_for_all_leads_of_a_month_and_drifts_between_them() -> None:
    numbers, labels, days = table_of(1000)
    assert set(np.unique(labels)) == {0.0, 1.0}
    economy = numbers[:, -ECONOMY:]
    assert numbers.shape[1] == len(SIGNALS) + ECONOMY
    month = days // DAYS_A_MONTH
    means = np.array([economy[month == one].mean(axis=0) for one in np.unique(month)])
    within = np.array([economy[month == one].std(axis=0) for one in np.unique(month)])
    assert within.max() < 2 * WITHIN_MONTH
    assert means.std(axis=0).min() > 10 * WITHIN_MONTH
    neighbours = [np.corrcoef(figure[:-1], figure[1:])[0, 1] for figure in means.T]
    assert np.mean(neighbours) > 0.6  # 0.9, less what the sample of 36 months takes off.


def test_the_same_seed_makes_the_same_table() -> None:
    first, again = table_of(3), table_of(3)
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))


def spread(table: int, *aucs: float) -> Spread:
    unit = Unit(table=table, way="shipped", fits=len(aucs))
    return Spread(unit=unit, aucs=aucs, rungs=("full",) * len(aucs), seconds=1.0)


def test_the_spread_is_that_of_one_table_and_not_between_tables() -> None:
    found = [spread(0, 0.60, 0.61), spread(1, 0.70, 0.73)]
    assert found[1].width == pytest.approx(0.03)
    [row] = summary_rows(found)
    assert row[:4] == ["shipped", "0.660", "0.020", "0.030"]
    assert str(row[4]).startswith("1 of 2")
