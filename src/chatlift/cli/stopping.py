"""Being asked to stop: Ctrl-C, Ctrl-Break and the system's own request are one and the same."""

from __future__ import annotations

import signal
from typing import NoReturn

import typer

STOPPED = 130
"""Exit code of a command that was asked to stop."""
REQUESTS = ("SIGTERM", "SIGBREAK")
"""By name, since each system has its own: what `kill`, `docker stop` and Ctrl-Break send."""


def hear_requests() -> None:
    """Let a request to end reach the command as `KeyboardInterrupt`, so that it ends in order."""
    for name in REQUESTS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)


def stop() -> NoReturn:
    """End the process with one line."""
    typer.echo("Stopped.", err=True)
    raise SystemExit(STOPPED)
