"""Rhythms: when a schedule is due, as plain arithmetic on a local clock.

A rhythm is a word (daily, weekly, biweekly, monthly) or a cron line of five fields, read in an
IANA time zone. It gives *slots*: instants in UTC, strictly increasing. Clocks are set forward and
back, and then:

- A line that names hours is a list of fixed local times. One that the clock repeats is due once,
  the first time; one that it leaves out is due at the first instant after.
- A line whose hour is `*` runs on in real time: it is due whenever the clock shows a reading that
  fits, so `*/15` stays every quarter of an hour.

cronsim reads the lines and walks over readings without a zone; turning readings into instants is
done here. Left to itself it loses slots where clocks move by half an hour (Lord Howe: 02:45 on the
first Sunday of October) and answers with a slot of the past inside a repeated hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from heapq import heappop, heappush
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from chatlift.errors import InvalidInput
from chatlift.vocabulary import RhythmWord

LINES: Mapping[str, str] = {
    RhythmWord.DAILY: "0 3 * * *",
    RhythmWord.WEEKLY: "0 3 * * 1",
    RhythmWord.BIWEEKLY: "0 3 * * 1",
    RhythmWord.MONTHLY: "0 3 1 * *",
}
"""What the words mean: at 03:00 local time, on Mondays, on the first of the month."""

CLOSEST = timedelta(minutes=15)
"""Slots may not lie closer: a training should end before the next is due."""
DAY = timedelta(days=1)
"""No clock is ever set forward or back by more."""
LONGEST_LINE = 100
SECOND = timedelta(seconds=1)
EVERY_HOUR = frozenset(range(24))
ANY_START = datetime(2024, 1, 1)  # noqa: DTZ001 - a reading of a clock, in no zone
EXAMPLE = 'daily, weekly, biweekly, monthly, or a cron line such as "0 6 * * 1-5"'


class RhythmNotUnderstood(InvalidInput):
    """A rhythm is neither one of the words nor a cron line."""

    def __init__(self, text: str, found: str) -> None:
        super().__init__(
            f"The rhythm {_short(text)!r} cannot be read: {found}. Write {EXAMPLE} (minute, hour, "
            "day of the month, month, day of the week)."
        )


class NeverDue(InvalidInput):
    """A cron line names a day that never comes."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"The rhythm {text!r} names a day that no calendar has, such as 30 February: it would "
            "never be due. Name one that comes."
        )


class TooOften(InvalidInput):
    """A cron line names times that lie too close together."""

    def __init__(self, text: str, found: timedelta) -> None:
        super().__init__(
            f"The rhythm {text!r} names times only {found // timedelta(minutes=1)} min apart. "
            f"Leave at least {CLOSEST // timedelta(minutes=1)} min between two trainings, as "
            '"*/15 * * * *" does.'
        )


