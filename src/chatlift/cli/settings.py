"""`chatlift settings`: what this account chose, and how to choose otherwise."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.reading import as_usage
from chatlift.cli.surroundings import desk, workspace
from chatlift.workflows.account_settings import Setting, change_setting, settings_of

app = new_app(help_text="Show or change what this account chose: targets, floors, time zone ...")


@app.command()
def show(as_json: options.AsJson = False) -> None:
    """Show every setting; an asterisk marks the account's own.

    Example: chatlift settings show
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        found = settings_of(opened)
        at.console.say(setting_lines(found))
        if as_json:
            sys.stdout.write(json_text({setting.name: setting.value for setting in found}) + "\n")


@app.command("set")
def set_value(
    name: Annotated[str, typer.Argument(help="As `settings show` lists it.")],
    value: Annotated[str, typer.Argument(help="The new value; `default` takes yours back.")],
) -> None:
    """Change a setting; the next training goes by it, versions there are stay as they are.

    Example: chatlift settings set churn.targets.f1 0.65
    """
    with desk(quiet=True) as at, workspace() as opened, as_usage():
        at.console.say(setting_lines([change_setting(opened, name, value)]))


def setting_lines(settings: tuple[Setting, ...] | list[Setting]) -> list[str]:
    """Return one line per setting: name, value, and the default where it is another."""
    width = max(len(setting.name) for setting in settings)
    return [_line(setting, width) for setting in settings]


def _line(setting: Setting, width: int) -> str:
    mark = "*" if setting.is_own else " "
    default = f"  (default {_told(setting.default)})" if setting.is_own else ""
    return f"{mark} {setting.name:<{width}}  {_told(setting.value)}{default}"


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(_told(part) for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)
