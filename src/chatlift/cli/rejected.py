"""`chatlift import rejected`: the rows that imports could not use, listed, mended, sent again."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.import_report import import_lines, rejection_lines
from chatlift.cli.lazy import new_app
from chatlift.cli.surroundings import desk, workspace
from chatlift.errors import InvalidInput
from chatlift.store.past_imports import batch_of, batches, rejected_rows
from chatlift.workflows.ingest import ingest
from chatlift.workflows.rejected import export_rejected, mended_files

app = new_app(help_text="The rows that imports could not use.")

BatchId = Annotated[int, typer.Argument(metavar="BATCH", help="The import's number.")]
Folder = Annotated[
    Path, typer.Option("--folder", file_okay=False, help="Where the files lie, one per table.")
]
REJECTED_FOLDER = Path("rejected")


@app.command("list")
def list_rejected(
    batch: Annotated[
        int | None, typer.Argument(metavar="[BATCH]", help="One import; all of them without.")
    ] = None,
) -> None:
    """List imports with their rejected rows, or the rejected rows of one.

    Example: chatlift import rejected list 3
    """
    with desk() as at, workspace() as opened:
        database, account_id = opened.crm.database, opened.crm.account_id
        chosen = batches(database, account_id)
        if batch is not None:
            chosen = [batch_of(database, account_id, batch)]
        rows = {b.batch_id: rejected_rows(database, account_id, b.batch_id) for b in chosen}
        # Values are a person's, so they appear on the screen only.
        replace(at.console, listeners=()).say(
            rejection_lines(chosen, rows, is_whole=batch is not None)
        )


@app.command("export")
def export(batch: BatchId, folder: Folder = REJECTED_FOLDER) -> None:
    """Write the rejected rows of an import, a CSV per table, so that they can be mended.

    Example: chatlift import rejected export 3 --folder rejected
    """
    with desk() as at, workspace() as opened:
        crm = opened.crm
        files = export_rejected(crm.database, crm.account_id, batch, folder)
        for told in files:
            withheld = f"; {told.withheld_count:,} withheld" if told.withheld_count else ""
            at.console.say(f"Written: {told.path} ({told.row_count:,} rows{withheld})")
        if not files:
            at.console.say(f"Import batch {batch} refused nothing.")
        elif all(told.is_mendable for told in files):
            at.console.say(
                f"Mend them, then send them again: chatlift import rejected retry {batch} "
                f"--folder {folder}"
            )
        else:
            at.console.say("Mend these entries in their own files, then import those files again.")


@app.command("retry")
def retry(
    batch: BatchId,
    folder: Folder = REJECTED_FOLDER,
    quiet: options.Quiet = False,
    log_file: options.LogTo = None,
) -> None:
    """Import mended rows as the files were that they came from; good ones change nothing.

    Example: chatlift import rejected retry 3 --folder rejected
    """
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        desk(quiet=quiet, log_file=log_file) as at,
        workspace() as opened,
    ):
        crm = opened.crm
        before, files, mapping = mended_files(
            crm.database, crm.account_id, batch, folder, scratch=Path(scratch)
        )
        report = ingest(
            files,
            mapping,
            crm=crm,
            imported_at=at.clock(),
            source=before.source,
            report=at.report,
        )
        at.console.say(import_lines(report))
        if report.is_all_rejected:
            raise InvalidInput(
                "Not one of the mended rows could be used. See why with: chatlift import rejected "
                f"list {report.batch_id}"
            )
