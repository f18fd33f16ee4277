"""Callers that send or take slowly, or not at all, hold up nobody else. Limits are short here."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
import uvicorn

from chatlift.service import connections
from chatlift.service.connections import ConnectionLimits, GuardedConfig, connections_that_fit
from chatlift.service.running import listening_socket

GENEROUS = ConnectionLimits(header_seconds=60, body_seconds=60, answer_seconds=60)
ENDS_SECONDS = 30
"""After so long a test gives up waiting for the end of a connection."""
LONG_ANSWER_BYTES = 30_000_000
GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer with the number of bytes that were sent, or with very much."""
    count, is_more = 0, True
    while is_more:
        message = await receive()
        count += len(message.get("body", b""))
        is_more = message.get("more_body", False)
    if scope["path"] == "/late":
        await asyncio.sleep(1)
    body = bytes(LONG_ANSWER_BYTES) if scope["path"] == "/long" else str(count).encode()
    head = {"type": "http.response.start", "status": 200}
    await send(head | {"headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(limits: ConnectionLimits) -> Iterator[int]:
    """Serve the application with these limits; yield the port."""
    listener = listening_socket("127.0.0.1", 0)
    config = GuardedConfig(application, connections=limits, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(ENDS_SECONDS)
        listener.close()


def calling(port: int, sent: bytes, address: str = "127.0.0.1") -> socket.socket:
    caller = socket.create_connection(("127.0.0.1", port), ENDS_SECONDS, (address, 0))
    caller.sendall(sent)
    return caller


def answer_of(caller: socket.socket) -> bytes:
    """Return all that comes until the other side ends the connection."""
    with caller:
        told = b""
        try:
            while piece := caller.recv(65_536):
                told += piece
        except ConnectionResetError:
            pass
        return told


def is_ended(caller: socket.socket) -> bool:
    """Send a byte; tell whether the other side has ended the connection."""
    try:
        caller.sendall(b"a")
    except OSError:
        return True
    return False


def status_of(caller: socket.socket) -> bytes:
    """Return the status of an answer, and leave."""
    with caller:
        return caller.recv(100).split(b" ")[1]


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTT"])
def test_a_header_that_does_not_come_ends_the_connection(sent: bytes) -> None:
    with serving(replace(GENEROUS, header_seconds=0.2)) as port:
        assert answer_of(calling(port, sent)).startswith(b"HTTP/1.1 408 ")


def test_a_second_header_that_does_not_come_ends_it_too() -> None:
    with serving(replace(GENEROUS, header_seconds=0.2)) as port:
        caller = calling(port, GET % b"")
        assert caller.recv(1_000).startswith(b"HTTP/1.1 200 ")
        caller.sendall(b"GET / HTTP/1.1\r\n")
        assert b"HTTP/1.1 408 " in answer_of(caller)


def test_a_body_that_does_not_come_ends_the_connection() -> None:
    with serving(replace(GENEROUS, body_seconds=0.2)) as port:
        sent = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"
        assert answer_of(calling(port, sent)).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_trickles_ends_the_connection() -> None:
    limits = replace(GENEROUS, body_seconds=0.3, least_bytes_per_second=1_000_000)
    with serving(limits) as port:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"
        with calling(port, head) as caller:
            deadline = time.monotonic() + ENDS_SECONDS
            while not is_ended(caller) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert time.monotonic() < deadline


def test_a_slow_body_that_keeps_the_pace_is_taken() -> None:
    limits = replace(GENEROUS, body_seconds=0.2, least_bytes_per_second=1)
    with serving(limits) as port:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\n"
        caller = calling(port, head)
        for _ in range(10):
            caller.sendall(b"a")
            time.sleep(0.05)
        assert answer_of(caller).endswith(b"10")


def test_an_answer_that_takes_its_time_ends_nothing() -> None:
    limits = ConnectionLimits(header_seconds=0.2, body_seconds=0.2, answer_seconds=0.2)
    with serving(limits) as port:
        assert status_of(calling(port, GET % b"late")) == b"200"


def test_who_does_not_take_the_answer_is_let_go() -> None:
    with serving(replace(GENEROUS, answer_seconds=0.3)) as port:
        caller = calling(port, GET % b"long")
        time.sleep(2)  # Whatever comes afterwards was in the system's buffers.
        assert len(answer_of(caller)) < LONG_ANSWER_BYTES


def test_unfinished_requests_of_one_address_hold_up_no_other() -> None:
    limits = replace(GENEROUS, in_all=30, per_address=10)
    with serving(limits) as port, ExitStack() as held:
        for _ in range(10):
            held.enter_context(calling(port, b"GET / HTTP/1.1\r\n"))
        assert status_of(calling(port, GET % b"")) == b"503"
        assert status_of(calling(port, GET % b"", address="127.0.0.2")) == b"200"


def test_beyond_what_the_process_holds_connections_are_refused_and_room_is_given_back() -> None:
    limits = replace(GENEROUS, in_all=10)
    with serving(limits) as port:
        with ExitStack() as held:
            for _ in range(10):
                held.enter_context(calling(port, b"GET / HTTP/1.1\r\n"))
            told = answer_of(calling(port, GET % b""))
            assert told.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1" in told
            assert b"urn:chatlift:problem:unavailable" in told
        deadline = time.monotonic() + ENDS_SECONDS
        while (status := status_of(calling(port, GET % b""))) != b"200":
            assert time.monotonic() < deadline, status


def test_the_process_takes_the_files_that_its_connections_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resource = pytest.importorskip("resource")
    taken: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 2_000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: taken.append(limits))
    assert connections_that_fit(1_000) == 1_000
    assert taken == [(1_200, 2_000)]
    assert connections_that_fit(5_000) == 2_000 - connections.SPARE_FILES
