"""`chatlift runs`: the trainings that were, and how each went."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from time import sleep
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.run_tables import event_line, list_lines, run_lines, to_json
from chatlift.cli.surroundings import Desk, desk, workspace
from chatlift.registry.run_events import RunEvent, RunEvents
from chatlift.registry.run_rows import Run
from chatlift.registry.runs import Runs
from chatlift.vocabulary import RunEventKind

ANSWER_WITHIN = timedelta(seconds=5)
"""A process that has not stopped by then is dead or stuck."""
LOOK_SECONDS = 0.2

app = new_app(help_text="List the trainings, show how one went, follow or stop one.")


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    as_json: options.AsJson = False,
) -> None:
    """List the newest runs.

    Example: chatlift runs list
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        opened.runs.expire()
        runs = opened.runs.list(limit=limit)
        at.console.say(list_lines(runs))
        if as_json:
            sys.stdout.write(json_text([to_json(run) for run in runs]) + "\n")


@app.command()
def stop(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="The one under way by default.")
    ] = None,
) -> None:
    """Stop a training; what serves is untouched.

    Its process sees that within two seconds; a run whose process is dead is ended all the same.

    Example: chatlift runs stop
    """
    with desk(quiet=True) as at, workspace() as opened:
        ended = _stopped(opened.runs, run_id, at)
        at.console.say(f"Run {ended.run_id} is {ended.status}. {ended.message}")


def _stopped(runs: Runs, run_id: str | None, at: Desk) -> Run:
    for dead in runs.expire():
        # One that was found dead just now needs no stopping; it is told as what it is.
        if dead.is_final and run_id in {None, dead.run_id}:
            return dead
    return _awaited(runs, runs.stop(run_id, now=at.clock()), at)


def _awaited(runs: Runs, run: Run, at: Desk) -> Run:
    """Return the run as it ended: by itself, or by force where its process does not answer."""
    until = at.clock() + ANSWER_WITHIN
    while at.clock() < until:
        found = runs.get(run.run_id)
        if found.is_final:
            return found
        sleep(LOOK_SECONDS)
    return runs.end_unanswered(run.run_id, now=at.clock())


@app.command()
def show(
    run_id: Annotated[str | None, typer.Argument(help="The newest by default.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show how one run went, with where it broke, if it did.

    Example: chatlift runs show
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        opened.runs.expire()
        run = opened.runs.get(run_id) if run_id else opened.runs.latest()
        if run is None:
            at.console.say(list_lines([]))
            return
        at.console.say(run_lines(run))
        if as_json:
            sys.stdout.write(json_text(to_json(run)) + "\n")


@app.command()
def logs(
    run_id: Annotated[str | None, typer.Argument(help="The newest by default.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the run has ended.")
    ] = False,
) -> None:
    """Tell what a run did, step by step.

    Example: chatlift runs logs --follow
    """
    with desk(quiet=True) as at, workspace() as opened:
        opened.runs.expire()
        run = opened.runs.get(run_id) if run_id else opened.runs.latest()
        if run is None:
            at.console.say(list_lines([]))
            return
        events = RunEvents(opened.database, opened.account.account_id)
        for found in _told(events, run.run_id, follow=follow):
            at.console.say([event_line(event) for event in found])


def _told(events: RunEvents, run_id: str, *, follow: bool) -> Iterator[tuple[RunEvent, ...]]:
    """Yield a run's events as they come, to its end where they are followed."""
    seen, has_ended = 0, False
    while True:
        found = events.of(run_id, after=seen)
        if found:
            yield found
            seen, has_ended = found[-1].event_id, found[-1].kind is RunEventKind.ENDED
        elif has_ended or not follow:
            return
        else:
            sleep(LOOK_SECONDS)
