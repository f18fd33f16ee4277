"""Draft the next step of the schema: `python -m chatlift.store.migrations.draft "why"`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

from chatlift.store.migrations.upgrade import config_of, newest_revision


def draft(message: str) -> None:
    """Write a new file under `versions/` that leads from the newest step to the tables."""
    number = int(newest_revision() or "0") + 1
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder).as_posix()}/draft.db")
        with engine.connect() as connection:
            config = config_of(connection)
            command.upgrade(config, "head")
            command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
        engine.dispose()


if __name__ == "__main__":
    draft(sys.argv[1])
