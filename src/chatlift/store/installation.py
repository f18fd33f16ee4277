"""Which installation a database belongs to: an id of its own, made with its tables."""

from __future__ import annotations

from sqlalchemy import select

from chatlift.store.bulk import table_of
from chatlift.store.database import Database
from chatlift.store.tables import InstallationRow

INSTALLATION = table_of(InstallationRow)


def installation_id_of(database: Database) -> str:
    """Return the id that the database got when its tables were made; a copy of it has the same."""
    with database.read() as connection:
        found: str = connection.execute(select(INSTALLATION.c.installation_id)).scalar_one()
    return found
