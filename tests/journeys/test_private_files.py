"""Whatever folder and umask it finds, nobody but the owner reads what Chatlift writes."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.businesses import account_of, write
from tests.histories import business
from tests.installed import installed, registered, settings_of
from tests.journeys.test_wrong_database import chatlift

from chatlift.registry.installations import open_installation
from chatlift.registry.tombstone_file import keep_digests
from chatlift.registry.upload_folders import upload_folder
from chatlift.registry.workspace import open_workspace

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of this kind")


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """A umask that gives everybody everything."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder that somebody made for everybody."""
    folder = tmp_path / "home"
    folder.mkdir(0o777)
    return folder


def open_to_others(home: Path) -> set[str]:
    """What below a folder others may read, write or enter."""
    return {
        path.relative_to(home).as_posix()
        for path in home.rglob("*")
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    }


def test_all_that_is_kept_in_the_data_folder_is_private(home: Path) -> None:
    with account_of(home) as workspace:
        write(workspace, business(3, contacts=4, days=61))  # The write-ahead log is there now.
        version = registered(workspace)
        later = datetime.now(UTC) + timedelta(days=2)
        (version.folder.with_name(f"{version.run_id}-2")).mkdir(0o700)
        assert workspace.versions.sweep_orphans(now=later)
        keep_digests(home / "forgotten" / "1.txt", ["0" * 64])
        with upload_folder(home) as uploads:
            assert stat.S_IMODE(uploads.stat().st_mode) == 0o700
            assert (home / "chatlift.db-wal").stat().st_size > 0
            assert open_to_others(home) == set()


def test_generated_truth_and_logs_are_private_and_an_open_folder_is_warned_of(home: Path) -> None:
    log = home / "generate.log"
    log.touch(0o666)
    few = ["--contacts", "60", "--conversations", "50", "--leads", "12", "--days", "90"]
    ended = chatlift(home, "generate", *few, "--log-file", str(log))
    assert ended.returncode == 0, ended.stderr
    assert f"chmod 700 {home}" in ended.stderr
    assert open_to_others(home) == set()
    home.chmod(0o700)
    assert "chmod" not in chatlift(home, "account", "list").stderr


def test_a_database_that_others_could_read_is_closed_to_them(home: Path) -> None:
    settings = settings_of(home)
    installed(settings)
    with open_workspace(settings) as first:
        with first.database.across_accounts().write() as connection:
            connection.execute(text("UPDATE accounts SET settings = '{}'"))
        names = {"chatlift.db", "chatlift.db-wal", "chatlift.db-shm"}
        for name in names:
            (home / name).chmod(0o644)
        assert open_to_others(home) == names
        open_installation(settings).close()
        assert open_to_others(home) == set()


def test_what_is_exported_of_a_contact_is_private(home: Path, tmp_path: Path) -> None:
    with account_of(home) as workspace:
        write(workspace, business(3, contacts=4, days=61))
    output = tmp_path / "contact.json"
    ended = chatlift(home, "export", "c1", "--output", str(output))
    assert ended.returncode == 0, ended.stderr
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
