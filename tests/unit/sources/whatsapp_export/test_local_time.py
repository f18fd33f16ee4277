"""The phone's clock where it repeats an hour and where it skips one."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlift.errors import InvalidInput
from chatlift.sources.whatsapp_export.local_time import PhoneClock, zone_named

MADRID = "Europe/Madrid"


def told(*clock_times: str) -> list[str]:
    clock = PhoneClock(zone_named(MADRID))
    return [f"{clock.instant(datetime.fromisoformat(t)):%H:%M}" for t in clock_times]


def test_summer_and_winter_differ_by_an_hour() -> None:
    assert told("2024-01-15 12:00", "2024-07-15 12:00") == ["11:00", "10:00"]


def test_a_repeated_hour_keeps_the_files_order() -> None:
    # On 27 October 2024, 03:00 became 02:00: the second 02:10 is an hour after the first.
    day = "2024-10-27"
    assert told(f"{day} 01:59", f"{day} 02:10", f"{day} 02:50", f"{day} 02:10", f"{day} 03:00") == [
        "23:59",
        "00:10",
        "00:50",
        "01:10",
        "02:00",
    ]


def test_the_second_pass_holds_until_the_hour_is_over() -> None:
    day = "2024-10-27"
    assert told(f"{day} 02:50", f"{day} 02:10", f"{day} 02:55") == ["00:50", "01:10", "01:55"]
    assert told(f"{day} 02:50", f"{day} 02:10", "2025-10-26 02:30")[-1] == "00:30"


def test_a_skipped_hour_moves_on() -> None:
    # On 31 March 2024, 02:00 became 03:00: 02:30 is told as 03:30.
    assert told("2024-03-31 01:59", "2024-03-31 02:30", "2024-03-31 03:30") == [
        "00:59",
        "01:30",
        "01:30",
    ]


@settings(deadline=None)
@given(
    start=st.datetimes(datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2026-01-01")),
    steps=st.lists(st.integers(1, 59), min_size=1, max_size=40),
)
def test_a_chat_that_speaks_every_hour_is_read_to_the_minute(
    start: datetime, steps: list[int]
) -> None:
    zone = ZoneInfo(MADRID)
    instants = [start.replace(tzinfo=UTC, second=0, microsecond=0) - timedelta(hours=3)]
    # From hours before, so that a repeated hour is met from its first pass on.
    instants += [instants[0] + timedelta(minutes=m) for m in range(20, 240, 20)]
    for step in steps:
        instants.append(instants[-1] + timedelta(minutes=step))
    clock = PhoneClock(zone)
    assert [clock.instant(i.astimezone(zone).replace(tzinfo=None, fold=0)) for i in instants] == (
        instants
    )


def test_an_unknown_zone_is_refused_with_an_example() -> None:
    with pytest.raises(InvalidInput, match=r"no IANA time zone.*Europe/Madrid"):
        zone_named("Madrid")
    with pytest.raises(InvalidInput):
        zone_named("../etc/passwd")
