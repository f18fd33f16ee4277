from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from tests.histories import START

from chatlift.learn.best_time import best_times
from chatlift.records import INSTANT


def sends(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    """Contact, hour, answered; one send a day."""
    return pl.DataFrame(
        {
            "contact_id": [contact for contact, _, _ in rows],
            "cutoff": [START + timedelta(days=i, hours=h) for i, (_, h, _) in enumerate(rows)],
            "label": [answered for _, _, answered in rows],
        },
        schema={"contact_id": pl.Int64, "cutoff": INSTANT, "label": pl.Int8},
    )


CROWD = [
    (contact, hour, answered)
    for contact in range(100, 130)
    for hour in (9, 19)
    for answered in (0, 1)
]
"""Thirty contacts, two sends each in the morning and in the evening, half of them answered."""


def test_a_contact_that_answers_in_the_evening_is_told_so() -> None:
    habit = [(1, 19, 1)] * 20 + [(1, 9, 0)] * 20
    best = best_times(sends(CROWD + habit), "UTC")[1]
    # The account in the evening: 30 of 60 by the crowd, 20 of 20 by this contact.
    account = (30 + 20) / (60 + 20)
    assert best.part == "evening"
    assert best.answered_share == pytest.approx((20 + 10 * account) / 30)
    assert best.low < best.answered_share < best.high
    assert "answered more often in the evening (18 to 24 h)" in best.words


def test_two_lucky_answers_make_no_habit() -> None:
    assert 1 not in best_times(sends([*CROWD, (1, 19, 1), (1, 19, 1), (1, 9, 0)]), "UTC")


def test_a_part_of_the_day_that_the_account_hardly_uses_is_not_offered() -> None:
    habit = [(1, 2, 1)] * 20 + [(1, 9, 0)] * 20
    assert 1 not in best_times(sends(CROWD + habit), "UTC")


def test_hours_are_read_in_the_accounts_time_zone() -> None:
    habit = [(1, 19, 1)] * 20 + [(1, 9, 0)] * 20
    # 19 h in UTC is 14 h in Bogota, the afternoon; 9 h is 4 h, the night.
    assert best_times(sends(CROWD + habit), "America/Bogota")[1].part == "afternoon"


def test_nothing_known_gives_nothing() -> None:
    assert best_times(sends([]), "UTC") == {}
