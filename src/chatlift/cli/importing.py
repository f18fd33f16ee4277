"""`chatlift import`: the files of a CRM export become the account's records.

Without a sub-command it reads tables; the sub-commands of `importing_feeds` read conversations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chatlift.cli import importing_feeds, options
from chatlift.cli.import_report import import_lines
from chatlift.cli.lazy import new_app
from chatlift.cli.reading import as_usage
from chatlift.cli.surroundings import desk, workspace
from chatlift.sources.mapping import SourceMapping
from chatlift.sources.mapping_files import load_mapping
from chatlift.sources.tables import TableFiles
from chatlift.workflows.ingest import ingest

app = new_app()
app.registered_commands += importing_feeds.app.registered_commands

TableFile = typer.Option(exists=True, dir_okay=False, help="CSV, Excel, Parquet or JSON Lines.")


# Long because every option is declared here, with its help; the body is short.
@app.callback(invoke_without_command=True)
def import_files(
    ctx: typer.Context,
    contacts: Annotated[Path | None, TableFile] = None,
    leads: Annotated[Path | None, TableFile] = None,
    messages: Annotated[Path | None, TableFile] = None,
    conversations: Annotated[Path | None, TableFile] = None,
    facts: Annotated[Path | None, TableFile] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--map",
            exists=True,
            dir_okay=False,
            help="TOML, YAML or JSON: what the columns mean and since when they were known.",
        ),
    ] = None,
    source: Annotated[str, typer.Option(help="Names where the files come from.")] = "files",
    quiet: options.Quiet = False,
    log_file: options.LogTo = None,
) -> None:
    """Read the files of a CRM export; the same files again change nothing.

    Example: chatlift import --contacts contacts.csv --leads leads.csv --messages messages.csv
    """
    if ctx.invoked_subcommand is not None:
        return
    files = TableFiles(
        contacts=contacts,
        leads=leads,
        messages=messages,
        conversations=conversations,
        facts=facts,
    )
    if not files.present():
        raise typer.BadParameter("No file was named. Name at least one, such as --contacts FILE.")
    with as_usage():
        columns = load_mapping(mapping) if mapping else SourceMapping()
    with desk(quiet=quiet, log_file=log_file) as at, workspace() as opened:
        report = ingest(
            files,
            columns,
            crm=opened.crm,
            imported_at=at.clock(),
            source=source,
            report=at.report,
        )
        at.console.say(import_lines(report))
