"""Which installation a database belongs to: an id of its own, and the secret it is used with."""

from __future__ import annotations

from sqlalchemy import select, update

from chatlift.store.bulk import table_of
from chatlift.store.database import Database
from chatlift.store.tables import InstallationRow

INSTALLATION = table_of(InstallationRow)


def installation_id_of(database: Database) -> str:
    """Return the id that the database got when its tables were made; a copy of it has the same."""
    with database.read() as connection:
        found: str = connection.execute(select(INSTALLATION.c.installation_id)).scalar_one()
    return found


def secret_fingerprint_of(database: Database) -> str | None:
    """Return the fingerprint of the secret that the database is used with; None: of none yet."""
    with database.read() as connection:
        found: str | None = connection.scalar(select(INSTALLATION.c.secret_fingerprint))
    return found


def keep_secret_fingerprint(database: Database, fingerprint: str) -> str:
    """Keep the fingerprint unless one is kept; return the one that is kept now."""
    kept = INSTALLATION.c.secret_fingerprint
    with database.write() as connection:
        first = update(INSTALLATION).where(kept.is_(None))
        connection.execute(first.values(secret_fingerprint=fingerprint))
        found: str = connection.execute(select(kept)).scalar_one()
    return found
