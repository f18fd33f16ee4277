"""What Alembic runs to apply or draft steps, on the connection that its caller hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from chatlift.store import job_tables, registry_tables, service_tables, tables
from chatlift.store.base import Base, UtcInstant

ALL_TABLES = (tables, registry_tables, job_tables, service_tables)
"""Imported so that `Base.metadata` knows them."""

NAME_GIVEN_BY_ALEMBIC = "env_py"


def render_item(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """Write instants as the plain numbers they are: a step must not depend on our classes."""
    if kind == "type" and isinstance(item, UtcInstant):
        return "sa.BigInteger()"
    return False


def run() -> None:
    """Apply the steps that the caller asked for, in the caller's transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        render_item=render_item,
        compare_server_default=False,
    )
    context.run_migrations()


if __name__ == NAME_GIVEN_BY_ALEMBIC:  # Importing the module, as a doctest run does, does nothing.
    run()
