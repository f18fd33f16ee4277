"""Bring a database to the newest schema; imported only where there is work to do."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from chatlift.errors import Unavailable

FOLDER = Path(__file__).parent


def config_of(connection: Connection) -> Config:
    """Return Alembic's settings for this folder, working on `connection`."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str | None:
    """Return the revision that the steps in this folder lead to."""
    return ScriptDirectory(str(FOLDER)).get_current_head()


def upgrade(connection: Connection, *, stored: str | None) -> None:
    """Apply the steps after `stored`; None: all of them, to an empty database.

    Raises
    ------
    Unavailable
        If the database was made by a newer Chatlift, whose steps are unknown here.
    """
    known = {step.revision for step in ScriptDirectory(str(FOLDER)).walk_revisions()}
    if stored is not None and stored not in known:
        raise Unavailable(
            f"The database has schema {stored}, and this Chatlift knows schemas up to "
            f"{newest_revision()}: a newer Chatlift made it. Install that version again."
        )
    command.upgrade(config_of(connection), "head")
