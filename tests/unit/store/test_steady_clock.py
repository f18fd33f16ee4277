from datetime import UTC, datetime, timedelta

import pytest

from chatlift.store.steady_clock import SteadyClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Watched:
    """A clock that is looked at every two seconds, and one that nobody can set."""

    def __init__(self) -> None:
        self.elapsed = 1_000.0
        self.clock = SteadyClock(lambda: self.elapsed)
        self.now = NOON
        self.clock.note(NOON)

    def pass_seconds(self, seconds: float, *, set_forward: timedelta = timedelta()) -> bool:
        self.elapsed += seconds
        self.now += timedelta(seconds=seconds) + set_forward
        self.clock.note(self.now)
        return self.clock.is_steady


def test_a_clock_that_goes_on_is_steady_whenever_it_is_looked_at() -> None:
    watched = Watched()
    assert watched.clock.is_steady
    assert all(watched.pass_seconds(seconds) for seconds in (2, 2, 90_000, 0))


@pytest.mark.parametrize(
    ("jump", "pause_seconds"),
    [
        (timedelta(seconds=30), 16),  # 10 + 30 / 5
        (timedelta(hours=1), 120),  # 10 + 3,600 / 5 = 730, at most 120
        (timedelta(days=3), 120),
    ],
)
def test_after_a_jump_the_living_have_time_to_renew(jump: timedelta, pause_seconds: int) -> None:
    watched = Watched()
    assert not watched.pass_seconds(2, set_forward=jump)
    assert not watched.pass_seconds(pause_seconds - 1)
    assert watched.pass_seconds(1)


def test_a_clock_set_back_or_corrected_by_little_takes_nothing_away() -> None:
    watched = Watched()
    assert watched.pass_seconds(2, set_forward=timedelta(hours=-1))
    assert watched.pass_seconds(2, set_forward=timedelta(seconds=4))
