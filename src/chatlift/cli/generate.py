"""`chatlift generate`: a synthetic CRM to try everything on."""

from __future__ import annotations

from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.generation_report import opening, quality_lines, summary
from chatlift.cli.lazy import new_app
from chatlift.cli.reading import as_usage, in_zone, parse_instant
from chatlift.cli.surroundings import Desk, announced, clock, desk, settings, workspace
from chatlift.registry.workspace import Workspace
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.workflows.generate import GenerateResult
from chatlift.workflows.generate import generate as run_generation

app = new_app()


# Long because every option is declared here, with its help; the body is short.
@app.command()
def generate(
    contacts: Annotated[int, typer.Option(help="Contacts.")] = 200,
    conversations: Annotated[int, typer.Option(help="Contacts that write.")] = 150,
    leads: Annotated[int, typer.Option(help="Leads with a known outcome.")] = 120,
    converted: Annotated[
        int | None, typer.Option(help="Of these, exactly so many won; 30 % by default.")
    ] = None,
    open_leads: Annotated[int, typer.Option(help="Leads still open, to be scored.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed makes the same CRM.")] = 7,
    difficulty: Annotated[
        Difficulty, typer.Option(help="easy is easy by design; realistic is as hard as life.")
    ] = Difficulty.EASY,
    days: Annotated[int, typer.Option(help="Length of the history, from 90.")] = 180,
    until: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="The last instant; now by default.")
    ] = None,
    drift: Annotated[
        float, typer.Option(help="Change of behaviour in the last third, 0 to 1.")
    ] = 0.0,
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete generated data that is there; never yours.")
    ] = False,
    quiet: options.Quiet = False,
    log_file: options.LogTo = None,
) -> None:
    """Make a synthetic CRM: contacts, conversations, messages, and leads with outcomes.

    The default data is easy by design. Example: chatlift generate --difficulty realistic
    """
    end = in_zone(parse_instant(until), settings().time_zone) if until else clock()
    with as_usage():
        request = SimulationRequest(
            until=end,
            contacts=contacts,
            conversations=conversations,
            closed_leads=leads,
            converted=converted,
            open_leads=open_leads,
            seed=seed,
            difficulty=difficulty,
            days=days,
            drift=drift,
        )
    with desk(quiet=quiet, log_file=log_file) as at, workspace() as opened:
        generated(opened, request, at, replace=replace)


def generated(
    opened: Workspace, request: SimulationRequest, at: Desk, *, replace: bool
) -> GenerateResult:
    """Generate and tell the report."""
    result = run_generation(
        request,
        crm=opened.crm,
        truth_folder=opened.truth_folder,
        replace=replace,
        report=announced(at, opening(request)),
    )
    at.console.say(quality_lines(result.quality))
    at.console.say(summary(result, request))
    return result
