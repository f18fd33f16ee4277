from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.services import Served, served

from chatlift.service.observing import PROTECTING
from chatlift.vocabulary import Role

RUN = "/api/v1/training/runs/0e0c1a52-private"


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as opened:
        yield opened


def test_a_line_tells_the_route_and_the_caller_and_nothing_that_was_sent(at: Served) -> None:
    headers = at.headers(Role.VIEWER) | {"X-Request-ID": "walk-1"}
    with capture_logs() as lines:
        told = at.client.get(RUN, params={"phone": "+34600111222"}, headers=headers)
        at.client.get("/healthz")  # The line of a request is written before the next is read.
    assert (told.status_code, told.headers["x-request-id"]) == (404, "walk-1")
    line = next(line for line in lines if line["event"] == "request")
    assert line["route"] == "/api/v1/training/runs/{run_id}"
    assert (line["status"], line["method"], line["account"]) == (404, "GET", "default")
    assert line["caller"].startswith("token:")
    hidden = ("private", "+34600111222", headers["Authorization"].split()[1])
    assert not any(word in str(lines) for word in hidden)


def test_an_unknown_path_is_counted_without_its_name(at: Served) -> None:
    with capture_logs() as lines:
        at.client.get("/secret-in-a-path")
        at.client.get("/healthz")
    assert next(line["route"] for line in lines if line["event"] == "request") == "none"
    assert "secret-in-a-path" not in str(lines)


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "line%0abreak"])
def test_a_name_that_is_not_plain_is_replaced(at: Served, name: str) -> None:
    told = at.client.get("/healthz", headers={"X-Request-ID": name})
    assert told.headers["x-request-id"] != name
    assert len(told.headers["x-request-id"]) == 32


def test_every_answer_carries_the_headers_that_protect(at: Served) -> None:
    for path in ("/healthz", "/nowhere", "/api/v1/training/status"):
        told = at.client.get(path)
        assert {name: told.headers[name] for name in PROTECTING} == dict(PROTECTING)
