"""A `chatlift serve` in a process of its own, which a test may kill."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A `chatlift serve` in a process of its own."""

    process: subprocess.Popen[str]
    client: httpx.Client
    said: Path
    """What it printed."""


@contextmanager
def serving(
    home: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Let a server run until the block ends, then kill it.

    `environ` holds further variables of its environment.
    """
    port = free_port()
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CHATLIFT_")}
    named = {"CHATLIFT_HOME": str(home), "PYTHONPATH": str(ROOT / "src")} | dict(environ or {})
    said = home / "said.txt"
    with said.open("a", encoding="utf-8") as printed:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, fixed words
            [sys.executable, "-m", "chatlift", "serve", "--port", str(port), *arguments],
            env=kept | named,
            cwd=ROOT,
            stdout=printed,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=START_SECONDS) as client:
            await_ready(client, process)
            yield Server(process, client, said)
    finally:
        process.kill()
        process.wait(START_SECONDS)


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def await_ready(client: httpx.Client, process: subprocess.Popen[str]) -> None:
    """Wait until the server can answer."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail("chatlift serve was not ready in time")
