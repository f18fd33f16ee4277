"""`chatlift schedule`: let models be trained by themselves."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.reading import as_usage, models_named
from chatlift.cli.schedule_lines import (
    ScheduleStory,
    advice_to_json,
    made_lines,
    story_lines,
    to_json,
)
from chatlift.cli.surroundings import desk, workspace
from chatlift.registry.schedule_advice import WEEKS, Advice, advice
from chatlift.registry.schedule_rows import Schedule
from chatlift.registry.workspace import Workspace
from chatlift.store.lead_counts import new_leads_by_week
from chatlift.vocabulary import SlotDecision, parse_models
from chatlift.workflows.train import TrainRequest

REQUESTED_BY = "command line"

app = new_app(help_text="Let models be trained by themselves, and see how that went.")


@app.command("set")
def set_schedule(
    rhythm: Annotated[
        str, typer.Argument(help="daily, weekly, biweekly, monthly, or a cron line in quotes.")
    ],
    model: Annotated[
        str, typer.Option(help="all, lead_scoring, churn or engagement: one schedule for each.")
    ] = "all",
    time_zone: Annotated[
        str | None,
        typer.Option(help="Whose clock it goes by: Europe/Madrid. The account's, if unsaid."),
    ] = None,
    test_size: Annotated[
        float, typer.Option(help="Share of the newest examples held out, 0.05 to 0.5.")
    ] = 0.2,
    cv_folds: Annotated[int, typer.Option(help="Folds, 2 to 10.")] = 5,
) -> None:
    """Make a schedule, or edit the one of that model; it never trains at once.

    The words mean 03:00: every day, on Mondays, on every second Monday, on the first of the month.
    A cron line has five fields: minute, hour, day of the month, month, day of the week.
    `chatlift serve` or `chatlift worker` has to run for it.

    Example: chatlift schedule set weekly

    Example: chatlift schedule set "0 6 * * 1-5" --model churn --time-zone Europe/Madrid
    """
    with desk(quiet=True) as at, workspace() as opened:
        with as_usage():
            name = named(model)
            request = TrainRequest(
                models=parse_models(name),
                requested_model=name,
                test_size=test_size,
                cv_folds=cv_folds,
            )
            made = opened.schedules.put(
                name,
                rhythm=rhythm,
                time_zone=time_zone or opened.account.time_zone,
                request=request.to_json(),
                now=opened.database.now(),
            )
        at.console.say(made_lines(made, made.decided_through))


@app.command()
def show(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="One schedule; all of them by default.")
    ] = None,
    slots: Annotated[int, typer.Option(min=1, help="How many of the latest slots to list.")] = 5,
    as_json: options.AsJson = False,
) -> None:
    """Show when each schedule runs next, what became of it lately and why, and how often to train.

    Example: chatlift schedule show
    """
    with desk(quiet=True, as_json=as_json) as at, workspace() as opened:
        now = opened.database.now()
        chosen = opened.schedules.list() if model is None else (opened.schedules.get(named(model)),)
        stories = [_story(opened, schedule, now, slots) for schedule in chosen]
        advised = _advice(opened, now)
        at.console.say(story_lines(stories, advised))
        if as_json:
            told = {"schedules": [to_json(story) for story in stories]}
            sys.stdout.write(json_text(told | {"advice": advice_to_json(advised)}) + "\n")


@app.command()
def pause(model: options.Models = "all") -> None:
    """Let a schedule wait until it is resumed.

    Example: chatlift schedule pause churn
    """
    with desk(quiet=True) as at, workspace() as opened:
        paused = opened.schedules.pause(named(model), now=opened.database.now())
        at.console.say(
            f"The schedule of {paused.model} is paused. Go on with "
            f"`chatlift schedule resume {paused.model}`."
        )


@app.command()
def resume(model: options.Models = "all") -> None:
    """Let a paused schedule go on; of the slots it missed only the latest is made up for.

    Example: chatlift schedule resume churn
    """
    with desk(quiet=True) as at, workspace() as opened:
        now = opened.database.now()
        resumed = opened.schedules.resume(named(model))
        at.console.say(f"The schedule of {resumed.model} goes on.")
        if resumed.has_due(now):
            at.console.say("It missed a slot meanwhile and trains soon.")
        at.console.say(made_lines(resumed, now))


@app.command("run-now")
def run_now(model: options.Models = "all") -> None:
    """Train once now as the schedule would; its next run stays where it is.

    Example: chatlift schedule run-now churn
    """
    with desk(quiet=True) as at, workspace() as opened:
        run = opened.schedules.run_now(
            named(model), requested_by=REQUESTED_BY, now=opened.database.now()
        )
        at.console.say(
            f"Run {run.run_id} waits for `chatlift serve` or `chatlift worker`. "
            f"Watch it with `chatlift runs show {run.run_id}`."
        )


@app.command()
def remove(model: options.Models = "all") -> None:
    """Delete a schedule and what became of its slots; versions and runs stay.

    Example: chatlift schedule remove churn
    """
    with desk(quiet=True) as at, workspace() as opened:
        removed = opened.schedules.remove(named(model))
        at.console.say(f"The schedule of {removed.model} ({removed.rhythm}) is removed.")


def named(model: str) -> str:
    """Return the name whose schedule is meant; raises `BadParameter` for any other word."""
    return model if model == "all" else models_named(model)[0]


def _story(opened: Workspace, schedule: Schedule, now: datetime, limit: int) -> ScheduleStory:
    latest = opened.schedules.slots(schedule.model, decision=SlotDecision.RAN, limit=1)
    last = latest[0] if latest else None
    return ScheduleStory(
        schedule=schedule,
        next_run_at=schedule.next_run_at(now),
        last=last,
        last_run=opened.runs.get(last.run_id) if last and last.run_id else None,
        slots=opened.schedules.slots(schedule.model, limit=limit),
    )


def _advice(opened: Workspace, now: datetime) -> Advice:
    account_id = opened.account.account_id
    return advice(new_leads_by_week(opened.database, account_id, weeks=WEEKS, now=now))
