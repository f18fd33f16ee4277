"""`chatlift data`: what the records are worth."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.data_report import data_lines, known_since_lines, to_json
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.surroundings import desk, workspace
from chatlift.sources.mapping_files import names_in
from chatlift.vocabulary import FactSubject
from chatlift.workflows.data_check import check_data
from chatlift.workflows.known_since import known_since_creation


class Since(StrEnum):
    """Since when columns were known."""

    CREATION = "creation"


class Owner(StrEnum):
    """What a column may be of."""

    CONTACT = "contact"
    LEAD = "lead"


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


@app.command("known-since")
def known_since(
    since: Annotated[
        Since, typer.Argument(help="creation: you knew them when their record was created.")
    ],
    columns: Annotated[
        str,
        typer.Option(metavar="COLUMNS", help="As the files call them: 'Lead Source,City', or all."),
    ],
    subject: Annotated[
        Owner | None, typer.Option(help="Only columns of contacts, or of leads.")
    ] = None,
) -> None:
    """Say since when imported columns were known, so that training can use them.

    Refused where the data contradicts it; the same again changes nothing.
    Example: chatlift data known-since creation --columns 'Lead Source,City'
    """
    with desk() as at, workspace() as opened:
        report = known_since_creation(
            opened,
            names_in(columns),
            subject=None if subject is None else FactSubject(subject),
            report=at.report,
        )
        at.console.say([*known_since_lines(report), f"Known since the {since}: {columns}."])
