"""What Alembic runs to apply or draft steps, on the connection that its caller hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from chatlift.store.base import UtcInstant
from chatlift.store.schema import TABLES

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
        target_metadata=TABLES,
        render_item=render_item,
        compare_server_default=False,
    )
    context.run_migrations()


if __name__ == NAME_GIVEN_BY_ALEMBIC:  # Importing the module, as a doctest run does, does nothing.
    run()
