"""`chatlift data`: what the records are worth."""

from __future__ import annotations

import sys

from chatlift.cli import options
from chatlift.cli.data_report import data_lines, to_json
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.surroundings import desk, workspace
from chatlift.workflows.data_check import check_data

app = new_app(help_text="Look at the records: what is doubtful, what they are enough for.")


@app.callback()
def data() -> None:
    """Look at the records: what is doubtful, what they are enough for."""


@app.command()
def check(as_json: options.AsJson = False) -> None:
    """Tell what is doubtful about the records, and which model they are enough for.

    Example: chatlift data check
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        report = check_data(opened, now=at.clock())
        at.console.say(data_lines(report))
        if as_json:
            sys.stdout.write(json_text(to_json(report)) + "\n")