class UnknownTimeZone(InvalidInput):
    """There is no time zone of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{_short(name)!r} is no IANA time zone. Use a name such as Europe/Madrid or UTC."
        )


def zone_named(name: str) -> ZoneInfo:
    """Return the time zone of that IANA name; raises `UnknownTimeZone` if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownTimeZone(name) from error


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """When a schedule is due. Make one with `Rhythm.of`, which checks it."""

    text: str
    """A word, or a cron line with single spaces."""
    time_zone: str
    """IANA name of the zone whose clock it is read on."""
    begun_at: datetime
    """`biweekly` counts from the week (Monday to Sunday, local) in which this lies."""

    @classmethod
    def of(cls, text: str, time_zone: str, *, begun_at: datetime) -> Rhythm:
        """Return the rhythm that a person wrote.

        Raises
        ------
        InvalidInput
            If the text is no rhythm, is never due, or is due more often than every 15 minutes, or
            there is no such time zone.

        Examples
        --------
        >>> made = Rhythm.of("weekly", "Europe/Madrid", begun_at=datetime(2026, 1, 1, tzinfo=UTC))
        >>> made.next_after(datetime(2026, 1, 1, tzinfo=UTC)).isoformat()
        '2026-01-05T02:00:00+00:00'
        """
        words = text.split()
        told = " ".join(words)
        if told.lower() in set(RhythmWord):
            told = told.lower()
        else:
            _check(told, len(words))
        zone_named(time_zone)
        return cls(text=told, time_zone=time_zone, begun_at=begun_at)

    def next_after(self, instant: datetime) -> datetime:
        """Return the first slot after an instant."""
        return _next_after(self, instant)

    def between(self, after: datetime, through: datetime) -> Iterator[datetime]:
        """Yield the slots after the one instant, up to and with the other."""
        return takewhile(lambda slot: slot <= through, self.slots_after(after))

    def slots_after(self, instant: datetime) -> Iterator[datetime]:
        """Yield the slots after an instant, in order, without end."""
        waiting: list[datetime] = []
        last = instant
        for reading in self._readings(instant):
            # What readings further on become for the first time cannot lie before this.
            until = _instant(reading, self._zone)
            while waiting and waiting[0] < until:
                slot = heappop(waiting)
                if slot > last:
                    last = slot
                    yield slot
            for slot in self._slots_at(reading):
                heappush(waiting, slot)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return zone_named(self.time_zone)

    @cached_property
    def _line(self) -> str:
        return LINES.get(self.text, self.text)

    @cached_property
    def _is_in_real_time(self) -> bool:
        return CronSim(self._line, ANY_START).hours == EVERY_HOUR

    def _readings(self, instant: datetime) -> Iterator[datetime]:
        """Yield what the clock shows when the rhythm is due, from a day before the instant on."""
        start = instant.astimezone(self._zone).replace(tzinfo=None) - DAY
        readings = CronSim(self._line, start)
        if self.text != RhythmWord.BIWEEKLY:
            return readings
        first = _week(self.begun_at.astimezone(self._zone))
        return (reading for reading in readings if (_week(reading) - first) % 2 == 0)

    def _slots_at(self, reading: datetime) -> set[datetime]:
        """Return the instants at which the rhythm is due by what the clock shows."""
        shown = {_instant(reading, self._zone, fold=fold) for fold in (0, 1)}
        real = {i for i in shown if i.astimezone(self._zone).replace(tzinfo=None) == reading}
        if self._is_in_real_time:
            return real
        return {min(real) if real else _end_of_gap(min(shown), max(shown), self._zone)}


@lru_cache(maxsize=10_000)
def _next_after(rhythm: Rhythm, instant: datetime) -> datetime:
    """Return the first slot after an instant; a scheduler asks for the same one every second."""
    return next(rhythm.slots_after(instant))


def _check(line: str, field_count: int) -> None:
    """Raise if a cron line cannot be read, never comes, or comes too often."""
    if len(line) > LONGEST_LINE:
        raise RhythmNotUnderstood(line, f"it is longer than {LONGEST_LINE} characters")
    if field_count != 5:
        raise RhythmNotUnderstood(line, f"it has {field_count} fields, and a cron line has five")
    try:
        readings = CronSim(line, ANY_START)
    except CronSimError as error:
        if str(error) == "Bad day-of-month" and _has_fitting_fields(line):
            raise NeverDue(line) from error
        raise RhythmNotUnderstood(line, str(error).lower()) from error
    if next(readings, None) is None:
        raise NeverDue(line)
    found = _closest(readings)
    if found < CLOSEST:
        raise TooOften(line, found)


def _has_fitting_fields(line: str) -> bool:
    """Tell whether every field is right by itself, so that only together they name no day."""
    minute, hour, day, _month, weekday = line.split()
    try:
        CronSim(f"{minute} {hour} {day} * {weekday}", ANY_START)
    except CronSimError:
        return False
    return True


def _closest(line: CronSim) -> timedelta:
    """Return how close the times of a day lie that a line names, also across midnight."""
    times = sorted(
        timedelta(hours=hour, minutes=minute) for hour in line.hours for minute in line.minutes
    )
    return min(later - earlier for earlier, later in pairwise([*times, times[0] + DAY]))


def _week(day: datetime) -> int:
    """Return the number of the week, Monday to Sunday, in which a local day lies."""
    return (day.toordinal() - 1) // 7


def _instant(reading: datetime, zone: ZoneInfo, *, fold: int = 0) -> datetime:
    return reading.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant, to the second, at which the clock has been set forward."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + (after - before) // SECOND // 2 * SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}..."
