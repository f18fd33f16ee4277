"""A fleet whose workers are woken over a real broker: what the broker forgets is not lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError
from tests.brokers import free_port, rabbitmq_server, redis_server
from tests.fleets import Fleet, eventually, fleet

from chatlift.jobs.celery_app import QueuedSender, celery_of
from chatlift.vocabulary import RunStatus


@pytest.fixture
def business(tmp_path: Path, database_url: str) -> Iterator[Fleet]:
    with fleet(tmp_path / "home", database_url) as opened:
        yield opened


class CeleryWorker:
    """A worker in a process of its own, and what it logs."""

    def __init__(self, business: Fleet, url: str, log: Path) -> None:
        self.log = log
        self.app = celery_of(url)
        self.sender = QueuedSender(self.app, business.queue.queued)
        environ = business.environ | {"CHATLIFT_BROKER_URL": url}
        command = [sys.executable, "-m", "chatlift", "worker", "--celery"]
        with log.open("wb") as out:
            self.process = subprocess.Popen(  # noqa: S603
                command, stdout=subprocess.DEVNULL, stderr=out, env=environ
            )

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log.read_text("utf-8").splitlines()]

    def await_event(self, event: str, count: int = 1) -> None:
        eventually(self.events, lambda found: found.count(event) >= count)


@contextmanager
def celery_worker(business: Fleet, url: str, log: Path) -> Iterator[CeleryWorker]:
    worker = CeleryWorker(business, url, log)
    try:
        worker.await_event("worker_started")
        yield worker
    finally:
        worker.process.terminate()
        assert worker.process.wait(60) == 0


@contextmanager
def beat(business: Fleet, url: str) -> Iterator[None]:
    """Beat in a process of its own; a worker that Celery wakes ticks no schedule by itself."""
    environ = business.environ | {"CHATLIFT_BROKER_URL": url}
    command = [sys.executable, "-m", "chatlift", "beat"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environ)  # noqa: S603
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgres
def test_over_redis_a_run_is_trained_once_and_none_is_lost_with_the_broker(
    business: Fleet, tmp_path: Path
) -> None:
    port = free_port()
    with redis_server(port) as url, celery_worker(business, url, tmp_path / "log") as worker:
        first = business.enqueue()
        worker.sender.send(business.database.now())
        business.await_training(first)
        # The same message again, as a broker delivers it that was not told of the first.
        QueuedSender(worker.app, lambda: [first.run_id]).send(business.database.now())
        worker.await_event("delivery_refused")
        ended = business.await_end(first)
        assert (ended.status, ended.attempt) == (RunStatus.COMPLETED, 1)
        with beat(business, url):
            scheduled = business.await_scheduled_run()
        assert scheduled.requested_by == "schedule"
        business.runs.stop(scheduled.run_id, now=business.database.now())
    with celery_worker(business, url, tmp_path / "log-2") as worker:
        second = business.enqueue()
        with pytest.raises(OperationalError):
            worker.sender.send(business.database.now())
        with redis_server(port):  # As empty as a new one.
            assert business.await_end(second).status is RunStatus.COMPLETED


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_rabbitmq_carries_runs_as_well(business: Fleet, tmp_path: Path) -> None:
    with rabbitmq_server() as url, celery_worker(business, url, tmp_path / "log") as worker:
        run = business.enqueue()
        worker.sender.send(business.database.now())
        assert business.await_end(run).status is RunStatus.COMPLETED
        assert "delivery_taken" in worker.events() or "delivery_busy" in worker.events()
