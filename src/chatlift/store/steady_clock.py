"""Whether a clock goes on as usual: one that somebody set makes every lease seem to have ended.

A second clock, which nobody can set, is looked at beside it. After a jump forward the living have
time to renew their leases before any of them is taken: a lease is renewed within a sixth of its
span, so a jump that can end it lasts five times as long as until the next renewal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic

MOST_DRIFT_SECONDS = 5.0
"""Two clocks that differ by more between two looks did not both go on as usual."""
LEAST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 120.0
"""A machine that was suspended for a night shall not wait for hours."""
RENEWALS_LEFT = 5


class SteadyClock:
    """Remembers when a clock was looked at, by another one; safe across threads."""

    def __init__(self, elapsed: Callable[[], float] = monotonic) -> None:
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._last: tuple[datetime, float] | None = None
        self._unsteady_until = elapsed()

    def note(self, now: datetime) -> None:
        """Note what the clock says now."""
        with self._lock:
            elapsed = self._elapsed()
            if self._last is not None:
                by_clock = (now - self._last[0]).total_seconds()
                jump = by_clock - (elapsed - self._last[1])
                if jump > MOST_DRIFT_SECONDS:
                    pause = min(LEAST_PAUSE_SECONDS + jump / RENEWALS_LEFT, LONGEST_PAUSE_SECONDS)
                    self._unsteady_until = elapsed + pause
            self._last = (now, elapsed)

    @property
    def is_steady(self) -> bool:
        """Whether it has not jumped forward of late."""
        return self._elapsed() >= self._unsteady_until
