"""The business's own clock, read from a table of its zone's changes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlift.learn.arrays import microsecond_of
from chatlift.learn.features.timeline import FIRST_INSTANT, LAST_INSTANT, SECOND, local_time

ZONES = ("Europe/Madrid", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")


@pytest.mark.parametrize("zone", ZONES)
@settings(deadline=None)  # The zone is read at its first use.
@given(st.lists(st.integers(200_000_000, 1_900_000_000), max_size=20))
def test_local_time_is_that_of_the_zone(zone: str, seconds: list[int]) -> None:
    """From 1976 to 2030; Casablanca changes twice around Ramadan, Lord Howe by half an hour."""
    instants = [datetime.fromtimestamp(second, UTC) for second in seconds]
    local = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC) for moment in instants]
    found = local_time(np.array([microsecond_of(i) for i in instants], dtype=np.int64), zone)
    assert found.tolist() == [microsecond_of(moment) for moment in local]


def test_the_clock_changes_at_the_second_it_changes() -> None:
    """In 2026 Madrid's clocks go from 2 to 3 on 29 March, which is 1 h in UTC."""
    change = microsecond_of(datetime(2026, 3, 29, 1, tzinfo=UTC))
    before, after = local_time(np.array([change - 1, change]), "Europe/Madrid").tolist()
    assert after - before == 3600 * SECOND + 1


@pytest.mark.parametrize("instant", [FIRST_INSTANT - 1, LAST_INSTANT])
def test_instants_far_off_are_read_too(instant: int) -> None:
    near = np.array([microsecond_of(datetime(2026, 1, 1, tzinfo=UTC))])
    both = local_time(np.r_[near, instant], "Asia/Kolkata")
    assert both[0] == local_time(near, "Asia/Kolkata")[0]
    assert both[1] != instant
