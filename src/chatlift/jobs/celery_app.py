"""Celery as a carrier: it wakes workers on other machines and ticks their duties, no more.

A message names a run; whoever gets it tries to claim the run's row, and a second delivery finds it
claimed. So a broker that is down, restarted or emptied loses nothing: what waits is sent again, and
workers look into the queue now and then by themselves. Only what uses the broker imports this file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery import Celery
from celery.apps.beat import Beat
from celery.worker import WorkController, state
from kombu.entity import Queue

from chatlift.errors import InvalidInput
from chatlift.jobs.duties import Duty
from chatlift.jobs.worker import Offer, Worker

RUNS_QUEUE = "chatlift.runs"
DUTIES_QUEUE = "chatlift.duties"
TRAIN = "chatlift.train"
SEE_TO = "chatlift.see_to"
SENT_AGAIN_AFTER = timedelta(seconds=60)
"""A message nobody took in this time is thrown away, and its run is sent again."""
CONNECT_SECONDS = 5
POOL_THREADS = 4
"""Tasks of one worker at the same time; none of them lasts, since trainings have children."""

log = structlog.get_logger(__name__)


def celery_of(broker_url: str) -> Celery:
    """Return an app that talks to the broker; nothing is sent yet.

    Raises
    ------
    InvalidInput
        If the address names no broker that Celery knows; the text does not repeat it.
    """
    app = Celery("chatlift", set_as_current=False, broker=broker_url)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_default_queue=RUNS_QUEUE,
        task_queues=[_queue(RUNS_QUEUE), _queue(DUTIES_QUEUE)],
        # The row says whether a run is under way; the message has done its work on arrival.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_transport_options={"socket_connect_timeout": CONNECT_SECONDS},
        enable_utc=True,
    )
    _refuse_unknown(app, broker_url)
    return app


def _refuse_unknown(app: Celery, broker_url: str) -> None:
    """Look up how to talk to the broker, without connecting."""
    try:
        scheme, sign, _ = broker_url.partition("://")
        if not scheme or not sign:
            raise ValueError("no scheme")
        with app.connection_for_write() as connection:
            _ = connection.transport_cls
    except (KeyError, ImportError, ValueError) as error:
        raise InvalidInput(
            "CHATLIFT_BROKER_URL names no broker that can be used "
            f"({type(error).__name__}). Write redis://<host>:6379/0 or amqp://<host>//, and "
            'install what it needs with: pip install "chatlift[celery]".'
        ) from error


def _queue(name: str) -> Any:
    return Queue(name)  # type: ignore[no-untyped-call]


class QueuedSender:
    """Sends the runs that wait for a worker over the broker; safe across threads.

    Each is sent at once and again after a while, as long as it waits: whatever became of the first
    message, it is harmless to send another.
    """

    def __init__(self, app: Celery, queued: Callable[[], Sequence[str]]) -> None:
        self._app = app
        self._queued = queued
        self._sent_at: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def send(self, now: datetime) -> tuple[str, ...]:
        """Send what waits and was not sent lately; return the ids.

        Raises
        ------
        Exception
            Of the broker's library, where the broker cannot be reached; nothing is lost by that.
        """
        with self._lock:
            waiting = self._queued()
            self._sent_at = {i: at for i, at in self._sent_at.items() if i in set(waiting)}
            due = tuple(run_id for run_id in waiting if self._is_due(run_id, now))
            if due:
                with self._app.connection_for_write() as connection:
                    connection.ensure_connection(max_retries=1, timeout=CONNECT_SECONDS)
                    for run_id in due:
                        self._send(connection, run_id)
                        self._sent_at[run_id] = now
            return due

    def _is_due(self, run_id: str, now: datetime) -> bool:
        return run_id not in self._sent_at or now - self._sent_at[run_id] >= SENT_AGAIN_AFTER

    def _send(self, connection: Any, run_id: str) -> None:
        self._app.send_task(
            TRAIN,
            args=[run_id],
            connection=connection,
            queue=RUNS_QUEUE,
            expires=SENT_AGAIN_AFTER.total_seconds(),
            ignore_result=True,
            retry=False,
        )


def consume(app: Celery, worker: Worker, duties: Sequence[Duty]) -> None:
    """Take messages for a worker, in threads that end with the process.

    Parameters
    ----------
    duties
        Those that Beat may ask for.
    """
    by_name = {duty.name: duty for duty in duties}

    @app.task(name=TRAIN, ignore_result=True)  # type: ignore[untyped-decorator]
    def train(run_id: str) -> None:
        offer = worker.offer(run_id)
        event = "delivery_refused" if offer is Offer.REFUSED else f"delivery_{offer}"
        log.info(event, run_id=run_id, worker=worker.name)

    @app.task(name=SEE_TO, ignore_result=True)  # type: ignore[untyped-decorator]
    def see_to(name: str) -> None:
        worker.see_to_once(by_name[name])

    app.finalize()
    controller = WorkController(
        app=app,
        pool_cls="threads",
        concurrency=POOL_THREADS,
        hostname=f"chatlift@{worker.name}",
        loglevel="ERROR",
        logfile=None,
        without_heartbeat=False,
        without_mingle=True,
        without_gossip=True,
    )
    threading.Thread(target=controller.start, name="celery", daemon=True).start()


def stop_consuming() -> None:
    """Take no more messages; those under way are ended by the worker."""
    state.should_stop = 0


def beat(app: Celery, duties: Sequence[Duty]) -> Beat:
    """Return Celery Beat that ticks the duties; what it has ticked is kept nowhere.

    Duties may be ticked twice or by several Beats at once, so there is nothing to keep, and no file
    that could be damaged.
    """
    app.conf.beat_schedule = beat_schedule(duties)
    return _Beat(
        app=app, scheduler="celery.beat:Scheduler", loglevel="ERROR", quiet=True, max_interval=5
    )


class _Beat(Beat):  # type: ignore[misc]
    def setup_logging(self, colorize: bool | None = None) -> None:
        """Leave logging as the command has set it up."""


def beat_schedule(duties: Sequence[Duty]) -> Mapping[str, Mapping[str, Any]]:
    """Return when Beat ticks which duty; a tick that nobody takes in time is thrown away."""
    return {
        duty.name: {
            "task": SEE_TO,
            "schedule": duty.every,
            "args": (duty.name,),
            "options": {"queue": DUTIES_QUEUE, "expires": duty.every.total_seconds()},
        }
        for duty in duties
    }
