"""`chatlift export`: all of one contact's data as JSON."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from chatlift.cli.json_text import json_text
from chatlift.cli.lazy import new_app
from chatlift.cli.surroundings import clock, workspace
from chatlift.private_files import open_private
from chatlift.workflows.export_contact import export_contact
from chatlift.workflows.receive import read_deliveries

app = new_app()


@app.command(name="export")
def export(
    contact: Annotated[
        str, typer.Argument(metavar="CONTACT", help="Id that its source uses, or phone number.")
    ],
    source: Annotated[
        str | None, typer.Option(help="Which source's id it is, where several use it.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write it here instead of to the screen.")
    ] = None,
) -> None:
    """Write all that is held of a contact, from all sources, as JSON.

    Example: chatlift export +34600111222 --output contact.json
    """
    with workspace() as opened:
        read_deliveries(opened.crm, now=clock())
        found = export_contact(opened, contact, source=source, now=clock())
    text = json_text(asdict(found)) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    with open_private(output, encoding="utf-8", newline="") as file:
        file.write(text)
    counts = ", ".join(
        f"{len(rows):,} {name.replace('_', ' ')}" for name, rows in _held(found.data)
    )
    typer.echo(f"Written: {counts}.")


def _held(data: dict[str, list[dict[str, object]]]) -> list[tuple[str, list[dict[str, object]]]]:
    return [(name, rows) for name, rows in data.items() if rows]
