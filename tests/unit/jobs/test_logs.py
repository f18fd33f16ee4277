"""Logs hold names and numbers; what an exception or a message quotes stays out."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from chatlift.jobs.logs import set_up_logs

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
