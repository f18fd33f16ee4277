"""The worker: takes runs from the queue, trains each in a child, and sees to its duties.

Any number of workers may share a database. Threads of one: a slot per training under way, one
per duty, and the caller's, which waits for the request to end.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence

import structlog

from chatlift.jobs.duties import Duty
from chatlift.jobs.reconcile import sweep_account
from chatlift.jobs.supervision import Supervision
from chatlift.registry.run_queue import Claim, RunQueue
from chatlift.settings import Settings
from chatlift.store.database import Database

POLL_SECONDS = 1.0
"""How often an idle slot looks into the queue."""
LONGEST_PAUSE_SECONDS = 30.0
"""How long a worker waits at most before it tries again what failed, as while a database is
away."""

log = structlog.get_logger(__name__)


def worker_name() -> str:
    """Return a name for this process that no other has: machine, process and a random end."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(2)}"


def child_environment(environ: Mapping[str, str], threads: int) -> dict[str, str]:
    """Return the environment of a training child: each fit on one thread, waiting passively.

    Threads of OpenMP spin while they wait: beside another busy process a fit of 0.2 s took half a
    minute.

    Examples
    --------
    >>> child_environment({"HOME": "/root"}, 2)["POLARS_MAX_THREADS"]
    '2'
    """
    return {
        **environ,
        "OMP_WAIT_POLICY": "passive",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "POLARS_MAX_THREADS": str(threads),
    }


class Worker:
    """Takes runs from the queue until it is asked to end.

    Parameters
    ----------
    environ
        Environment that the training children inherit.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        environ: Mapping[str, str],
        duties: Sequence[Duty] = (),
    ) -> None:
        self.name = worker_name()
        self._settings = settings
        self._database = database
        self._environ = child_environment(environ, settings.threads)
        self._duties = tuple(duties)
        self._queue = RunQueue(database, lease=settings.jobs.lease)
        self._bells: set[threading.Event] = set()
        self._bells_lock = threading.Lock()

    def run(self, until: threading.Event) -> None:
        """Work until the event is set, then end in order: runs under way go back to the queue."""
        log.info("worker_started", worker=self.name, slots=self._settings.jobs.slots)
        threads = [
            threading.Thread(target=self._fill_slot, args=(until,), name=f"slot-{number}")
            for number in range(self._settings.jobs.slots)
        ]
        threads += [
            threading.Thread(target=see_to, args=(duty, self._database, until), name=duty.name)
            for duty in self._duties
        ]
        for thread in threads:
            thread.start()
        until.wait()
        self.wake()
        for thread in threads:
            thread.join()
        log.info("worker_ended", worker=self.name)

    def wake(self) -> None:
        """Let every slot look at once: there is a new run, or one that shall stop."""
        with self._bells_lock:
            for bell in self._bells:
                bell.set()

    def train(self, claimed: Claim, is_ending: Callable[[], bool], bell: threading.Event) -> None:
        """Train a claimed run in a child; returns when it has ended or is another's."""
        supervision = Supervision(
            claimed,
            self._queue,
            self._settings,
            environ=self._environ,
            bell=bell,
            is_ending=is_ending,
        )
        supervision.watch()
        sweep_account(self._database, self._settings.artifacts, claimed.run.account_id)

    def _fill_slot(self, until: threading.Event) -> None:
        bell = threading.Event()
        with self._bells_lock:
            self._bells.add(bell)
        pause = POLL_SECONDS
        while not until.is_set():
            try:
                claimed = self._queue.claim_next(self.name)
                if claimed is not None:
                    self.train(claimed, until.is_set, bell)
                pause = POLL_SECONDS
            except Exception as error:  # noqa: BLE001 - the worker goes on, whatever one run does
                claimed = None
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                log.error("worker_failed", worker=self.name, error=type(error).__name__)
            if claimed is None and not until.is_set():
                bell.wait(pause)
                bell.clear()


def see_to(duty: Duty, database: Database, until: threading.Event) -> None:
    """Do a duty again and again until the event is set; an error is logged, and it goes on."""
    while not until.is_set():
        try:
            duty.run(database.now())
        except Exception as error:  # noqa: BLE001 - one failure must not be the last try
            log.error("duty_failed", duty=duty.name, error=type(error).__name__)
        until.wait(duty.every.total_seconds())
