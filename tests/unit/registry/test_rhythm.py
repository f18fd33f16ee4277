"""Rhythms by known days, and what is refused with which sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from chatlift.errors import InvalidInput
from chatlift.registry.rhythm import (
    NeverDue,
    Rhythm,
    RhythmNotUnderstood,
    TooOften,
    UnknownTimeZone,
)

BEGUN_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""A Thursday."""


def local_slots(text: str, zone: str, after: str, count: int) -> list[str]:
    """The first slots after a local reading (in its first pass), as the local clock shows them."""
    rhythm = Rhythm.of(text, zone, begun_at=BEGUN_AT)
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    slots = islice(rhythm.slots_after(start), count)
    return [f"{slot.astimezone(ZoneInfo(zone)):%m-%d %H:%M %z}" for slot in slots]


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected"),
    [
        # Madrid: 02:00 becomes 03:00 on 29 March, 03:00 becomes 02:00 on 25 October.
        ("30 2 * * *", "Europe/Madrid", "2026-03-28", ["03-28 02:30 +0100", "03-29 03:00 +0200"]),
        ("30 2 * * *", "Europe/Madrid", "2026-10-25", ["10-25 02:30 +0200", "10-26 02:30 +0100"]),
        # Lord Howe: 02:00 becomes 02:30 on 4 October, and 01:30 again on 5 April.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["10-04 02:30 +1100"]),
        ("45 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["10-04 02:45 +1100"]),
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-05",
            ["04-05 01:45 +1100", "04-06 01:45 +1030"],
        ),
        # Havana: midnight becomes 01:00 on 8 March.
        ("0 0 * * 0", "America/Havana", "2026-03-07", ["03-08 01:00 -0400", "03-15 00:00 -0400"]),
    ],
)
def test_a_fixed_time_is_due_once_and_at_the_first_instant_where_the_clock_leaves_it_out(
    text: str, zone: str, after: str, expected: list[str]
) -> None:
    assert local_slots(text, zone, after, len(expected)) == expected


def test_fixed_times_that_the_clock_leaves_out_together_are_one_slot() -> None:
    expected = ["03-29 03:00 +0200", "03-30 02:00 +0200", "03-30 02:30 +0200", "03-30 03:00 +0200"]
    assert local_slots("0,30 2-3 * * *", "Europe/Madrid", "2026-03-29 03:30", 4)[:3] == expected[1:]
    assert local_slots("0,30 2 * * *", "Europe/Madrid", "2026-03-29", 3) == expected[:3]


def test_a_line_of_every_hour_runs_on_in_real_time() -> None:
    assert local_slots("*/30 * * * *", "Europe/Madrid", "2026-03-29 01:00", 3) == [
        "03-29 01:30 +0100",
        "03-29 03:00 +0200",
        "03-29 03:30 +0200",
    ]
    assert local_slots("*/30 * * * *", "Europe/Madrid", "2026-10-25 02:00", 4) == [
        "10-25 02:30 +0200",
        "10-25 02:00 +0100",
        "10-25 02:30 +0100",
        "10-25 03:00 +0100",
    ]


def test_a_slot_that_cronsim_alone_loses_where_the_clock_jumps_half_an_hour() -> None:
    found = local_slots("45 * * * *", "Australia/Lord_Howe", "2026-10-04 01:46", 2)
    assert found == ["10-04 02:45 +1100", "10-04 03:45 +1100"]
    again = local_slots("45 * * * *", "Australia/Lord_Howe", "2026-04-05 01:45", 2)
    assert again == ["04-05 01:45 +1030", "04-05 02:45 +1030"]


def test_within_a_repeated_hour_the_next_slot_is_never_one_of_the_past() -> None:
    rhythm = Rhythm.of("30 1 * * *", "America/New_York", begun_at=BEGUN_AT)
    second_pass = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)  # 01:10 for the second time.
    assert rhythm.next_after(second_pass) == datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


def test_biweekly_counts_from_the_week_of_the_local_day_on_which_it_began() -> None:
    sunday_in_utc = datetime(2026, 1, 4, 20, tzinfo=UTC)  # Monday 01:45 in Kathmandu.
    in_utc = Rhythm.of("biweekly", "UTC", begun_at=sunday_in_utc)
    in_nepal = Rhythm.of("biweekly", "Asia/Kathmandu", begun_at=sunday_in_utc)
    assert in_utc.next_after(sunday_in_utc) == datetime(2026, 1, 12, 3, tzinfo=UTC)
    assert in_nepal.next_after(sunday_in_utc) == datetime(2026, 1, 4, 21, 15, tzinfo=UTC)


def test_words_and_spaces_are_put_in_one_form() -> None:
    assert Rhythm.of(" Weekly ", "UTC", begun_at=BEGUN_AT).text == "weekly"
    assert Rhythm.of("0  6\t* *  mon-fri", "UTC", begun_at=BEGUN_AT).text == "0 6 * * mon-fri"


@pytest.mark.parametrize("line", ["0 0 29 2 *", "0 3 L * *", "0 3 * * 5L", "0 3 * * MON#1"])
def test_rare_days_are_days_too(line: str) -> None:
    assert Rhythm.of(line, "UTC", begun_at=BEGUN_AT).next_after(BEGUN_AT) > BEGUN_AT


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("hourly", RhythmNotUnderstood, "it has 1 fields, and a cron line has five"),
        ("", RhythmNotUnderstood, "it has 0 fields"),
        ("0 0 3 * * *", RhythmNotUnderstood, "it has 6 fields"),
        ("@daily", RhythmNotUnderstood, "it has 1 fields"),
        ("0 24 * * *", RhythmNotUnderstood, "bad hour"),
        ("0 3 32 * *", RhythmNotUnderstood, "bad day-of-month"),
        ("0 3 * * 8", RhythmNotUnderstood, "bad day-of-week"),
        ("0 3 * * ²L", RhythmNotUnderstood, "bad day-of-week"),
        (f"{'9' * 5000} 3 * * *", RhythmNotUnderstood, "longer than 100 characters"),
        ("0 3 30 2 *", NeverDue, "such as 30 February"),
        ("0 3 31 4,6 *", NeverDue, "such as 30 February"),
        ("0 3 */31 2 MON#5", NeverDue, "such as 30 February"),
        ("* * * * *", TooOften, "only 1 min apart"),
        ("*/10 * * * *", TooOften, "only 10 min apart"),
        ("0,50 * * * *", TooOften, "only 10 min apart"),
        ("0,50 0,23 * * *", TooOften, "only 10 min apart"),
    ],
)
def test_what_is_no_rhythm_is_refused_with_a_sentence(
    text: str, error: type[InvalidInput], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        Rhythm.of(text, "UTC", begun_at=BEGUN_AT)


@pytest.mark.parametrize("line", ["*/15 * * * *", "0,50 3 * * *", "7 * * * *"])
def test_a_quarter_of_an_hour_is_far_enough(line: str) -> None:
    Rhythm.of(line, "UTC", begun_at=BEGUN_AT)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "Europe", "../../etc/passwd", "x" * 300])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimeZone, match="no IANA time zone"):
        Rhythm.of("daily", name, begun_at=BEGUN_AT)
