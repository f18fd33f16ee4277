"""`chatlift train`: train, judge and, if the gate agrees, promote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import Invocation, new_app
from chatlift.cli.reading import as_usage, chosen_parameters, models_named
from chatlift.cli.stopping import is_asked_to_stop
from chatlift.cli.surroundings import Desk, announced, desk, workspace
from chatlift.cli.training_report import error_lines, model_report, opening, summary, to_json
from chatlift.errors import ErrorKind
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import Verdict
from chatlift.workflows.train import TrainReport, TrainRequest
from chatlift.workflows.train import train as run_training

FAILED = 1
NOT_READY = 3
REFUSED = 4
UNREADY_KINDS = {ErrorKind.INVALID, ErrorKind.NOT_READY}
"""What the data or the request is to blame for, rather than Chatlift."""

app = new_app()


# Long because every option is declared here, with its help; the body is short.
@app.command()
def train(
    ctx: typer.Context,
    model: options.Models = "all",
    test_size: Annotated[
        float, typer.Option(help="Share of the newest examples held out, 0.05 to 0.5.")
    ] = 0.2,
    cv_folds: Annotated[int, typer.Option(help="Folds, 2 to 10.")] = 5,
    seed: Annotated[int, typer.Option(help="The same data and seed give the same model.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A hyperparameter or the basis: max_depth=3, churn.trees=200, basis=full, "
            "lead_scoring.basis=rule.",
        ),
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Hyperparameters and basis by model, as TOML or JSON.",
        ),
    ] = None,
    accept_column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Vouch for a column that seems to know the outcome."),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="An imported column not to look at: lead.close_reason."),
    ] = None,
    require_targets: Annotated[
        bool, typer.Option("--require-targets", help="Refuse a version that misses a target.")
    ] = False,
    no_promote: Annotated[
        bool, typer.Option("--no-promote", help="Register and judge; leave what serves alone.")
    ] = False,
    adopt: options.Adopt = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    log_file: options.LogTo = None,
) -> None:
    """Train one model or all three, judge them on rows they have not seen, promote the good ones.

    Ends with 0 if every version was promoted or kept as a candidate for want of evidence, 4 if the
    gate refused one, whether or not an earlier one goes on serving, 3 if none had enough data or
    what was asked does not fit it, 1 if one failed. Notes of the gate are no refusals. Ctrl-C stops
    cleanly: what serves is untouched.

    Example: chatlift train churn --set trees=200
    """
    models = models_named(model)
    chosen = chosen_parameters(models, settings or [], params)
    with as_usage():
        request = TrainRequest(
            models=models,
            requested_model=model if model == "all" else models[0],
            test_size=test_size,
            cv_folds=cv_folds,
            seed=seed,
            parameters=chosen.parameters,
            bases=chosen.bases,
            require_targets=require_targets,
            promote=not no_promote,
            accepted_columns=frozenset(accept_column or ()),
            left_out_columns=frozenset(leave_out or ()),
        )
    debug = ctx.ensure_object(Invocation).debug
    with (
        desk(quiet=quiet, as_json=as_json, log_file=log_file) as at,
        workspace(adopt=adopt) as opened,
    ):
        report = trained(opened, request, at, debug=debug)
    if as_json:
        sys.stdout.write(json_text(to_json(report)) + "\n")
    raise typer.Exit(exit_code(report))


def trained(
    opened: Workspace, request: TrainRequest, at: Desk, *, debug: bool = False
) -> TrainReport:
    """Train and tell the report; the log, or with `debug` the screen, tells where it broke."""
    tell_frames = at.console.say if debug else at.console.note
    told = announced(at, opening(request))
    report = run_training(
        opened, request, clock=at.clock, report=told, is_asked_to_stop=is_asked_to_stop
    )
    for outcome in report.outcomes:
        at.console.say(model_report(outcome))
        tell_frames(error_lines(outcome))
    at.console.say(summary(report))
    return report


def exit_code(report: TrainReport) -> int:
    """Return how the command ends: the worst of the models, too little data only if all lack it.

    A refusal counts where an earlier version serves on as well: something was shown to be worse or
    unsafe, and a person should look. A version kept as a candidate is the ordinary end of a
    retraining that shows nothing, and no failure.
    """
    verdicts = [outcome.decision.verdict for outcome in report.outcomes if outcome.decision]
    failures = {outcome.error["kind"] for outcome in report.outcomes if outcome.error}
    if failures - UNREADY_KINDS:
        return FAILED
    if Verdict.REFUSE in verdicts:
        return REFUSED
    return NOT_READY if ErrorKind.INVALID in failures or not verdicts else 0
