"""The training child as its worker sees it: started, listened to, ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from chatlift.jobs.training_job import TrainingJob

COMMAND = ("-P", "-m", "chatlift.jobs.training_child")


class TrainingChild:
    """One child under way; make one to start it. It never outlives its worker.

    Parameters
    ----------
    environ
        The child's environment.
    on_end
        Called from another thread when the child has ended.
    """

    def __init__(
        self, job: TrainingJob, environ: Mapping[str, str], *, on_end: Callable[[], None]
    ) -> None:
        self.is_lost = False
        """Whether a write of it was refused, because its run is no longer its own."""
        self.failure: Mapping[str, Any] | None = None
        """What broke, as `failure_of` tells it; None where nothing is known."""
        self._last_word_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - our own module, with fixed arguments
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
        )
        self._has_ended = threading.Event()
        self._listener = threading.Thread(target=self._listen, args=(on_end,), daemon=True)
        self._listener.start()
        assert self._process.stdin is not None  # noqa: S101 - PIPE was asked for
        with suppress(OSError):  # It ended at once; its exit code says more.
            self._process.stdin.write(job.to_line())
            self._process.stdin.flush()

    @property
    def process_id(self) -> int:
        """Its number among the machine's processes."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has ended and all it said was heard."""
        return self._has_ended.is_set()

    @property
    def silent_seconds(self) -> float:
        """How long it has told no step."""
        return time.monotonic() - self._last_word_at

    def ended_error(self) -> dict[str, Any]:
        """Return how it ended, in the shape of `failure_of`, with `exit_code` or `signal`."""
        code = self._process.returncode
        told = {"type": "ProcessEnded", "kind": "unavailable", "frames": [], "causes": []}
        if self.failure is not None:
            told |= self.failure
        if code is not None and code < 0:
            name = _signal_name(-code)
            sentence = f"The training process was ended from outside ({name})."
            return told | {"sentence": sentence, "signal": name}
        sentence = f"The training process ended with code {code} before its run had ended."
        return {"sentence": sentence} | told | {"exit_code": code}

    def kill(self) -> None:
        """End it at once, whatever it is doing, and wait until it is gone."""
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        self._listener.join()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def _listen(self, on_end: Callable[[], None]) -> None:
        assert self._process.stdout is not None  # noqa: S101 - PIPE was asked for
        with self._process.stdout as words:
            for line in words:
                self._hear(line)
        self._process.wait()
        self._has_ended.set()
        on_end()

    def _hear(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            return  # Cut off in the middle, as by `kill -9`.
        self._last_word_at = time.monotonic()
        if told["word"] == "lost":
            self.is_lost = True
        if told["word"] == "broken":
            self.failure = told["failure"]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
