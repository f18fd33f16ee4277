"""When a rule is due, found by looking at a local clock again and again.

It knows nothing of cron lines and of the code under test: a rule is a question about what the
clock shows. The clock is looked at every minute, or every few where all times that matter, and all
changes of the clock, lie on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)

Fits = Callable[[datetime], bool]
"""Whether a reading of the local clock is one at which the rule is due."""


@dataclass(frozen=True)
class Look:
    """What is seen at one instant."""

    instant: datetime
    reading: datetime
    passed: tuple[datetime, ...]
    """Readings that the clock got to, or jumped past, since the last look; never one twice."""

    def is_due(self, fits: Fits, *, in_real_time: bool) -> bool:
        """Whether a rule is due: by what the clock shows, or by the times it has got to first."""
        return fits(self.reading) if in_real_time else any(map(fits, self.passed))


def reading_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the local clock shows, without a zone."""
    return instant.astimezone(zone).replace(tzinfo=None)


def looks(
    start: datetime, end: datetime, zone: ZoneInfo, step: timedelta = MINUTE
) -> Iterator[Look]:
    """Look at the clock every `step` after the start, up to and with the end."""
    reached = reading_of(start, zone)
    while start < end:
        start += step
        reading = reading_of(start, zone)
        passed = []
        while reached < reading:
            reached += step
            passed.append(reached)
        yield Look(start, reading, tuple(passed))
