"""`chatlift leads`: leads out of conversations, where nobody keeps a table of them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chatlift.cli.lazy import new_app
from chatlift.cli.reading import as_usage
from chatlift.cli.surroundings import desk, workspace
from chatlift.sources.derived_leads import Derivation
from chatlift.sources.outcome_rules import parse_rule
from chatlift.workflows.derive_leads import DeriveReport, derive_leads

LONGEST_QUOTE = 50
FEW_SIGNS = 20
"""Signs below which one shared instant tells nothing."""

app = new_app(help_text="Derive leads from conversations.")


@app.callback()
def leads() -> None:
    """Derive leads from conversations."""


# Long because every option is declared here, with its help; the body is short.
@app.command("derive")
def derive(
    won_when: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help='What tells a won lead: tag:paid, phrase:"order confirmed"|done, '
            "template:order_paid, fact:payment; joined by `or`.",
        ),
    ],
    lost_when: Annotated[
        str | None, typer.Option(metavar="RULE", help="What tells a lost one.")
    ] = None,
    lost_after: Annotated[
        float | None,
        typer.Option(metavar="DAYS", help="Lost after so many days without a word of the contact."),
    ] = None,
    quiet_days: Annotated[
        float,
        typer.Option(metavar="DAYS", help="The first word after so many days is a new lead."),
    ] = 30.0,
    source: Annotated[str | None, typer.Option(help="Only contacts of this source.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write them; without it, only look.")] = False,
) -> None:
    """Show twenty leads that the conversations tell, and with --yes write them all.

    The same rules again change nothing; other rules replace what was derived before.
    Example: chatlift leads derive --won-when 'tag:paid or phrase:"order confirmed"'
    """
    with as_usage():
        derivation = Derivation(
            won_when=parse_rule(won_when),
            lost_when=parse_rule(lost_when) if lost_when else None,
            lost_after_days=lost_after,
            quiet_days=quiet_days,
        )
    # No log file: the examples quote messages, which belong on a person's own screen only.
    with desk(quiet=True) as at, workspace() as opened:
        with as_usage():
            report = derive_leads(opened, derivation, source=source, write=yes)
        at.console.say(derived_lines(report))


def derived_lines(report: DeriveReport) -> list[str]:
    """Return the examples, the counts and what was done, for a person."""
    won, lost, undecided = (report.outcomes[name] for name in ("won", "lost", "open"))
    lines = [
        f"{report.examples.height} of {won + lost + undecided:,} leads, from the oldest on:",
        *(_example(row) for row in report.examples.iter_rows(named=True)),
        "",
        f"Won: {won:,}   Lost: {lost:,}   Undecided: {undecided:,}",
        f"Signs found: {report.sign_count:,}; {report.unused_sign_count:,} of them came before "
        "any word of the contact, or after the lead had ended.",
    ]
    return [*lines, *_warnings(report), _done(report)]


def _example(row: dict[str, Any]) -> str:
    ended = f"{row['outcome']} {row['closed_at']:%Y-%m-%d}" if row["closed_at"] else "undecided"
    why = f"  {row['sign']}" if row["sign"] else ""
    quote = " ".join((row["text"] or "").split())[:LONGEST_QUOTE]
    said = f'  "{quote}"' if quote else ""
    return f"  {row['contact']:<20}  {row['created_at']:%Y-%m-%d}  {ended:<15}{why}{said}"


def _warnings(report: DeriveReport) -> list[str]:
    lines = []
    if not report.outcomes["won"]:
        lines.append("Warning: nothing was won by this rule; look at its words.")
    if not report.outcomes["lost"]:
        lines.append(
            "Warning: no lead is ever lost. Say when with --lost-when or --lost-after DAYS: "
            "a lead without an outcome counts as not won once its horizon is over."
        )
    shared = report.shared_instant_count
    if shared >= FEW_SIGNS and 2 * shared > report.sign_count:
        lines.append(
            f"Warning: {shared:,} signs carry the same instant, probably that of their import. "
            "Say in the mapping since when the column was known, and import again."
        )
    return lines


def _done(report: DeriveReport) -> str:
    if report.written is None:
        return "Nothing was written. If these are right, say so with --yes."
    found = report.written
    return (
        f"Written: {found.new:,} new, {found.changed:,} changed, {found.unchanged:,} as before, "
        f"{found.gone:,} gone. Go on with: chatlift train lead_scoring"
    )
