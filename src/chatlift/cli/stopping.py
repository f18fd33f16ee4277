"""Being asked to stop: Ctrl-C, Ctrl-Break and the system's own request are one and the same."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import NoReturn

import typer

STOPPED = 130
"""Exit code of a command that was asked to stop."""
REQUESTS = ("SIGINT", "SIGTERM", "SIGBREAK")
"""By name, since each system has its own: Ctrl-C; `kill` and `docker stop`; Ctrl-Break."""

_asked = threading.Event()


def hear_requests() -> None:
    """Let a request to end reach the command as `KeyboardInterrupt`, so that it ends in order.

    What the process was started to ignore, as a shell does for jobs in the background, it ignores.
    """
    for name in REQUESTS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def is_asked_to_stop() -> bool:
    """Tell whether a request came in; any thread may look, also while the main one winds up."""
    return _asked.is_set()


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    _asked.set()
    raise KeyboardInterrupt


def stop() -> NoReturn:
    """End the process with one line."""
    typer.echo("Stopped.", err=True)
    raise SystemExit(STOPPED)
