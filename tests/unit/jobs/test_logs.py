"""Logs hold names and numbers; what an exception or a message quotes stays out."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from chatlift.jobs.logs import Repeats, set_up_logs

SAID = "message of somebody, +34 600 111 222"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    written = io.StringIO()
    set_up_logs(written)
    yield written
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_a_line_of_json(stream: io.StringIO) -> None:
    structlog.get_logger().info("training_started", run_id="run-1")
    (line,) = lines(stream)
    assert (line["event"], line["run_id"], line["level"]) == ("training_started", "run-1", "info")
    assert str(line["timestamp"]).endswith("Z")


def test_of_an_exception_only_its_type_is_told(stream: io.StringIO) -> None:
    try:
        raise ValueError(SAID)
    except ValueError:
        structlog.get_logger().exception("look_failed")
        logging.getLogger("some.library").exception("Something went wrong")
    ours, theirs = lines(stream)
    assert ours["error"] == theirs["error"] == "ValueError"
    assert theirs["logger"] == "some.library"
    assert "600 111" not in stream.getvalue()


def test_where_an_error_arose_is_told_beside_it(stream: io.StringIO) -> None:
    failure = {"type": "ValueError", "frames": ["app.py:7"]}
    logging.getLogger("service").error("unforeseen_error", extra={"failure": failure, "said": SAID})
    (line,) = lines(stream)
    assert (line["event"], line["failure"]) == ("unforeseen_error", failure)
    assert "600 111" not in stream.getvalue()


def test_an_error_that_repeats_is_told_once_a_minute_with_its_count() -> None:
    now = [0.0]
    repeats = Repeats(lambda: now[0])
    assert repeats.swallowed("out of files") == 0
    assert repeats.swallowed("another") == 0
    assert [repeats.swallowed("out of files") for _ in range(9)] == [None] * 9
    now[0] = 60.0
    assert repeats.swallowed("out of files") == 9
    assert repeats.swallowed("out of files") is None


def test_repeated_lines_do_not_fill_the_disk(stream: io.StringIO) -> None:
    """A server without file handles said so thousands of times a second."""
    for number in range(10_000):
        logging.getLogger("asyncio").error("socket.accept() out of system resource")
        structlog.get_logger().error("duty_failed", duty="tick", error="OperationalError")
        structlog.get_logger().info("request", number=number % 3)
    told = [line["event"] for line in lines(stream)]
    assert told.count("socket.accept() out of system resource") == 1
    assert told.count("duty_failed") == 1
    assert told.count("request") == 10_000


def test_errors_that_differ_are_all_told(stream: io.StringIO) -> None:
    for number in range(3):
        structlog.get_logger().error("training_failed", run_id=f"run-{number}")
        failure = {"type": "ValueError", "frames": [f"app.py:{number}"]}
        logging.getLogger("service").error("unforeseen_error", extra={"failure": failure})
    assert len(lines(stream)) == 6
