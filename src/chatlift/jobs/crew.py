"""Who works where: the worker of a command, that beside a server, and one woken by Celery."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any

from chatlift.errors import InvalidInput
from chatlift.jobs.duties import Duty, duties_of
from chatlift.jobs.worker import Worker
from chatlift.registry.run_queue import RunQueue
from chatlift.settings import Settings
from chatlift.store.database import Database

SEND_EVERY = timedelta(seconds=15)
"""How often it is looked whether a run waits that was not sent lately."""
LOOK_SECONDS = 5.0
"""How often a worker that messages wake looks into the queue all the same."""


def worker_of(
    settings: Settings, database: Database, environ: Mapping[str, str], *, slots: int | None = None
) -> Worker:
    """Return a worker that finds its runs by itself, for `chatlift worker`."""
    duties = _duties(settings, database, environ)
    return Worker(settings, database, environ=environ, duties=duties, slots=slots)


def worker_beside_server(
    settings: Settings, database: Database, environ: Mapping[str, str]
) -> Worker:
    """Return the worker that a server runs in a thread; its `wake` is told of new runs.

    It trains and scores, unless a broker is set: then it hands that to workers elsewhere, and only
    sees to its light duties.
    """
    if settings.jobs.broker_url is None:
        return worker_of(settings, database, environ)
    light = [duty for duty in _duties(settings, database, environ) if not duty.is_heavy]
    return Worker(settings, database, environ=environ, duties=light, slots=0)


@contextmanager
def woken_by_celery(
    settings: Settings, database: Database, environ: Mapping[str, str], *, slots: int | None = None
) -> Iterator[Worker]:
    """Give a worker that messages of the broker wake, for `chatlift worker --celery`.

    Raises
    ------
    InvalidInput
        If no broker is set or Celery is not installed.
    """
    celery = _celery()
    app = celery.celery_of(_broker_of(settings))
    duties = _duties(settings, database, environ)
    worker = Worker(
        settings,
        database,
        environ=environ,
        duties=[duty for duty in duties if duty.is_reconciling],
        slots=slots,
        poll_seconds=LOOK_SECONDS,
    )
    celery.consume(app, worker, duties)
    try:
        yield worker
    finally:
        celery.stop_consuming()
        for duty in duties:
            duty.end()


def beat_of(settings: Settings, database: Database) -> Any:
    """Return Celery Beat for `chatlift beat`; raises as `woken_by_celery`."""
    celery = _celery()
    return celery.beat(celery.celery_of(_broker_of(settings)), _duties(settings, database, {}))


@contextmanager
def at_work(worker: Worker) -> Iterator[Worker]:
    """Let a worker work in a thread while the block runs, and end it in order."""
    until = threading.Event()
    thread = threading.Thread(target=worker.run, args=(until,), name="worker")
    thread.start()
    try:
        yield worker
    finally:
        until.set()
        thread.join()


def _duties(settings: Settings, database: Database, environ: Mapping[str, str]) -> tuple[Duty, ...]:
    duties = duties_of(settings, database, environ)
    if settings.jobs.broker_url is None:
        return duties
    celery = _celery()
    app = celery.celery_of(settings.jobs.broker_url)
    sender = celery.QueuedSender(app, RunQueue(database).queued)
    send = Duty(
        name="send_queued",
        run=sender.send,
        every=SEND_EVERY,
        is_reconciling=True,
        is_woken=True,
    )
    return (*duties, send)


def _broker_of(settings: Settings) -> str:
    if settings.jobs.broker_url is None:
        raise InvalidInput(
            "Celery needs a broker, and CHATLIFT_BROKER_URL is not set. Write "
            "redis://<host>:6379/0 or amqp://<host>//, or leave --celery away: workers find their "
            "runs in the database by themselves."
        )
    return settings.jobs.broker_url


def _celery() -> Any:
    """Import what needs Celery, an extra, only where a broker is used."""
    try:
        return import_module("chatlift.jobs.celery_app")
    except ModuleNotFoundError as error:
        raise InvalidInput(
            'A broker is set, and Celery is not installed. Add it: pip install "chatlift[celery]".'
        ) from error
