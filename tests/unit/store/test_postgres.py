"""A PostgreSQL that is frozen or shut down is told as away, and answers again when it is back."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.services import served

from chatlift.store import postgres
from chatlift.store.database import Database, DatabaseAway

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]


def parent_of(process_id: int) -> int:
    told = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2]
    return int(told.split()[1])


def server_of(database: Database) -> int:
    """Return the process id of the server."""
    with database.read() as connection:
        return parent_of(int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one()))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look soon whether the server is frozen."""
    monkeypatch.setattr(postgres, "SILENT_SECONDS", 0.3)
    monkeypatch.setitem(postgres.OPTIONS, "connect_timeout", 2)


@contextmanager
def frozen(server: int) -> Iterator[None]:
    """Freeze the server with all its processes."""
    processes = [server]
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if parent_of(int(folder.name)) == server:
                processes.append(int(folder.name))
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def ask(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(text("SELECT 1")).scalar_one())


def _ask_as_it_freezes(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("SELECT 1"))
        with frozen(server_of(database)):
            connection.execute(text("SELECT 1"))


def _ask_as_the_connection_is_ended(database: Database) -> None:
    with database.read() as connection:
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with database.write() as other:
            other.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})
        connection.execute(text("SELECT 1"))


def test_a_frozen_server_is_away_until_it_goes_on(database: Database) -> None:
    with frozen(server_of(database)), pytest.raises(DatabaseAway):
        ask(database)
    assert ask(database) == 1


def test_a_server_that_freezes_within_a_transaction_is_away(database: Database) -> None:
    with pytest.raises(DatabaseAway):
        _ask_as_it_freezes(database)
    assert ask(database) == 1


def test_connections_that_an_operator_ends_are_told_as_away(database: Database) -> None:
    with pytest.raises(DatabaseAway):
        _ask_as_the_connection_is_ended(database)
    assert ask(database) == 1


def test_a_statement_that_takes_its_time_is_not_cut_off(database: Database) -> None:
    """Longer than it takes until it is looked whether the server is frozen."""
    with database.read() as connection:
        assert connection.execute(text("SELECT 1 FROM pg_sleep(1)")).scalar_one() == 1


def test_every_data_route_answers_503_while_the_server_is_frozen(
    database_url: str, tmp_path: Path
) -> None:
    with served(tmp_path / "home", database_url) as at:
        headers = at.headers()
        assert at.client.get("/api/v1/training/status", headers=headers).status_code == 200
        at.service.warming.begin()
        while at.client.get("/readyz").status_code != 200:
            time.sleep(0.05)
        with frozen(server_of(at.service.database)):
            ready = at.client.get("/readyz")
            answers = [
                at.client.get(f"/api/v1/{path}", headers=headers)
                for path in ("training/status", "ingest/batches")
            ]
        for told in (ready, *answers):
            assert told.status_code == 503, told.text
            assert told.headers["content-type"] == "application/problem+json"
            assert told.headers["retry-after"] == "5"
        assert at.client.get("/api/v1/training/status", headers=headers).status_code == 200
