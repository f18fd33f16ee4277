"""An installation, opened: a database and what belongs to it outside, checked to be a pair."""

from __future__ import annotations

import time
from pathlib import Path

from chatlift.errors import Unavailable
from chatlift.private_files import is_open_to_others
from chatlift.registry.artifact_root import ArtifactRoot
from chatlift.registry.secret_file import SECRET_FILE, secret_for
from chatlift.settings import Settings
from chatlift.store.database import Database, sqlite_file

SETTLING_SECONDS = 1.0
"""A new database file is empty for some milliseconds, while another process makes its tables."""


class EmptiedDatabase(Unavailable):
    """The database file has lost its content; it is not taken for a new one."""

    def __init__(self, file: Path, home: Path) -> None:
        super().__init__(
            f"The database {file} is an empty file, and {home} was used before: the file is "
            "damaged. Nothing was changed. Put a backup in its place; to begin anew, delete it."
        )


def open_installation(settings: Settings, *, adopt: bool = False) -> Database:
    """Open the database that the settings name, as `Database.open`; what lies outside is checked.

    Parameters
    ----------
    adopt
        Take over the folder of artifacts, whatever it holds; see `ArtifactRoot.claim`.

    Raises
    ------
    EmptiedDatabase
        If the database is a file of 0 bytes in a data folder that was used before.
    ForeignArtifacts
        If the folder of artifacts belongs to another database, or holds what this does not know.
    UnusableSecret
        If the data folder does not hold the secret that the database is used with.
    """
    _refuse_emptied(settings)
    database = Database.open(settings.database_url)
    try:
        root = ArtifactRoot(database, settings.artifacts)
        root.claim(adopt=True) if adopt else root.confirm()
        secret_for(database, settings.home)
    except BaseException:
        database.close()
        raise
    return database


def warning_of(home: Path) -> str | None:
    """Return what to warn of before a data folder is used; None: others cannot look into it.

    What Chatlift itself writes there is closed to others; a copy or a file of somebody else is not.
    """
    if not home.is_dir() or not is_open_to_others(home):
        return None
    return (
        f"Others on this machine may look into the data folder {home}. Close it to them: "
        f"chmod 700 {home}"
    )


def _refuse_emptied(settings: Settings) -> None:
    was_used = (settings.home / SECRET_FILE).exists()
    file = sqlite_file(settings.database_url)
    if not was_used or file is None:
        return
    until = time.monotonic() + SETTLING_SECONDS
    while file.is_file() and file.stat().st_size == 0:
        if time.monotonic() > until:
            raise EmptiedDatabase(file, settings.home)
        time.sleep(SETTLING_SECONDS / 20)
