"""Facts as of an instant: the newest one known strictly before it, of the one asked about."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tests.histories import at

from chatlift.history import FACTS
from chatlift.learn.arrays import FEW_ROWS, microsecond_of
from chatlift.learn.features.facts import DatedFacts
from chatlift.vocabulary import FactSubject

STORY = [
    ["contact", 1, "plan", "free", at(1)],
    ["contact", 1, "plan", "gold", at(5)],
    ["contact", 1, "plan", "platinum", at(5)],
    ["contact", 1, "plan", None, at(9)],
    ["contact", 2, "plan", "free", at(3)],
    ["lead", 1, "plan", "of a lead", at(0)],
    ["contact", 1, "seats", "4", at(0)],
]


def read(story: list[list[object]], asked: list[tuple[int, float]]) -> list[str | None]:
    facts = DatedFacts(pl.DataFrame(story, schema=FACTS, orient="row"))
    ids = np.array([contact for contact, _ in asked])
    cutoffs = np.array([microsecond_of(at(day)) for _, day in asked])
    return facts.values_at(facts.rows_as_of(FactSubject.CONTACT, "plan", ids, cutoffs)).to_list()


OTHERS = [["contact", 9, "plan" if row % 2 else "seats", "x", at(2)] for row in range(FEW_ROWS)]
"""So many that facts are no longer looked at one by one."""


@pytest.mark.parametrize(
    "story", [STORY, [STORY[i] for i in (4, 3, 1, 2, 6, 0, 5)], [*STORY, *OTHERS]]
)
def test_the_newest_value_known_before_the_cutoff_counts(story: list[list[object]]) -> None:
    """Of two values of one instant the later row; a value known to be empty is empty."""
    asked = [(1, 1), (1, 1.1), (1, 5), (1, 5.1), (1, 10), (2, 3), (2, 4), (3, 9), (-1, 9)]
    told = [None, "free", "free", "platinum", None, None, "free", None, None]
    assert read(story, asked) == told


def test_nothing_told_is_nothing_known() -> None:
    assert read([], [(1, 5)]) == [None]
    assert read(STORY, []) == []


def test_names_are_told_once_and_in_order() -> None:
    facts = DatedFacts(pl.DataFrame(STORY, schema=FACTS, orient="row"))
    contact, lead = FactSubject.CONTACT, FactSubject.LEAD
    assert facts.names() == [(contact, "plan"), (contact, "seats"), (lead, "plan")]
