"""`chatlift demo`: everything once, in one process: generate, train, test, ten best leads."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.console import heading
from chatlift.cli.generate import generated
from chatlift.cli.lazy import new_app
from chatlift.cli.prediction_table import table_lines
from chatlift.cli.reading import as_usage, in_zone, parse_instant
from chatlift.cli.surroundings import Desk, clock, desk, settings, workspace
from chatlift.cli.test import judged
from chatlift.cli.train import REFUSED, exit_code, trained
from chatlift.errors import NotReady
from chatlift.learn.threads import load_ahead
from chatlift.registry.standing import standing_of
from chatlift.registry.workspace import Workspace
from chatlift.simulate.request import SimulationRequest
from chatlift.vocabulary import ModelName
from chatlift.workflows.predict import PredictRequest, predict
from chatlift.workflows.train import TrainRequest

SHOWN_LEADS = 10

app = new_app()


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="The same seed makes the same CRM.")] = 7,
    until: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="The last instant of the CRM; now by default."),
    ] = None,
    quiet: options.Quiet = False,
    log_file: options.LogTo = None,
) -> None:
    """Generate a synthetic CRM, train three models, test them, list the ten best leads.

    Everything lies in CHATLIFT_HOME. It can be run again: generated data is made anew, and your
    own is never touched. Versions of an earlier demo are deleted.
    """
    end = in_zone(parse_instant(until), settings().time_zone) if until else clock()
    with as_usage():
        request = SimulationRequest(until=end, seed=seed)
    with desk(quiet=quiet, log_file=log_file) as at, workspace() as opened:
        code = shown(opened, at, request)
    raise typer.Exit(code)


def shown(opened: Workspace, at: Desk, request: SimulationRequest) -> int:
    """Show everything once; return the exit code of the first step that did not go well.

    A model that the gate refuses is no fault of the demo: its data is new every day, and now and
    then one of three is not shown to be better than a plain rule.
    """
    load_ahead()
    generated(opened, request, at, replace=True)
    _forget_old_versions(opened, at)
    code = exit_code(trained(opened, TrainRequest(), at))
    serving = tuple(model for model in ModelName if opened.versions.champion(model))
    report = judged(opened, serving, at, version="champion", strict=False)
    at.console.say(_not_serving(opened, serving))
    _best_leads(opened, at, request.until)
    at.console.say(_places(opened))
    return (0 if report.passed else 1) if code in {0, REFUSED} else code


def _not_serving(opened: Workspace, serving: tuple[ModelName, ...]) -> list[str]:
    """Say of each model that does not serve why it was not tested."""
    versions = opened.versions.list()
    return [
        f"{model} was not tested. {standing_of(model, versions).sentence} That is an answer, too: "
        "the demo's data is made anew each time."
        for model in ModelName
        if model not in serving
    ]


def _forget_old_versions(opened: Workspace, at: Desk) -> None:
    """Delete the versions of an earlier demo: the records they were judged on are gone."""
    for model in ModelName:
        if opened.versions.list(model):
            gone = opened.versions.delete_model(model, by="demo", now=at.clock(), force=True)
            at.console.say(f"Deleted {len(gone)} versions of {model} from an earlier demo")


def _best_leads(opened: Workspace, at: Desk, as_of: datetime) -> None:
    request = PredictRequest(model=ModelName.LEAD_SCORING, top=SHOWN_LEADS)
    lines = heading(f"THE {SHOWN_LEADS} BEST LEADS")
    try:
        report = predict(opened, request, now=max(as_of, at.clock()))
    except NotReady as refused:
        at.console.say([*lines, str(refused)])
        return
    at.console.say([*lines, *table_lines(report)])


def _places(opened: Workspace) -> list[str]:
    settings = opened.settings
    # The address of a database may hold a password, so only a file's place is told.
    database = settings.database_url.removeprefix("sqlite:///")
    is_file = settings.database_url.startswith("sqlite:///")
    return [
        *heading("WHERE EVERYTHING LIES"),
        f"Database: {database if is_file else 'the server that CHATLIFT_DATABASE_URL names'}",
        f"Models: {settings.artifacts}",
        f"Truth of the generated data: {opened.truth_folder}",
        "Go on with: chatlift predict churn --top 5, chatlift models list, chatlift --help",
        "(with the same CHATLIFT_HOME; for your own data take another one)",
    ]
