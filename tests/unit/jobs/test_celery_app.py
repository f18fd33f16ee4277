"""Messages over a real Redis: sent while a run waits, harmless when lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from queue import Empty

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from tests.brokers import free_port, redis_server

from chatlift.errors import InvalidInput
from chatlift.jobs.celery_app import (
    DUTIES_QUEUE,
    RUNS_QUEUE,
    SENT_AGAIN_AFTER,
    QueuedSender,
    beat_schedule,
    celery_of,
)
from chatlift.jobs.duties import Duty

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with redis_server(free_port()) as url:
        yield url


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    made = celery_of(redis_url)
    yield made
    with made.connection_for_write() as connection:
        connection.default_channel.queue_purge(RUNS_QUEUE)


def received(app: Celery) -> list[str]:
    """Take all messages; return the runs they name."""
    found = []
    with (
        suppress(Empty),
        app.connection_for_read() as connection,
        connection.SimpleQueue(RUNS_QUEUE) as messages,
    ):
        while True:
            message = messages.get(block=False)
            message.ack()
            found += message.payload[0]
    return found


def test_what_waits_is_sent_once_and_again_after_a_while(app: Celery) -> None:
    waiting = ["run-1"]
    sender = QueuedSender(app, lambda: waiting)
    assert sender.send(NOW) == ("run-1",)
    waiting.append("run-2")
    assert sender.send(NOW + timedelta(seconds=1)) == ("run-2",)
    assert sender.send(NOW + SENT_AGAIN_AFTER - timedelta(seconds=1)) == ()
    assert sender.send(NOW + SENT_AGAIN_AFTER) == ("run-1",)
    assert received(app) == ["run-1", "run-2", "run-1"]
    waiting.clear()
    assert sender.send(NOW + 3 * SENT_AGAIN_AFTER) == ()


def test_a_broker_that_is_down_loses_nothing() -> None:
    port = free_port()
    with redis_server(port) as url:
        app = celery_of(url)
        sender = QueuedSender(app, lambda: ["run-1"])
    with pytest.raises(OperationalError):
        sender.send(NOW)
    with redis_server(port):
        assert sender.send(NOW) == ("run-1",)
        assert received(app) == ["run-1"]


@pytest.mark.parametrize("url", ["carrier-pigeon://secret-word@somewhere", "nothing"])
def test_an_address_of_no_broker_is_told_without_its_password(url: str) -> None:
    with pytest.raises(InvalidInput, match="redis://<host>") as caught:
        celery_of(url)
    assert "secret-word" not in str(caught.value)


def test_beat_ticks_every_duty_and_a_tick_nobody_takes_in_time_is_thrown_away() -> None:
    duty = Duty(name="look", run=print, every=timedelta(seconds=5))
    assert beat_schedule([duty]) == {
        "look": {
            "task": "chatlift.see_to",
            "schedule": timedelta(seconds=5),
            "args": ("look",),
            "options": {"queue": DUTIES_QUEUE, "expires": 5.0},
        }
    }
