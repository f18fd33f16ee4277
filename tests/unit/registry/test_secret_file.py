"""The secret is made once, checked whenever it is read, and never made anew for a used database."""

from __future__ import annotations

import json
import re
import stat
import sys
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.installed import LEADS, installed, registered, settings_of

from chatlift.registry.artifacts import MANIFEST_FILE
from chatlift.registry.installations import open_installation
from chatlift.registry.secret_file import (
    OtherSecret,
    UnusableSecret,
    fingerprint_of,
    secret_for,
)
from chatlift.registry.workspace import open_workspace, workspace_in
from chatlift.settings import Settings
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.store.installation import INSTALLATION


@pytest.fixture
def used(tmp_path: Path) -> Settings:
    """An installation with a version."""
    settings = settings_of(tmp_path / "home")
    installed(settings)
    return settings


def secret_path(settings: Settings) -> Path:
    return settings.home / "secret.key"


def forget_fingerprint(settings: Settings) -> None:
    """Make the database look as one that is older than fingerprints."""
    database = Database.open(settings.database_url)
    with database.write() as connection:
        connection.execute(update(INSTALLATION).values(secret_fingerprint=None))
    database.close()


def test_the_secret_is_made_once_and_kept(database: Database, tmp_path: Path) -> None:
    first = secret_for(database, tmp_path / "home")
    assert len(first) == 32
    assert secret_for(database, tmp_path / "home") == first
    written = (tmp_path / "home" / "secret.key").read_text(encoding="ascii")
    assert re.fullmatch("[0-9a-f]{64}", written)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of this kind")
def test_nobody_else_may_read_the_secret(database: Database, tmp_path: Path) -> None:
    secret_for(database, tmp_path)
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "5e" * 16, "5e" * 33, "no digits" * 8, "5e" * 31 + "\n"])
def test_an_empty_short_or_damaged_secret_is_refused_and_stays(
    used: Settings, content: str
) -> None:
    secret_path(used).write_text(content, encoding="ascii")
    with pytest.raises(UnusableSecret, match="are not 64 hexadecimal digits"):
        open_installation(used)
    assert secret_path(used).read_text(encoding="ascii") == content


@pytest.mark.parametrize("is_older", [False, True])
def test_a_missing_secret_is_not_made_anew_for_a_used_database(
    used: Settings, is_older: bool
) -> None:
    secret_path(used).unlink()
    if is_older:
        forget_fingerprint(used)
    with pytest.raises(UnusableSecret, match="from a backup of the data folder"):
        open_installation(used)
    assert not secret_path(used).exists()


def test_another_secret_is_refused(used: Settings) -> None:
    secret_path(used).write_text("5e" * 32, encoding="ascii")
    with pytest.raises(UnusableSecret, match=fingerprint_of(b"\x5e" * 32)):
        open_installation(used)


def test_a_secret_that_changes_under_a_running_server_is_refused(used: Settings) -> None:
    database = open_installation(used)
    secret_path(used).write_text("5e" * 32, encoding="ascii")
    account = ensure_account(database, "second", time_zone="UTC")
    with pytest.raises(UnusableSecret):
        workspace_in(database, used, account)
    database.close()


def test_a_database_older_than_fingerprints_keeps_that_of_its_secret(used: Settings) -> None:
    forget_fingerprint(used)
    open_installation(used).close()
    secret_path(used).write_text("5e" * 32, encoding="ascii")
    with pytest.raises(UnusableSecret):
        open_installation(used)


def test_a_line_end_after_the_digits_does_not_matter(used: Settings) -> None:
    secret_path(used).write_text(secret_path(used).read_text(encoding="ascii") + "\n", "ascii")
    open_installation(used).close()


def test_a_version_tells_its_secret_and_answers_under_no_other(used: Settings) -> None:
    with open_workspace(used) as workspace:
        version = workspace.versions.get(LEADS, 1)
        manifest = json.loads((version.folder / MANIFEST_FILE).read_bytes())
        secret = bytes.fromhex(secret_path(used).read_text(encoding="ascii"))
        assert manifest["secret_fingerprint"] == fingerprint_of(secret)
        with workspace.database.write() as connection:
            connection.execute(update(INSTALLATION).values(secret_fingerprint="0" * 32))
        with pytest.raises(OtherSecret, match="train again"):
            workspace.versions.load(version)


def test_a_version_without_a_secret_in_its_manifest_answers(tmp_path: Path) -> None:
    """Those of a Chatlift older than fingerprints."""
    with open_workspace(settings_of(tmp_path / "home")) as workspace:
        with workspace.database.write() as connection:
            connection.execute(update(INSTALLATION).values(secret_fingerprint=None))
        version = registered(workspace)
        secret_for(workspace.database, workspace.settings.home)
        workspace.versions.load(version)
