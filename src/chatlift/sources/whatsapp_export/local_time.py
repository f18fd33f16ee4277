"""From the phone's clock to UTC, where the clock may repeat an hour or skip one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from chatlift.errors import InvalidInput

LONGEST_REPEAT = timedelta(hours=3)
"""No clock has been set back further, but where a country changed sides of the date line."""


def zone_named(name: str) -> ZoneInfo:
    """Return an IANA time zone.

    Raises
    ------
    InvalidInput
        If there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidInput(
            f"{name!r} is no IANA time zone. Use a name such as Europe/Madrid or UTC."
        ) from error


def instant_of(clock_time: datetime, zone_name: str) -> datetime:
    """Return the UTC instant at which a clock in this zone first showed a time without a zone.

    Raises
    ------
    InvalidInput
        If there is no such zone.

    Examples
    --------
    >>> instant_of(datetime.fromisoformat("2024-01-13 09:00"), "Europe/Madrid").isoformat()
    '2024-01-13T08:00:00+00:00'
    """
    return PhoneClock(zone_named(zone_name)).first_instant(clock_time)


class PhoneClock:
    """Turns the clock times of one export, told in the file's order, into instants.

    Of an hour that the clock repeats, the first pass is taken until the clock steps back within
    it; a time in an hour that the clock skipped moves on by as much as was skipped.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._last: datetime | None = None
        """The clock time before, if it was of a repeated hour."""
        self._fold = 0

    def instant(self, clock_time: datetime) -> datetime:
        """Return the UTC instant of the next clock time, which carries no zone."""
        if not self._is_repeated(clock_time):
            self._last = None
            return self.first_instant(clock_time)
        if self._last is None or abs(clock_time - self._last) > LONGEST_REPEAT:
            self._fold = 0
        elif clock_time < self._last:
            self._fold = 1
        self._last = clock_time
        return self._read(clock_time, self._fold)

    def first_instant(self, clock_time: datetime) -> datetime:
        """Return the first instant at which the clock showed this time, whatever came before."""
        return self._read(clock_time, 0)

    def _is_repeated(self, clock_time: datetime) -> bool:
        # A skipped time has two readings too, but there the later one is that of fold 0.
        return self._read(clock_time, 0) < self._read(clock_time, 1)

    def _read(self, clock_time: datetime, fold: int) -> datetime:
        offset = clock_time.replace(tzinfo=self.zone, fold=fold).utcoffset()
        return (clock_time - (offset or timedelta())).replace(tzinfo=UTC)
