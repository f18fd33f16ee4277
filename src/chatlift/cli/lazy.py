"""A group of commands that are imported only when one of them runs.

`chatlift --help` answers at once: the list of commands stands in a table of names, modules and
one-line helps, and the modules behind it (Polars, SQLAlchemy, the workflows) stay closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.models import Default


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where a command lies and what it does, in one line."""

    module: str
    """Module with an `app`: its only command, or a group of several."""
    help: str


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """What was asked for before the command's name; a command finds it as `ctx.obj`."""

    debug: bool = False
    """Show on the screen where errors arose."""


def new_app(*, help_text: str | None = None) -> typer.Typer:
    """Return an app in the common style: plain help, and errors left to the entry point.

    Without `help_text`, the docstring of its command or callback is the help.
    """
    return typer.Typer(
        help=Default(None) if help_text is None else help_text,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=help_text is not None,
    )


class LazyGroup(TyperGroup):
    """A group whose commands are behind doors; a subclass names them."""

    doors: ClassVar[Mapping[str, Door]] = {}

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names in the order of the table."""
        del ctx
        return list(self.doors)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """Import and return a command; None if there is none of that name."""
        del ctx
        door = self.doors.get(cmd_name)
        if door is None:
            return None
        command = typer.main.get_command(import_module(door.module).app)
        command.name = cmd_name
        command.short_help = door.help
        return command

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """List the commands without opening a door."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, door.help) for name, door in self.doors.items()])
