"""Slots against a clock that is looked at every minute, by whoever knows nothing of cron lines.

A list of fixed times is due when the clock gets to a time of it, or past it in one jump, that it
has not been at before; a line of every hour is due whenever the clock shows a fitting reading.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.wall_clocks import looks, reading_of

from chatlift.errors import InvalidInput
from chatlift.registry.rhythm import Rhythm

ZONES = (
    "UTC",
    "Europe/Madrid",
    "America/New_York",
    "Australia/Lord_Howe",  # Moves by half an hour.
    "Asia/Kathmandu",  # Is 5:45 ahead.
    "America/Havana",  # Leaves midnight out.
    "Africa/Cairo",
)
CHANGES = (
    datetime(2026, 3, 8, 7, tzinfo=UTC),  # New York, Havana forward
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # Madrid forward
    datetime(2026, 4, 4, 15, tzinfo=UTC),  # Lord Howe back
    datetime(2026, 4, 23, 22, tzinfo=UTC),  # Cairo forward
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe forward
    datetime(2026, 10, 25, 1, tzinfo=UTC),  # Madrid back
    datetime(2026, 10, 29, 21, tzinfo=UTC),  # Cairo back
    datetime(2026, 11, 1, 6, tzinfo=UTC),  # New York, Havana back
)
INSTANTS = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2034, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@dataclass(frozen=True)
class Line:
    """A cron line and what it means; None is a star."""

    minutes: frozenset[int]
    hours: frozenset[int] | None
    days: frozenset[int] | None
    weekdays: frozenset[int] | None
    """0 is Sunday."""

    @property
    def text(self) -> str:
        fields = [self.minutes, self.hours, self.days, None, self.weekdays]
        return " ".join("*" if f is None else ",".join(map(str, sorted(f))) for f in fields)

    def fits(self, reading: datetime) -> bool:
        in_hour = self.hours is None or reading.hour in self.hours
        return reading.minute in self.minutes and in_hour and self._fits_day(reading)

    def _fits_day(self, reading: datetime) -> bool:
        by_day = self.days is not None and reading.day in self.days
        by_weekday = self.weekdays is not None and reading.isoweekday() % 7 in self.weekdays
        if self.days is None or self.weekdays is None:
            return (self.days is None or by_day) and (self.weekdays is None or by_weekday)
        return by_day or by_weekday


def some(low: int, high: int) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.integers(low, high), min_size=1, max_size=6)


LINES = st.builds(
    Line,
    minutes=st.sampled_from([{0}, {30}, {45}, {7}, {0, 30}, {0, 15, 30, 45}, {10, 40}]).map(
        frozenset
    ),
    hours=st.none() | some(0, 4) | some(0, 23),
    days=st.none() | some(1, 31),
    weekdays=st.none() | some(0, 6),
)


def made(text: str, zone: str, begun_at: datetime = CHANGES[0]) -> Rhythm:
    return Rhythm.of(text, zone, begun_at=begun_at)


@settings(max_examples=40, deadline=None)
@given(LINES, st.sampled_from(ZONES), st.sampled_from(CHANGES))
@example(Line(frozenset({45}), None, None, None), "Australia/Lord_Howe", CHANGES[4])
@example(Line(frozenset({15}), frozenset({2}), None, None), "Australia/Lord_Howe", CHANGES[4])
@example(Line(frozenset({45}), frozenset({1}), None, None), "Australia/Lord_Howe", CHANGES[2])
@example(Line(frozenset({0, 30}), frozenset({2}), None, None), "Europe/Madrid", CHANGES[1])
@example(Line(frozenset({0, 30}), frozenset({2}), None, None), "Europe/Madrid", CHANGES[5])
@example(Line(frozenset({0, 15, 30, 45}), None, None, None), "Europe/Madrid", CHANGES[5])
@example(Line(frozenset({0}), frozenset({0}), None, frozenset({0})), "America/Havana", CHANGES[0])
def test_slots_are_those_of_a_clock_looked_at_every_minute(
    line: Line, zone: str, change: datetime
) -> None:
    start, end = change - timedelta(hours=30), change + timedelta(hours=30)
    seen = looks(start, end, ZoneInfo(zone))
    in_real_time = line.hours is None
    expected = [look.instant for look in seen if look.is_due(line.fits, in_real_time=in_real_time)]
    assert list(made(line.text, zone).between(start, end)) == expected


@settings(max_examples=40, deadline=None)
@given(LINES, st.sampled_from(ZONES), INSTANTS)
def test_slots_strictly_increase_and_each_is_the_next_of_the_one_before(
    line: Line, zone: str, start: datetime
) -> None:
    rhythm = made(line.text, zone)
    slots = list(islice(rhythm.slots_after(start), 30))
    assert slots[0] > start
    assert all(earlier < later for earlier, later in pairwise(slots))
    assert [rhythm.next_after(slot) for slot in slots[:-1]] == slots[1:]
    assert rhythm.next_after(slots[3] - timedelta(microseconds=1)) == slots[3]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ZONES), INSTANTS, st.integers(0, 23), st.integers(0, 59))
def test_a_time_of_day_is_due_once_a_day_at_that_time_where_the_day_has_it(
    zone: str, start: datetime, hour: int, minute: int
) -> None:
    slots = list(islice(made(f"{minute} {hour} * * *", zone).slots_after(start), 400))
    readings = [reading_of(slot, ZoneInfo(zone)) for slot in slots]
    days = [reading.toordinal() for reading in readings]
    assert days == list(range(days[0], days[0] + 400))
    odd = [r for r in readings if (r.hour, r.minute) != (hour, minute)]
    assert len(odd) <= 2  # The days in spring on which the clock leaves it out.
    assert all((r.hour, r.minute) > (hour, minute) for r in odd)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ZONES), INSTANTS, st.integers(0, 400))
def test_biweekly_is_due_on_mondays_of_every_second_week_from_the_one_it_began_in(
    zone: str, begun_at: datetime, days: int
) -> None:
    start = begun_at + timedelta(days=days)
    begun = reading_of(begun_at, ZoneInfo(zone))
    monday = begun.date() - timedelta(days=begun.weekday())
    for slot in islice(made("biweekly", zone, begun_at).slots_after(start), 30):
        reading = reading_of(slot, ZoneInfo(zone))
        assert (reading.hour, reading.minute) == (3, 0)
        assert (reading.date() - monday).days % 14 == 0


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ZONES), INSTANTS)
def test_the_words_are_due_at_three_at_night(zone: str, start: datetime) -> None:
    def readings(word: str) -> list[datetime]:
        slots = islice(made(word, zone).slots_after(start), 60)
        found = [reading_of(slot, ZoneInfo(zone)) for slot in slots]
        assert {(r.hour, r.minute) for r in found} == {(3, 0)}
        return found

    assert {b - a for a, b in pairwise(readings("daily"))} == {timedelta(days=1)}
    weekly = readings("weekly")
    assert {b - a for a, b in pairwise(weekly)} == {timedelta(days=7)}
    assert weekly[0].weekday() == 0
    monthly = [12 * r.year + r.month for r in readings("monthly") if r.day == 1]
    assert monthly == list(range(monthly[0], monthly[0] + 60))


FIELDS = st.text(alphabet="0123456789*/,-#?LWMONSUNJAN²", max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.lists(FIELDS, min_size=4, max_size=6).map(" ".join))
@example("*/15 * * * * *")
@example("0 0 L/2 * 5L/2")
def test_whatever_is_written_is_a_rhythm_or_refused_and_nothing_else_happens(text: str) -> None:
    with suppress(InvalidInput):
        assert made(text, "Europe/Madrid").next_after(CHANGES[0]) > CHANGES[0]
