"""`chatlift forget`: one contact, everywhere, for good."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.surroundings import desk, workspace
from chatlift.store.forgetting import Receipt
from chatlift.store.known_contacts import KnownContact
from chatlift.workflows.forget import (
    ForgetReport,
    contacts_to_forget,
    forget,
    forget_after_restore,
)
from chatlift.workflows.receive import read_deliveries

app = new_app()

Contact = Annotated[
    str | None, typer.Argument(metavar="CONTACT", help="Id that its source uses, or phone number.")
]
OfSource = Annotated[
    str | None, typer.Option("--source", help="Which source's id it is, where several use it.")
]


@app.command(name="forget")
def forget_contact(
    contact: Contact = None,
    source: OfSource = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    after_restore: Annotated[
        bool,
        typer.Option(
            "--after-restore", help="Instead: all who were forgotten since a restored backup."
        ),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Remove a contact everywhere and keep it from coming back; there is no way back.

    If it is cut off, run it again: it goes on. Example: chatlift forget +34600111222
    """
    if (contact is None) is not after_restore:
        raise typer.BadParameter("Name one contact, or pass --after-restore.")
    with desk(quiet=as_json, as_json=as_json) as at, workspace() as opened:

        def read() -> None:
            read_deliveries(opened.crm, now=at.clock())

        # Whoever wrote a moment ago is found, too.
        read()
        if contact is None:
            report = forget_after_restore(
                opened, clock=at.clock, read_deliveries=read, report=at.report
            )
        else:
            found = contacts_to_forget(opened.crm, contact, source=source)
            if found and not yes:
                typer.confirm(question(found), abort=True, err=True)
            report = forget(opened, found, clock=at.clock, read_deliveries=read, report=at.report)
        at.console.say(report_lines(report))
        if as_json:
            sys.stdout.write(json_text(asdict(report)) + "\n")
    if not report.is_compact:
        raise typer.Exit(1)


def question(found: Sequence[KnownContact]) -> str:
    """Return what a person has to say yes to."""
    told = ", ".join(f"{contact.external_id} of {contact.source}" for contact in found)
    return f"Forget {told}, with all messages, leads and predictions? This cannot be undone."


def report_lines(report: ForgetReport) -> list[str]:
    """Return what went from where, and what to train again."""
    lines = _receipt(report.receipt) if report.receipt else ["Nothing was left to forget."]
    if not report.is_compact:
        lines.append(
            "Warning: another process is at work on the database, so its files may still hold "
            "deleted bytes. Run the same command again when it has ended."
        )
    return lines


def _receipt(receipt: Receipt) -> list[str]:
    gone = {place: count for place, count in receipt.counts.items() if count}
    lines = ["Forgotten:", *(f"  {p.replace('_', ' ')}: {n:,}" for p, n in gone.items())]
    lines += [
        f"{v.model} v{v.number} was trained on it, and is marked so." for v in receipt.versions
    ]
    if receipt.versions:
        lines.append("Train again to be free of what they learned from it: chatlift train")
    return lines
