"""The training child: a fresh interpreter that trains one run for a worker and then ends.

`python -m chatlift.jobs.training_child` reads its job as the first line of stdin and tells each
step as a line of JSON on stdout. It ends at once when stdin closes, because then its worker is
gone. Only the standard library is imported until it listens for that.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any, BinaryIO

ORPHANED = 70
"""Exit code of a child whose worker is gone."""
BROKEN = 1
LOWERED_PRIORITY = 5
"""Predictions come first where trainings and the service share a machine."""
REQUESTS = ("SIGINT", "SIGTERM", "SIGBREAK")
"""Requests to end reach the worker too, which puts the run back into the queue first."""


def main(task: str = "chatlift.jobs.attempt") -> None:
    """Carry out the one job that stdin names.

    Parameters
    ----------
    task
        Module whose `carry_out` takes the line and what tells a word.
    """
    for name in REQUESTS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    words = _own_stdout()
    line = _first_line(sys.stdin.fileno())
    threading.Thread(target=_end_with_worker, args=(sys.stdin.fileno(),), daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(LOWERED_PRIORITY)

    def tell(word: Mapping[str, Any]) -> None:
        words.write(json.dumps(word).encode() + b"\n")

    try:
        import_module(task).carry_out(line, tell)
    except BaseException as error:  # noqa: BLE001 - the outermost edge; its exit code says the rest
        failure_of = import_module("chatlift.registry.failures").failure_of
        tell({"word": "broken", "failure": failure_of(error)})
        sys.exit(BROKEN)


def _own_stdout() -> BinaryIO:
    """Return the pipe to the worker, and let whatever libraries print go elsewhere."""
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return pipe


def _first_line(stdin: int) -> bytes:
    """Read a line without a buffer, whose lock a waiting thread would hold to the very end."""
    line = b""
    while not line.endswith(b"\n"):
        found = os.read(stdin, 4096)
        if not found:
            os._exit(ORPHANED)
        line += found
    return line


def _end_with_worker(stdin: int) -> None:
    while os.read(stdin, 4096):
        pass
    os._exit(ORPHANED)


if __name__ == "__main__":
    main()
