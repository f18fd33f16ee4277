"""Progress where there is no terminal: few plain lines, each with time and share."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from chatlift.cli.progress import told_progress
from chatlift.vocabulary import ModelName, Progress

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ticking() -> Iterator[datetime]:
    now = START
    while True:
        yield now
        now += timedelta(seconds=1)


def lines_of(*steps: Progress, quiet: bool = False) -> list[str]:
    ticks = ticking()
    stream = io.StringIO()
    with told_progress(stream, live=False, quiet=quiet, clock=lambda: next(ticks)) as report:
        for step in steps:
            report(step)
    return stream.getvalue().splitlines()


def fold(number: int) -> Progress:
    told = f"fold {number} of 100"
    return Progress(phase="folds", fraction=number / 100, message=told, model=ModelName.CHURN)


def test_a_phase_is_told_at_its_start_and_at_every_tenth() -> None:
    shown = lines_of(*(fold(number) for number in range(1, 101)))
    assert len(shown) == 10
    assert shown[0] == "12:00:01   1 % churn, folds: fold 1 of 100 (1 s)"


def test_a_line_estimates_the_rest() -> None:
    # A quarter took one second, so three are left.
    assert lines_of(fold(25))[0].endswith("(1 s, about 3 s left)")


def test_a_new_phase_is_told_at_once() -> None:
    shown = lines_of(fold(1), Progress(phase="gate", fraction=0.02))
    assert len(shown) == 2


def test_quiet_tells_nothing() -> None:
    assert lines_of(fold(1), quiet=True) == []


def test_a_live_bar_makes_room_and_comes_back() -> None:
    stream = io.StringIO()
    with told_progress(stream, live=True, quiet=False, clock=lambda: START) as view:
        view(fold(50))
        view.hush()
        away = len(stream.getvalue())
        view(fold(51))
        view.hush()
    assert "fold 50 of 100" in stream.getvalue()[:away]
    assert "fold 51 of 100" in stream.getvalue()[away:]
