"""`chatlift models`: what there is, what serves, and changes of that, each with a reason."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.model_tables import (
    comparison_lines,
    list_lines,
    model_lines,
    shown_of,
    to_json,
    version_lines,
)
from chatlift.cli.reading import as_usage, model_named
from chatlift.cli.surroundings import desk, workspace
from chatlift.registry.versions import Version, Versions

COMMAND_LINE = "command line"
"""Who decided, where nobody says: the name of the operating system's user is personal."""

Model = Annotated[str, typer.Argument(help="lead_scoring, churn or engagement.")]
Number = Annotated[str, typer.Argument(metavar="VERSION", help="A number, such as 3 or v3.")]

app = new_app(help_text="List, compare, promote, roll back or delete versions.")


@app.command("list")
def list_models(as_json: options.AsJson = False) -> None:
    """List each model with the version that serves, else its newest, and whether it is intact.

    Example: chatlift models list
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        versions = opened.versions.list()
        damages = _damages(opened.versions, versions if as_json else shown_of(versions))
        at.console.say(list_lines(versions, damages))
        if as_json:
            sys.stdout.write(json_text(to_json(versions, damages)) + "\n")


def _damages(versions: Versions, looked_at: Iterable[Version]) -> dict[int, str]:
    found = {version.version_id: versions.damage(version) for version in looked_at}
    return {version_id: damage for version_id, damage in found.items() if damage}


@app.command()
def show(
    model: Model,
    version: Annotated[
        str | None,
        typer.Option(metavar="N|champion|candidate", help="All about this one version."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the versions of a model and who served when, or all about one version.

    Example: chatlift models show churn --version 2
    """
    name = model_named(model)
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        versions = (opened.versions.get(name, version),) if version else opened.versions.list(name)
        ledger = opened.versions.ledger(name)
        damages = _damages(opened.versions, versions)
        at.console.say(
            version_lines(versions[0], damages)
            if version
            else model_lines(name, versions, ledger, damages)
        )
        if as_json:
            sys.stdout.write(json_text(to_json(versions, damages)) + "\n")


@app.command()
def compare(model: Model, first: Number, second: Number) -> None:
    """Show the figures of two versions side by side.

    Example: chatlift models compare churn 1 2
    """
    name = model_named(model)
    with desk(quiet=True) as at, workspace() as opened:
        at.console.say(comparison_lines(opened.versions.compare(name, first, second)))


@app.command()
def promote(
    model: Model,
    version: Number,
    reason: options.Because = "",
    by: options.By = COMMAND_LINE,
) -> None:
    """Let a version serve; against the gate's verdict only with a reason.

    Example: chatlift models promote churn 3 --reason "checked by hand"
    """
    name = model_named(model)
    with desk(quiet=True) as at, workspace() as opened, as_usage():
        found = opened.versions.promote(name, version, by=by, reason=reason, now=at.clock())
        at.console.say(f"{name} v{found.number} serves now.")


@app.command()
def rollback(
    model: Model,
    reason: options.Because = "rolled back by a person",
    by: options.By = COMMAND_LINE,
) -> None:
    """Let the version serve that served before; no retraining.

    Example: chatlift models rollback churn --reason "too many false alarms"
    """
    name = model_named(model)
    with desk(quiet=True) as at, workspace() as opened:
        found = opened.versions.rollback(name, by=by, reason=reason, now=at.clock())
        at.console.say(f"Rolled back: {name} v{found.number} serves now.")


@app.command()
def delete(
    model: Model,
    version: Annotated[
        str | None, typer.Option(metavar="N", help="Only this one; else all of the model.")
    ] = None,
    force: options.Force = False,
    by: options.By = COMMAND_LINE,
) -> None:
    """Delete versions, rows and files; the ledger and the runs stay.

    Example: chatlift models delete churn --version 1
    """
    name = model_named(model)
    with desk(quiet=True) as at, workspace() as opened:
        gone = opened.versions
        if version:
            one = gone.delete(name, version, by=by, now=at.clock(), force=force)
            at.console.say(f"Deleted {name} v{one.number}.")
        else:
            all_gone = gone.delete_model(name, by=by, now=at.clock(), force=force)
            at.console.say(f"Deleted {len(all_gone)} versions of {name}.")
