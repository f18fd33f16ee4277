"""The schema of a whole database: which one it has, and all tables of an empty one at once.

A new database is made far more often than an old one is brought up, so it takes neither Alembic
nor its steps. A test holds on both databases that the two ways lead to the same tables.
"""

from __future__ import annotations

import secrets

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    inspect,
    select,
    text,
)

from chatlift.store import job_tables, registry_tables, service_tables, tables
from chatlift.store.base import Base

DECLARED_IN = (tables, registry_tables, job_tables, service_tables)
TABLES = Base.metadata
"""All tables: importing the modules above has declared them."""

VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic keeps the newest step that was applied."""

INSTALLATION_ID_BYTES = 16

ADVISORY_LOCK = 7_301_164_211
"""One arbitrary number, the same in every process: who holds it changes PostgreSQL's schema."""


def take_turn(connection: Connection) -> None:
    """Wait until no other process changes the schema; SQLite's write lock already saw to that."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})


def stored_revision(connection: Connection) -> str | None:
    """Return the schema's revision, or None where there are no tables yet."""
    if not inspect(connection).has_table(VERSION.name):
        return None
    revision: str | None = connection.scalar(select(VERSION.c.version_num))
    return revision


def lay_out(connection: Connection, *, revision: str) -> None:
    """Make all tables of an empty database, and note the step that they stand for."""
    TABLES.create_all(connection, checkfirst=False)
    installation = TABLES.tables[tables.InstallationRow.__tablename__]
    new_id = secrets.token_hex(INSTALLATION_ID_BYTES)
    connection.execute(installation.insert().values(row_number=1, installation_id=new_id))
    VERSION.create(connection)
    connection.execute(VERSION.insert().values(version_num=revision))
