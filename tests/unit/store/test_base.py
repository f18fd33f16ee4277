from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlift.store.base import from_microseconds, to_microseconds

ZONES = st.sampled_from(
    [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]
)


@given(
    st.datetimes(
        min_value=datetime(1900, 1, 2),  # noqa: DTZ001 - hypothesis wants it naive
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=ZONES,
    )
)
def test_an_instant_comes_back_exactly_and_in_utc(instant: datetime) -> None:
    back = from_microseconds(to_microseconds(instant))
    assert back == instant
    assert back.tzinfo is UTC


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        to_microseconds(datetime(2025, 1, 1))  # noqa: DTZ001
