"""Scoring everybody: the duty of every worker, and what its child carries out.

The work is done in a process of its own, so that a server beside it goes on answering at once; any
number of workers share the shards of a job.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from chatlift.jobs.child_job import ChildJob
from chatlift.registry.installations import open_installation
from chatlift.settings import Settings
from chatlift.store.database import Database
from chatlift.workflows.score_everybody import plan_scorings, score_waiting

COMMAND = ("-P", "-m", "chatlift.jobs.scoring_child")
CHILD_SECONDS = 300
"""A child takes no new shard after so long; the next one begins with fresh memory."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ScoringJob(ChildJob):
    """What a scoring child is to do: shards of all accounts of the database, as this worker."""

    worker: str

    @classmethod
    def of(cls, worker: str, settings: Settings) -> ScoringJob:
        """Return the job of a worker."""
        return cls(worker=worker, account=settings.account, **cls.places(settings))


class Scoring:
    """Plans scorings and carries them out in one child at a time; safe across threads."""

    def __init__(
        self, worker: str, settings: Settings, database: Database, environ: Mapping[str, str]
    ) -> None:
        self._job = ScoringJob.of(worker, settings)
        self._database = database
        self._environ = dict(environ)
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._is_ending = False

    def run(self, now: datetime) -> None:
        """Score whatever is due or waits; returns when nothing does."""
        if not self._lock.acquire(blocking=False):
            return  # Another thread of this process is at it.
        try:
            if plan_scorings(self._database, now=now) and not self._is_ending:
                self._in_child()
        finally:
            self._lock.release()

    def end(self) -> None:
        """End the child; its shard is scored again elsewhere when its lease has run out."""
        self._is_ending = True
        if self._child is not None:
            with suppress(OSError):
                self._child.kill()

    def _in_child(self) -> None:
        with subprocess.Popen(  # noqa: S603 - our own module, with fixed arguments
            [sys.executable, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environ,
        ) as child:
            self._child = child
            if self._is_ending:
                child.kill()
            assert child.stdin is not None  # noqa: S101 - PIPE was asked for
            with suppress(OSError):  # It ended at once; its exit code says more.
                child.stdin.write(self._job.to_line())
                child.stdin.flush()
            code = child.wait()
        self._child = None
        if code and not self._is_ending:
            log.warning("scoring_ended", exit_code=code)


def carry_out(line: bytes, _tell: Callable[[Mapping[str, Any]], None]) -> None:
    """Score what waits, in the scoring child.

    Parameters
    ----------
    line
        As `ScoringJob.to_line` gives it.
    """
    job = ScoringJob.from_line(line)
    until = time.monotonic() + CHILD_SECONDS
    database = open_installation(job.settings)
    try:
        score_waiting(database, job.settings, job.worker, go_on=lambda: time.monotonic() < until)
    finally:
        database.close()
