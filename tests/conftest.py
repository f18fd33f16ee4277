"""Fixtures of all tests: a real database of each kind, empty and at the newest schema.

Their files lie in memory where the system has a folder for that and TMPDIR names no other: half of
the time of a test with a database of its own went into waiting for the disk.

The tests start their own PostgreSQL on a free loopback port where its programs are found,
as a user other than root, and end it again. CHATLIFT_TEST_POSTGRES=required makes a missing
one a failure instead of a skip.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database

START_SECONDS = 30
MOST_WORKERS = 5
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - below it only folders of random names are made.
MEMORY_BYTES = 4 * 1024**3
"""Room in memory from which on the tests' files lie there; they need a tenth of it."""


def pytest_configure() -> None:
    if "TMPDIR" in os.environ or not MEMORY_FOLDER.is_dir():
        return
    if os.access(MEMORY_FOLDER, os.W_OK) and shutil.disk_usage(MEMORY_FOLDER).free > MEMORY_BYTES:
        os.environ["TMPDIR"] = str(MEMORY_FOLDER)
        tempfile.tempdir = None  # So that it is asked for again.


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than processors: tests of schedules, kills and brokers wait most of their time."""
    return min((os.cpu_count() or 1) + 1, MOST_WORKERS)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of an empty database at the newest schema, made for one test."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        shutil.copy(template, tmp_path / "chatlift.db")
        yield f"sqlite:///{(tmp_path / 'chatlift.db').as_posix()}"
        return
    server: str = request.getfixturevalue("postgresql_server")
    name = f"test_{uuid.uuid4().hex}"
    _on_server(server, f"CREATE DATABASE {name} TEMPLATE chatlift_template")
    yield f"{server}/{name}"
    _on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database; a test that uses it runs on SQLite and on PostgreSQL."""
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def crm(database: Database) -> Crm:
    """The empty CRM of the default account."""
    return Crm(database, ensure_account(database, "default", time_zone="UTC").account_id)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "chatlift.db"
    Database.open(f"sqlite:///{path.as_posix()}").close()
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Address of a PostgreSQL server without a database name.

    Its data lies outside pytest's folders: another pytest that starts meanwhile closes those to
    all other users, and a server that runs as one of them would end in the middle of a test.
    """
    programs = _postgresql_programs()
    if programs is None:
        if os.environ.get("CHATLIFT_TEST_POSTGRES") == "required":
            pytest.fail("initdb and postgres were not found, and CHATLIFT_TEST_POSTGRES=required.")
        pytest.skip("initdb and postgres were not found: install PostgreSQL to run these tests.")
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="chatlift-postgresql-"))
    if owner:
        shutil.chown(folder, owner["user"], owner["user"])
    options = ["--no-sync", "--auth=trust", "--username=chatlift", "--encoding=UTF8"]
    made = [programs / "initdb", "--pgdata", folder / "data", *options]
    subprocess.run(made, check=True, capture_output=True, cwd=folder, **owner)  # noqa: S603
    port = _free_port()
    settings = [f"-cport={port}", "-clisten_addresses=127.0.0.1", "-cfsync=off"]
    settings += [f"-cunix_socket_directories={folder}", "-cmax_connections=50"]
    with (folder / "log").open("wb") as log:
        started = [programs / "postgres", "-D", folder / "data", *settings]
        process = subprocess.Popen(started, stdout=log, stderr=log, cwd=folder, **owner)  # noqa: S603
    try:
        server = f"postgresql://chatlift@127.0.0.1:{port}"
        _await(server, process)
        _on_server(server, "CREATE DATABASE chatlift_template")
        Database.open(f"{server}/chatlift_template").close()
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # Ends it without waiting for connections.
        process.wait(START_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _postgresql_programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


def _owner() -> dict[str, Any]:
    """Arguments that run a program as another user where we are root, which it refuses."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def _free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _await(server: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"PostgreSQL ended at once with code {process.returncode}.")
        try:
            _on_server(server, "SELECT 1")
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"PostgreSQL did not answer within {START_SECONDS} seconds.")


def _on_server(server: str, statement: str) -> None:
    with closing(psycopg.connect(f"{server}/postgres", autocommit=True)) as connection:
        connection.execute(statement.encode())
