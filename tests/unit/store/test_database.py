from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from chatlift.errors import InvalidInput, Unavailable
from chatlift.records import CONTACTS, Records
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import SCHEMA_REVISION, Database, DatabaseTakenAway
from chatlift.store.installation import installation_id_of
from chatlift.store.migrations.upgrade import newest_revision, upgrade
from chatlift.store.schema import TABLES, VERSION, stored_revision

OTHER_WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    connection.execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
else:
    print("entered")
"""


def second_process_tries_to_write(path: Path) -> str:
    command = [sys.executable, "-c", OTHER_WRITER, str(path)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603
    return done.stdout.strip()


def schema_of(connection: Connection) -> dict[str, Any]:
    """Describe all tables by what the database itself tells of them."""
    asked = inspect(connection)
    kinds = (
        asked.get_columns,
        asked.get_foreign_keys,
        asked.get_unique_constraints,
        asked.get_check_constraints,
        asked.get_indexes,
    )
    return {
        table: [asked.get_pk_constraint(table), *(told(kind(table)) for kind in kinds)]
        for table in sorted(asked.get_table_names())
    }


def told(items: list[Any]) -> list[str]:
    """Describe columns, constraints or indexes in one order, SQL in its words."""
    return sorted(json.dumps(item, default=str, sort_keys=True) for item in items)


@pytest.fixture
def sqlite_path(sqlite_template: Path, tmp_path: Path) -> Path:
    path = tmp_path / "chatlift.db"
    path.write_bytes(sqlite_template.read_bytes())
    return path


def test_a_reader_in_this_process_leaves_the_write_lock_in_place(sqlite_path: Path) -> None:
    database = Database.open(f"sqlite:///{sqlite_path.as_posix()}")
    born = datetime(2025, 1, 1, tzinfo=UTC)
    contacts = pl.DataFrame({"external_id": ["a"], "created_at": [born]}).select(
        *(
            pl.col(name) if name in {"external_id", "created_at"} else pl.lit(None).alias(name)
            for name in CONTACTS
        )
    )
    with database.across_accounts().write() as connection:
        connection.execute(
            text("INSERT INTO accounts (name, time_zone, settings) VALUES ('x', 'UTC', '{}')")
        )
    crm = Crm(database, 1)
    crm.write(Records(contacts=contacts.cast(CONTACTS)), source="s")
    with database.across_accounts().write() as connection:
        connection.execute(text("UPDATE contacts SET name = 'Anna'"))
        assert crm.read_history().contacts.height == 1
        assert second_process_tries_to_write(sqlite_path) == "database is locked"
    assert second_process_tries_to_write(sqlite_path) == "entered"
    database.close()


def test_opening_makes_the_folder_and_all_tables(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "chatlift.db"
    database = Database.open(f"sqlite:///{path.as_posix()}")
    with database.across_accounts().read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM messages")) == 0
    database.close()


def test_the_schema_constant_is_the_newest_step() -> None:
    assert newest_revision() == SCHEMA_REVISION


def test_the_steps_lead_to_the_tables_in_the_code(database: Database) -> None:
    with database.across_accounts().read() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, TABLES) == []


def test_the_steps_lead_to_the_tables_of_a_new_database(database: Database) -> None:
    with database.across_accounts().write() as connection:
        laid_out = schema_of(connection)
        TABLES.drop_all(connection)
        VERSION.drop(connection)
    with database.across_accounts().write() as connection:
        assert inspect(connection).get_table_names() == []
        upgrade(connection, stored=None)
        assert stored_revision(connection) == SCHEMA_REVISION
        assert schema_of(connection) == laid_out
    assert re.fullmatch("[0-9a-f]{32}", installation_id_of(database))


def test_opening_a_current_database_does_not_import_alembic(sqlite_path: Path) -> None:
    code = (
        "import sys; from chatlift.store.database import Database; "
        "Database.open(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{sqlite_path.as_posix()}"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603
    assert done.stdout.strip() == "False"


def test_a_database_of_a_newer_version_is_refused(database: Database, database_url: str) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="newer Chatlift"):
        Database.open(database_url)


def test_every_new_database_has_an_id_of_its_own(tmp_path: Path) -> None:
    opened = [Database.open(f"sqlite:///{(tmp_path / name).as_posix()}") for name in "ab"]
    assert len({installation_id_of(database) for database in opened}) == 2
    for database in opened:
        database.close()


def test_an_error_undoes_the_whole_block(database: Database) -> None:
    insert = text("INSERT INTO accounts (name, time_zone, settings) VALUES ('x', 'UTC', '{}')")

    def write_and_fail() -> None:
        with database.across_accounts().write() as connection:
            connection.execute(insert)
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    with database.across_accounts().read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM accounts")) == 0


def test_sqlite_is_set_up_to_be_safe(sqlite_path: Path) -> None:
    database = Database.open(f"sqlite:///{sqlite_path.as_posix()}")
    with database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("foreign_keys", "journal_mode", "synchronous", "secure_delete")
        }
    database.close()
    assert found == {
        "foreign_keys": 1,
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "secure_delete": 1,
    }


def test_the_databases_clock_goes_on_within_a_transaction(database: Database) -> None:
    """A lease is judged at the moment of the write, not when its transaction began."""
    with database.write() as connection:
        first, second = database.now(connection), database.now(connection)
    assert first.tzinfo is UTC
    assert first <= second <= database.now()


@pytest.mark.parametrize(
    "url", ["mysql://somewhere/x", "sqlite://", "no url", "sqlite:///:memory:"]
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="sqlite:///<path>"):
        Database.open(url)


def test_an_unreachable_server_is_told_without_the_password() -> None:
    with pytest.raises(Unavailable) as caught:
        Database.open("postgresql://someone:secret-word@127.0.0.1:1/none")
    assert "127.0.0.1" in str(caught.value)
    assert "secret-word" not in str(caught.value)


def test_a_connection_given_back_after_closing_is_closed(database_url: str) -> None:
    database = Database.open(database_url)
    with database.read() as connection:
        driver = connection.connection.dbapi_connection
        database.close()
    with pytest.raises(Exception, match="closed"):
        driver.cursor()  # type: ignore[union-attr]


def test_a_handle_of_an_account_leaves_nothing_behind(database: Database) -> None:
    def listener_count() -> int:
        return len(database._engine.pool.dispatch.checkin)

    before = listener_count()
    for account_id in range(1, 20):
        with database.of_account(account_id).read():
            pass
    assert listener_count() == before


def test_closing_one_handle_closes_what_another_still_uses(database_url: str) -> None:
    database = Database.open(database_url)
    with database.of_account(1).read() as connection:
        driver = connection.connection.dbapi_connection
        database.across_accounts().close()
    with pytest.raises(Exception, match="closed"):
        driver.cursor()  # type: ignore[union-attr]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no file that is in use")
@pytest.mark.parametrize("is_exchanged", [False, True])
def test_what_is_written_into_a_file_that_was_taken_away_is_not_said_to_be_kept(
    sqlite_template: Path, tmp_path: Path, is_exchanged: bool
) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(sqlite_template, folder / "chatlift.db")
    database = Database.open(f"sqlite:///{(folder / 'chatlift.db').as_posix()}")
    ensure_account(database, "before", time_zone="UTC")
    shutil.rmtree(folder)
    if is_exchanged:
        folder.mkdir()
        shutil.copy(sqlite_template, folder / "chatlift.db")
    with pytest.raises(DatabaseTakenAway, match="Put it back, or restart"):
        ensure_account(database, "after", time_zone="UTC")
    database.close()
