"""Which columns move the scores most."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chatlift.learn.movement import most_moving

COLUMNS = ("hours", "lead.plan=a", "lead.plan=b", "lead.city", "constant")
WEIGHTS = np.array([1.0, 0.8, -0.8, 0.1, 50.0])


class Rows:
    """As many rows of a design as were taken."""

    def __init__(self, design: np.ndarray) -> None:
        self.design = design

    def __len__(self) -> int:
        return len(self.design)

    def take(self, rows: np.ndarray) -> "Rows":
        return Rows(self.design[rows])


def linear() -> Any:
    """A model whose columns add their value times their weight; then the base value."""
    estimator = SimpleNamespace(contributions=lambda d: np.hstack([d * WEIGHTS, d[:, :1] * 0 + 9]))
    return SimpleNamespace(columns=COLUMNS, estimator=estimator, design=lambda rows: rows.design)


@pytest.fixture
def rows() -> Any:
    """The plan is a or b, which counts twice 0.8; the hours are 0 or 1; the last never moves."""
    count = 900
    plan, hours = np.arange(count) % 2, np.arange(count) // 3 % 2
    city = np.arange(count) // 5 % 2
    return Rows(np.column_stack([hours, plan, 1 - plan, city, np.ones(count)]))


def test_the_columns_of_one_attribute_move_together(rows: Any) -> None:
    assert most_moving(linear(), rows) == ("lead.plan", "hours", "lead.city")
    assert most_moving(linear(), rows, 1) == ("lead.plan",)


def test_what_adds_the_same_to_everybody_moves_nothing(rows: Any) -> None:
    assert most_moving(linear(), rows, 9) == ("lead.plan", "hours", "lead.city")
