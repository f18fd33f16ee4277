"""`chatlift runs`: the trainings that were, and how each went."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.run_tables import list_lines, run_lines, to_json
from chatlift.cli.surroundings import desk, workspace

app = new_app(help_text="List the trainings, or show how one went.")


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    as_json: options.AsJson = False,
) -> None:
    """List the newest runs.

    Example: chatlift runs list
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        opened.runs.interrupt_stale(at.clock())
        runs = opened.runs.list(limit=limit)
        at.console.say(list_lines(runs))
        if as_json:
            sys.stdout.write(json_text([to_json(run) for run in runs]) + "\n")


@app.command()
def show(
    run_id: Annotated[str | None, typer.Argument(help="The newest by default.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show how one run went, with where it broke, if it did.

    Example: chatlift runs show
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        opened.runs.interrupt_stale(at.clock())
        run = opened.runs.get(run_id) if run_id else opened.runs.latest()
        if run is None:
            at.console.say(list_lines([]))
            return
        at.console.say(run_lines(run))
        if as_json:
            sys.stdout.write(json_text(to_json(run)) + "\n")
