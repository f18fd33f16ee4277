"""`chatlift import whatsapp-export|cloud-webhooks|chatwoot`: conversations become records."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Protocol

import typer

from chatlift.cli import options
from chatlift.cli.feed_report import feed_lines
from chatlift.cli.lazy import new_app
from chatlift.cli.surroundings import desk, workspace
from chatlift.errors import InvalidInput
from chatlift.sources.feeds import ParsedFeed
from chatlift.sources.whatsapp_cloud import read_cloud_webhooks
from chatlift.workflows.ingest_feeds import FeedReport, ingest_feeds

app = new_app()

Payloads = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        exists=True,
        help="JSON, an array of bodies, JSON Lines, or a folder of such files.",
    ),
]
SourceName = Annotated[str, typer.Option("--source", help="Names where the feeds come from.")]


class ReadFeeds(Protocol):
    """Reads the feeds of one file or folder."""

    def __call__(self, path: Path, *, received_at: datetime) -> Iterable[ParsedFeed]:
        """Yield the feeds; what they tell without a date is known since `received_at`."""


@app.command("cloud-webhooks")
def cloud_webhooks(
    files: Payloads,
    source: SourceName = "whatsapp_cloud",
    quiet: options.Quiet = False,
    log_file: options.LogTo = None,
) -> None:
    """Read webhook bodies of the WhatsApp Cloud API; the same again change nothing.

    Example: chatlift import cloud-webhooks webhooks.jsonl
    """
    _import(files, read_cloud_webhooks, source=source, quiet=quiet, log_file=log_file)


def _import(
    files: list[Path], read: ReadFeeds, *, source: str, quiet: bool, log_file: Path | None
) -> None:
    with desk(quiet=quiet, log_file=log_file) as at, workspace() as opened:
        now = at.clock()
        feeds = chain.from_iterable(read(path, received_at=now) for path in files)
        report = ingest_feeds(
            feeds, crm=opened.crm, imported_at=now, source=source, report=at.report
        )
        at.console.say(feed_lines(report))
    _refuse_nothing(report)


def _refuse_nothing(report: FeedReport) -> None:
    """End with an error where entries were rejected and nothing else was there."""
    if report.rejected_count and not any(counts.total for counts in report.tables.values()):
        raise InvalidInput(
            f"None of the {report.rejected_count:,} entries could be used. Their reasons are kept "
            f"with import batch {report.batch_id}."
        )
