"""Connections that do not hold up others: limited in number, and ended where nothing comes.

The server library closes an idle connection between two requests, and waits for ever within one. A
caller that sends half a request a thousand times then holds every file handle of the process. The
protocol below gives each connection a time for its header, a least pace for its body and for taking
its answer, and refuses connections beyond what the process can hold, before they cost anything.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if sys.platform != "win32":
    import resource

SPARE_FILES = 200
"""File handles that are left for databases, uploads and libraries."""
LOOK_SECONDS = 1.0
REFUSAL = (
    b'{"type":"urn:chatlift:problem:unavailable","title":"Service Unavailable","status":503,'
    b'"detail":"Too many connections are open. Try again in a moment.","instance":"/"}'
)
REFUSED = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n"
    b"retry-after: 1\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
) % (len(REFUSAL), REFUSAL)
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """What one process grants its connections."""

    in_all: int = 1_000
    per_address: int = 100
    header_seconds: float = 10.0
    """So long a request may take until its header is there."""
    body_seconds: float = 20.0
    """So long after a header or a part of the body the next must have come in the least pace."""
    least_bytes_per_second: int = 1_000
    """Pace of a body over each of these spans."""
    answer_seconds: float = 60.0
    """So long a caller may take nothing of its answer."""


class GuardedConfig(uvicorn.Config):
    """The server's configuration, with the limits of its connections."""

    def __init__(self, app: Any, *, connections: ConnectionLimits, **options: Any) -> None:
        super().__init__(app, http=GuardedProtocol, **options)
        self.connections = connections


class GuardedProtocol(H11Protocol):
    """One connection; it lives in the event loop's thread."""

    config: GuardedConfig

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection up, or refuse it where there are too many."""
        super().connection_made(transport)
        self._received_bytes = 0
        self._waiting_bytes = 0
        self._state: Any = None
        self._since = self.loop.time()
        self._taken_since = self._since
        self._look_task: asyncio.TimerHandle | None = None
        if self._is_beyond():
            self._end_with(REFUSED)
        else:
            self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._look_task is not None:
            self._look_task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless the connection is being closed."""
        if self.transport.is_closing():
            return
        self._received_bytes += len(data)
        super().data_received(data)

    def _is_beyond(self) -> bool:
        limits = self.config.connections
        if len(self.connections) > limits.in_all:
            return True
        address = _address_of(self)
        own = [other for other in self.connections if _address_of(other) == address]
        return len(own) > limits.per_address

    def _look_later(self) -> None:
        limits = self.config.connections
        shortest = min(limits.header_seconds, limits.body_seconds, limits.answer_seconds)
        self._look_task = self.loop.call_later(min(LOOK_SECONDS, shortest / 2), self._look)

    def _look(self) -> None:
        """End the connection if what it waits for has not come in time."""
        if self.transport.is_closing():
            return
        if self._takes_no_answer():
            self.transport.abort()
        elif self._is_late():
            self._end_with(TIMED_OUT)
        else:
            self._look_later()

    def _is_late(self) -> bool:
        """Whether a header or the next part of a body did not come in time."""
        now, state = self.loop.time(), self.conn.their_state
        is_idle = state is h11.IDLE and self.timeout_keep_alive_task is not None
        if state is not self._state or is_idle or self.flow.read_paused:
            self._state, self._since, self._received_bytes = state, now, 0
            return False
        limits = self.config.connections
        if state is h11.IDLE:
            return now - self._since >= limits.header_seconds
        if state is not h11.SEND_BODY or now - self._since < limits.body_seconds:
            return False
        is_slow = self._received_bytes < limits.least_bytes_per_second * (now - self._since)
        self._since, self._received_bytes = now, 0
        return is_slow

    def _takes_no_answer(self) -> bool:
        """Whether the caller has taken nothing of what waits for it for too long."""
        now, waiting_bytes = self.loop.time(), self.transport.get_write_buffer_size()
        if not waiting_bytes or waiting_bytes != self._waiting_bytes:
            self._waiting_bytes, self._taken_since = waiting_bytes, now
        return now - self._taken_since >= self.config.connections.answer_seconds

    def _end_with(self, answer: bytes) -> None:
        is_answering = self.cycle is not None and self.cycle.response_started
        if not is_answering or self.cycle.response_complete:
            self.transport.write(answer)
        self.transport.close()


def _address_of(connection: Any) -> str:
    return connection.client[0] if connection.client else ""


def connections_that_fit(wanted: int) -> int:
    """Return how many connections the process can hold of those wanted; take more files for it.

    A process that is out of file handles accepts nothing, and says so thousands of times a second.
    """
    if sys.platform == "win32":
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return wanted if soft == resource.RLIM_INFINITY else max(min(wanted, soft - SPARE_FILES), 1)
