"""Real brokers for tests: started on a free loopback port, ended by their process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

START_SECONDS = 60
RABBITMQ_PROGRAMS = Path("/usr/lib/rabbitmq/bin")
"""Where Debian keeps the program itself, without the script that becomes another user."""


def free_port() -> int:
    """Return a port on which nobody listens."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def redis_server(port: int) -> Iterator[str]:
    """Run a Redis that keeps nothing, and give its address."""
    program = _program("redis-server", "CHATLIFT_TEST_REDIS")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        _await_port(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@contextmanager
def rabbitmq_server() -> Iterator[str]:
    """Run a RabbitMQ that keeps nothing, and give its address."""
    program = _program("rabbitmq-server", "CHATLIFT_TEST_RABBITMQ")
    inner = RABBITMQ_PROGRAMS / "rabbitmq-server"
    folder = Path(tempfile.mkdtemp(prefix="chatlift-rabbitmq-"))
    port, names_port = free_port(), free_port()
    environ = os.environ | {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"test-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "ERL_EPMD_PORT": str(names_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    (folder / "plugins").write_text("[].", encoding="ascii")
    started = [str(inner) if inner.exists() else program]
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(started, stdout=out, stderr=out, env=environ)  # noqa: S603
    try:
        _await_port(port, process)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((folder / "pid").read_text(encoding="ascii")), signal.SIGTERM)
        process.wait(START_SECONDS)
        # Erlang leaves a daemon behind that tells the ports of nodes; this one knew ours alone.
        epmd = shutil.which("epmd") or "epmd"
        subprocess.run([epmd, "-kill"], env=environ, capture_output=True, check=False)  # noqa: S603
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str, variable: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get(variable) == "required":
            pytest.fail(f"{name} was not found, and {variable}=required.")
        pytest.skip(f"{name} was not found: install it to run these tests.")
    return found


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"The broker ended at once with code {process.returncode}.")
        with closing(socket.socket()) as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"The broker did not answer within {START_SECONDS} seconds.")
