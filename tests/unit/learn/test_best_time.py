from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from tests.histories import START, at

from chatlift.learn.arrays import microsecond_of
from chatlift.learn.best_time import AccountCurve, BestTime, DecidedSends, best_times
from chatlift.records import INSTANT


def sends(rows: list[tuple[int, int, int | None]], time_zone: str = "UTC") -> DecidedSends:
    """Contact, hour, answered; one send a day, decided a day later."""
    cutoffs = [START + timedelta(days=i, hours=h) for i, (_, h, _) in enumerate(rows)]
    told = pl.DataFrame(
        {
            "contact_id": [contact for contact, _, _ in rows],
            "cutoff": cutoffs,
            "horizon_ends_at": [cutoff + timedelta(days=1) for cutoff in cutoffs],
            "label": [answered for _, _, answered in rows],
        },
        schema={
            "contact_id": pl.Int64,
            "cutoff": INSTANT,
            "horizon_ends_at": INSTANT,
            "label": pl.Int8,
        },
    )
    return DecidedSends.of(told.sort("contact_id", "cutoff"), time_zone)


def best(told: DecidedSends, *, contact: int = 1, day: float = 1000) -> BestTime | None:
    """What stands out for the contact as of a day."""
    asked = np.array([contact]), np.array([microsecond_of(at(day))])
    return best_times(told, AccountCurve(told), *asked)[0]


CROWD: list[tuple[int, int, int | None]] = [
    (contact, hour, answered)
    for contact in range(100, 130)
    for hour in (9, 19)
    for answered in (0, 1)
]
"""Thirty contacts, two sends each in the morning and in the evening, half of them answered."""


def test_a_contact_that_answers_in_the_evening_is_told_so() -> None:
    habit = [(1, 19, 1)] * 20 + [(1, 9, 0)] * 20
    found = best(sends(CROWD + habit))
    assert found is not None
    # The account in the evening: 30 of 60 by the crowd, 20 of 20 by this contact.
    account = (30 + 20) / (60 + 20)
    assert found.part == "evening"
    assert found.answered_share == pytest.approx((20 + 10 * account) / 30)
    assert found.low < found.answered_share < found.high
    assert "answered more often in the evening (18 to 24 h)" in found.words


def test_two_lucky_answers_make_no_habit() -> None:
    assert best(sends([*CROWD, (1, 19, 1), (1, 19, 1), (1, 9, 0)])) is None


def test_a_part_of_the_day_that_the_account_hardly_uses_is_not_offered() -> None:
    habit = [(1, 2, 1)] * 20 + [(1, 9, 0)] * 20
    assert best(sends(CROWD + habit)) is None


def test_hours_are_read_in_the_accounts_time_zone() -> None:
    habit = [(1, 19, 1)] * 20 + [(1, 9, 0)] * 20
    # 19 h in UTC is 14 h in Bogota, the afternoon; 9 h is 4 h, the night.
    found = best(sends(CROWD + habit, "America/Bogota"))
    assert found is not None
    assert found.part == "afternoon"


def test_nothing_known_gives_nothing() -> None:
    assert best(sends([])) is None


def test_a_send_counts_from_when_it_was_decided() -> None:
    """The habit is told on days 120 to 159; the crowd's sends alone are decided before."""
    habit = [(1, 9, 0)] * 20 + [(1, 19, 1)] * 20
    told = sends(CROWD + habit)
    assert best(told, day=120) is None
    assert best(told, day=161) == best(told)
    # Decided on the very instant is not yet known before it: the last send is of day 159, 19 h.
    last = 159 + 19 / 24 + 1
    assert best(told, day=last) != best(told, day=last + 0.001)


def test_what_is_undecided_says_nothing() -> None:
    habit: list[tuple[int, int, int | None]] = [(1, 19, None)] * 20 + [(1, 9, None)] * 20
    assert best(sends([*CROWD, *habit])) is None
