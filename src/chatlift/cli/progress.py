"""Live progress on stderr: a bar on a terminal, plain lines with timestamps anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import TextIO

from rich.console import Console as RichConsole
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from chatlift.vocabulary import Progress

STEP_PERCENT = 10
"""A plain line is written at least this many percent after the one before, or at a new phase."""
CREATED = "created"
"""Phase whose messages are results, told by the report rather than as progress."""


class ProgressView:
    """Takes steps and shows them; this one shows nothing."""

    def __call__(self, step: Progress) -> None:
        """Take a step."""

    def hush(self) -> None:
        """Leave the screen to others until the next step."""


@contextmanager
def told_progress(
    stream: TextIO, *, live: bool, quiet: bool, clock: Callable[[], datetime]
) -> Iterator[ProgressView]:
    """Give a view that shows every step.

    Parameters
    ----------
    live
        Whether the stream is a terminal that can redraw a line.
    quiet
        Show nothing at all.
    clock
        Tells the instant of a plain line.
    """
    view = ProgressView()
    if not quiet:
        view = LiveProgress(stream) if live else PlainProgress(stream, clock)
    try:
        yield view
    finally:
        view.hush()


class LiveProgress(ProgressView):
    """Moves one bar over the whole work; the bar goes away while others write."""

    def __init__(self, stream: TextIO) -> None:
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=RichConsole(file=stream, highlight=False, markup=False, force_terminal=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=1.0)

    def __call__(self, step: Progress) -> None:
        """Move the bar, and show it if it was away."""
        self._bar.update(self._task, completed=step.fraction, description=described(step))
        self._bar.start()

    def hush(self) -> None:
        """Take the bar off the screen."""
        self._bar.stop()


class PlainProgress(ProgressView):
    """Writes a line per phase and per tenth of the work; safe across threads."""

    def __init__(self, stream: TextIO, clock: Callable[[], datetime]) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = Lock()
        self._started_at = clock()
        self._shown = ("", -STEP_PERCENT)

    def __call__(self, step: Progress) -> None:
        """Write the step if it is news."""
        percent = int(100 * step.fraction)
        place = f"{step.model}:{step.phase}"
        with self._lock:
            if place == self._shown[0] and percent < self._shown[1] + STEP_PERCENT:
                return
            self._shown = (place, percent)
            now = self._clock()
            elapsed = (now - self._started_at).total_seconds()
            left = _left(elapsed, step.fraction)
            self._stream.write(
                f"{now:%H:%M:%S} {percent:3d} % {described(step)} ({elapsed:.0f} s{left})\n"
            )
            self._stream.flush()


def _left(elapsed: float, fraction: float) -> str:
    """Return an estimate of the rest; nothing where there is too little to go by."""
    if not 0.05 <= fraction < 1.0:
        return ""
    return f", about {elapsed / fraction * (1 - fraction):.0f} s left"


def described(step: Progress) -> str:
    """Return the step in words.

    Examples
    --------
    >>> described(Progress(phase="folds", fraction=0.4, message="fold 2 of 5"))
    'folds: fold 2 of 5'
    """
    told = f"{step.phase}: {step.message}" if step.message else step.phase
    return f"{step.model}, {told}" if step.model else told
