"""`chatlift test`: does what serves still do what was measured of it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.reading import models_named
from chatlift.cli.surroundings import Desk, desk, workspace
from chatlift.cli.testing_report import check_lines, summary, to_json
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName, Progress
from chatlift.workflows.check import CheckReport, ModelCheck, check

app = new_app()


@app.command()
def suite(
    model: options.Models = "all",
    version: Annotated[
        str, typer.Option(metavar="N|champion|candidate", help="Which version to test.")
    ] = "champion",
    strict: Annotated[bool, typer.Option("--strict", help="A missed target is a failure.")] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    log_file: options.LogTo = None,
) -> None:
    """Run the model test suite: load, verify, predict five, recompute what was recorded.

    Ends with 0 only if every version passes.

    Example: chatlift test lead_scoring --version candidate
    """
    models = models_named(model)
    with desk(quiet=quiet, as_json=as_json, log_file=log_file) as at, workspace() as opened:
        report = judged(opened, models, at, version=version, strict=strict)
    if as_json:
        sys.stdout.write(json_text(to_json(report)) + "\n")
    raise typer.Exit(0 if report.passed else 1)


def judged(
    opened: Workspace,
    models: tuple[ModelName, ...],
    at: Desk,
    *,
    version: str,
    strict: bool,
) -> CheckReport:
    """Test the models one by one, tell each, then all together."""
    checks: list[ModelCheck] = []
    for place, model in enumerate(models):
        at.report(Progress(phase="test", fraction=place / len(models), model=model))
        found = check(opened, (model,), version=version, strict=strict)
        at.console.say(line for single in found.checks for line in check_lines(single))
        checks.extend(found.checks)
    report = CheckReport(checks=tuple(checks))
    at.console.say(summary(report))
    return report
