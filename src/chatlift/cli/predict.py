"""`chatlift predict`: answers for people (table) and programs (JSON, CSV)."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.prediction_table import csv_text, table_lines, to_json, unscored_lines
from chatlift.cli.reading import in_zone, model_named, parse_instant
from chatlift.cli.surroundings import desk, workspace
from chatlift.workflows.predict import PredictReport, PredictRequest
from chatlift.workflows.predict import predict as run_prediction

WRONG_USAGE = 2

app = new_app()


class Format(StrEnum):
    """How answers are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


# Long because every option is declared here, with its help; the body is short.
@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="lead_scoring, churn or engagement.")],
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="Only this one; may be given several times."),
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Everybody who can be scored; so it is without --id.")
    ] = False,
    top: Annotated[int | None, typer.Option(min=1, help="Only the highest scores.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT",
            help="What would have been said then, from what was known then: 2026-03-01T15:00, "
            "in the account's time zone unless it names one.",
        ),
    ] = None,
    version: Annotated[
        str | None, typer.Option(metavar="N", help="A version; else the one that served then.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Say whom to call, who fades, who would answer now, and why.

    Ends with 2 if an id is unknown; the answers about the others are printed all the same.

    Example: chatlift predict lead_scoring --top 10
    """
    named = model_named(model)
    if ids and everybody:
        raise typer.BadParameter("Give --id or --all, not both.")
    instant = parse_instant(as_of) if as_of else None
    with desk(quiet=True) as at, workspace() as opened:
        request = PredictRequest(
            model=named,
            external_ids=tuple(ids or ()),
            top=top,
            as_of=in_zone(instant, opened.account.time_zone) if instant else None,
            version=version,
        )
        report = run_prediction(opened, request, now=at.clock())
        if form is Format.TABLE:
            at.console.say(table_lines(report))
        else:
            sys.stdout.write(_for_programs(report, form))
    if form is Format.CSV:
        typer.echo("\n".join(unscored_lines(report)), err=True, nl=bool(report.not_scored))
    if report.unknown_ids:
        raise typer.Exit(WRONG_USAGE)


def _for_programs(report: PredictReport, form: Format) -> str:
    return csv_text(report) if form is Format.CSV else json_text(to_json(report)) + "\n"
