"""`chatlift import`: the files of a CRM export become the account's records.

Without a sub-command it reads tables; the sub-commands of `importing_feeds` read conversations,
those of `rejected` deal with the rows that could not be used.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from chatlift.cli import importing_feeds, options, rejected
from chatlift.cli.import_report import import_lines, preview_lines
from chatlift.cli.lazy import new_app
from chatlift.cli.reading import as_usage
from chatlift.cli.surroundings import Desk, desk, workspace
from chatlift.errors import InvalidInput
from chatlift.sources.cells import DateOrder
from chatlift.sources.mapping import SourceMapping
from chatlift.sources.mapping_files import Preset, chosen_mapping
from chatlift.sources.previews import preview_tables
from chatlift.sources.tables import TableFiles
from chatlift.workflows.ingest import ingest

app = new_app()
app.registered_commands += importing_feeds.app.registered_commands
app.add_typer(rejected.app, name="rejected")


class OnceEach(TyperGroup):
    """Refuses an option with a value that is given twice: only the last would be read."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what is left of the words after the options."""
        _, _, given = self.make_parser(ctx).parse_args(args=[*args])
        valued = [p for p in given if not getattr(p, "is_flag", False)]
        for parameter in valued:
            if valued.count(parameter) > 1:
                raise typer.BadParameter(
                    f"{parameter.opts[0]} is given more than once, and an import takes one of it. "
                    "Import further files by themselves.",
                    ctx=ctx,
                )
        return super().parse_args(ctx, args)


TableFile = typer.Option(exists=True, dir_okay=False, help="CSV, Excel, Parquet or JSON Lines.")


# Long because every option is declared here, with its help; the body is short.
@app.callback(cls=OnceEach, invoke_without_command=True)
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
    preset: Annotated[
        Preset | None, typer.Option(help="What a known system calls its columns.")
    ] = None,
    is_day_first: Annotated[
        bool | None,
        typer.Option(
            "--day-first/--month-first",
            help="What 03/04/2026 begins with, where the values do not tell.",
            show_default=False,
        ),
    ] = None,
    known_at_creation: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMNS",
            help="Columns that you knew when their record was created: 'Lead Source,City', or all.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how the files are read; write nothing.")
    ] = False,
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
        columns = chosen_mapping(
            mapping,
            preset,
            date_order=_date_order(is_day_first),
            known_at_creation=known_at_creation,
        )
    with desk(quiet=quiet, log_file=log_file) as at:
        if dry_run:
            show(files, columns, at)
        else:
            write(files, columns, at, source=source)


def _date_order(is_day_first: bool | None) -> DateOrder | None:
    if is_day_first is None:
        return None
    return DateOrder.DAY_FIRST if is_day_first else DateOrder.MONTH_FIRST


def write(files: TableFiles, columns: SourceMapping, at: Desk, *, source: str) -> None:
    """Import the files and say what became of their rows.

    Raises
    ------
    InvalidInput
        If not one row could be used; what was refused is kept.
    """
    with workspace() as opened:
        report = ingest(
            files, columns, crm=opened.crm, imported_at=at.clock(), source=source, report=at.report
        )
    at.console.say(import_lines(report))
    if report.is_all_rejected:
        raise InvalidInput(
            "Not one of the rows could be used. See why with: chatlift import rejected list "
            f"{report.batch_id}"
        )


def show(files: TableFiles, columns: SourceMapping, at: Desk) -> None:
    """Say how the files would be read, on the screen only: rows have no place in a log."""
    screen = replace(at.console, listeners=())
    for preview in preview_tables(files, columns, imported_at=at.clock()):
        screen.say(preview_lines(preview))
    at.console.say("Nothing was written. Import for good without --dry-run.")
