"""The worker: takes runs from the queue, trains each in a child, and sees to its duties.

Any number of workers may share a database. Threads of one: one that looks into the queue, one per
training under way, one per duty, and the caller's, which waits for the request to end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import structlog

from chatlift.jobs.duties import Duty
from chatlift.jobs.processes import child_environment, worker_name
from chatlift.jobs.supervision import Supervision
from chatlift.registry.run_queue import Claim, RunQueue
from chatlift.settings import Settings
from chatlift.store.database import Database

POLL_SECONDS = 1.0
"""How often a worker with a free slot looks into the queue."""
LONGEST_PAUSE_SECONDS = 30.0
"""How long a worker waits at most before it tries again what failed, as while a database is
away."""

LOOK_AROUND_SECONDS = 1.0
"""A process that was suspended and is asked to end as it wakes may hear of it in a thread that is
not the main one; Python then raises nothing in the main one until it does something."""

log = structlog.get_logger(__name__)


class Offer(StrEnum):
    """What a worker says to a run that somebody sends it."""

    TAKEN = "taken"
    REFUSED = "refused"
    """It does not wait any more: another has it, or had it."""
    BUSY = "busy"
    """It waits, but no slot is free; it goes on waiting in the queue."""


class Worker:
    """Takes runs from the queue until it is asked to end; safe across threads.

    Parameters
    ----------
    environ
        Environment that the training children inherit.
    slots
        Trainings under way at the same time; by default what the settings say. With 0 it only
        sees to its duties.
    poll_seconds
        How often it looks into the queue while nobody wakes it.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        environ: Mapping[str, str],
        duties: Sequence[Duty] = (),
        slots: int | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.name = worker_name()
        self._settings = settings
        self._database = database
        self._environ = child_environment(environ, settings.threads)
        self._duties = tuple(duties)
        self._poll_seconds = poll_seconds
        self._queue = RunQueue(database, lease=settings.jobs.lease)
        self._slots = settings.jobs.slots if slots is None else slots
        self._bell = threading.Event()
        self._duty_bells = {duty.name: threading.Event() for duty in duties}
        self._trainings: dict[threading.Thread, threading.Event] = {}
        """Threads with a training under way, and the bell of each."""
        self._lock = threading.Lock()
        self._is_ending = threading.Event()

    def run(self, until: threading.Event) -> None:
        """Work until the event is set, then end in order: runs under way go back to the queue."""
        log.info("worker_started", worker=self.name, slots=self._slots)
        threads = [threading.Thread(target=self._dispatch, name="queue")] if self._slots else []
        threads += [
            threading.Thread(target=self._see_to, args=(duty,), name=duty.name)
            for duty in self._duties
        ]
        try:
            for thread in threads:
                thread.start()
            while not until.wait(LOOK_AROUND_SECONDS):
                pass  # A request to end that reached another thread is heard now.
        finally:
            self._is_ending.set()
            for duty in self._duties:
                duty.end()
            self._ring_all()
            with self._lock:
                threads += self._trainings
            for thread in threads:
                thread.join()
        log.info("worker_ended", worker=self.name)

    def wake(self) -> None:
        """Look at once: there is a new run, or one that shall stop."""
        with self._lock:
            bells = [self._bell, *self._trainings.values()]
        bells += [self._duty_bells[duty.name] for duty in self._duties if duty.is_woken]
        for bell in bells:
            bell.set()

    def offer(self, run_id: str) -> Offer:
        """Take this run, if a slot is free and it still waits for a worker."""
        offer = self._take(lambda: self._queue.claim(run_id, self.name))
        if offer is Offer.BUSY and run_id not in self._queue.queued():
            return Offer.REFUSED
        return offer

    def see_to_once(self, duty: Duty) -> None:
        """Do a duty; an error is logged, since there will be a next time."""
        try:
            duty.run(self._database.now())
        except Exception as error:  # noqa: BLE001 - one failure must not be the last try
            log.error("duty_failed", duty=duty.name, error=type(error).__name__)

    def _take(self, claim: Callable[[], Claim | None]) -> Offer:
        # Under the lock, so that no two take the last slot; a claim takes a moment.
        with self._lock:
            if self._is_ending.is_set() or len(self._trainings) >= self._slots:
                return Offer.BUSY
            claimed = claim()
            if claimed is None:
                return Offer.REFUSED
            bell = threading.Event()
            thread = threading.Thread(target=self._train, args=(claimed, bell), name="training")
            self._trainings[thread] = bell
            thread.start()
            return Offer.TAKEN

    def _train(self, claimed: Claim, bell: threading.Event) -> None:
        """Train a claimed run in a child, in a thread of its own."""
        try:
            Supervision(
                claimed,
                self._queue,
                self._settings,
                environ=self._environ,
                bell=bell,
                is_ending=self._is_ending.is_set,
            ).watch()
        except Exception as error:  # noqa: BLE001 - the worker goes on, whatever one run does
            log.error("training_failed", run_id=claimed.run_id, error=type(error).__name__)
        finally:
            with self._lock:
                del self._trainings[threading.current_thread()]
            self._bell.set()

    def _dispatch(self) -> None:
        """Fill free slots from the queue until the worker ends."""
        pause = self._poll_seconds
        while not self._is_ending.is_set():
            offer = Offer.BUSY
            try:
                offer = self._take(lambda: self._queue.claim_next(self.name))
                pause = self._poll_seconds
            except Exception as error:  # noqa: BLE001 - the database may be back the next time
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                log.error("queue_unreadable", worker=self.name, error=type(error).__name__)
            if offer is not Offer.TAKEN:
                self._bell.wait(pause)
                self._bell.clear()

    def _see_to(self, duty: Duty) -> None:
        """Do a duty again and again until the worker ends; after an error it goes on."""
        bell = self._duty_bells[duty.name]
        while not self._is_ending.is_set():
            self.see_to_once(duty)
            bell.wait(duty.every.total_seconds())
            bell.clear()

    def _ring_all(self) -> None:
        with self._lock:
            bells = [self._bell, *self._duty_bells.values(), *self._trainings.values()]
        for bell in bells:
            bell.set()
