"""`chatlift import whatsapp-export|cloud-webhooks|chatwoot`: conversations become records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.feed_report import feed_lines
from chatlift.cli.lazy import new_app
from chatlift.cli.reading import as_usage
from chatlift.cli.stopping import is_asked_to_stop
from chatlift.cli.surroundings import clock, desk, workspace
from chatlift.errors import InvalidInput
from chatlift.sources.chatwoot import read_chatwoot_webhooks
from chatlift.sources.feeds import ParsedFeed
from chatlift.sources.whatsapp_cloud import read_cloud_webhooks
from chatlift.sources.whatsapp_export.alignment import aligned
from chatlift.sources.whatsapp_export.chats import ChatChoices, chat_reader, read_chats
from chatlift.sources.whatsapp_export.day_order import DayOrder
from chatlift.sources.whatsapp_export.export_text import exports_in, left_out_of
from chatlift.sources.whatsapp_export.people import SenderNotFound
from chatlift.vocabulary import Progress, ReportProgress
from chatlift.workflows.ingest_feeds import Align, FeedReport, ingest_feeds

app = new_app()

Payloads = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        exists=True,
        help="JSON, an array of bodies, JSON Lines, or a folder of such files.",
    ),
]
Exports = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", exists=True, help="The .txt or .zip of a chat, or a folder of them."
    ),
]
SourceName = Annotated[str, typer.Option("--source", help="Names where the feeds come from.")]


ReadFeeds = Callable[[datetime], Iterable[ParsedFeed]]
"""Yields all feeds; what they tell without a date is known since the instant given."""


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
    _import(_each(files, read_cloud_webhooks), source=source, quiet=quiet, log_file=log_file)


@app.command()
def chatwoot(
    files: Payloads,
    source: SourceName = "chatwoot",
    quiet: options.Quiet = False,
    log_file: options.LogTo = None,
) -> None:
    """Read webhook events of Chatwoot; the same again change nothing.

    Example: chatlift import chatwoot events.jsonl
    """
    _import(_each(files, read_chatwoot_webhooks), source=source, quiet=quiet, log_file=log_file)


# Long because every option is declared here, with its help; the body is short.
@app.command("whatsapp-export")
def whatsapp_export(
    files: Exports,
    me: Annotated[str, typer.Option(help="The business's name in the chats, or its phone.")],
    time_zone: Annotated[
        str,
        typer.Option(metavar="ZONE", help="Zone of the exporting phone, as Europe/Berlin."),
    ],
    group: Annotated[
        bool, typer.Option("--group", help="Also read chats of more than two people.")
    ] = False,
    day_first: Annotated[
        bool, typer.Option("--day-first", help="Where a file leaves it open: 1/2 is 1 February.")
    ] = False,
    month_first: Annotated[
        bool, typer.Option("--month-first", help="Where a file leaves it open: 1/2 is 2 January.")
    ] = False,
    exported_at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
            help="When the chats were exported, by the phone's clock: they are complete so far.",
        ),
    ] = None,
    phone: Annotated[
        str | None,
        typer.Option(help="The contact's number, where the one chat shows only a name."),
    ] = None,
    source: SourceName = "whatsapp_export",
    quiet: options.Quiet = False,
    log_file: options.LogTo = None,
) -> None:
    """Read chats exported by WhatsApp; a later export of a chat adds only what is new.

    Example: chatlift import whatsapp-export chat.zip --me "Our Shop" --time-zone Europe/Berlin
    """
    chats = [chat for path in files for chat in exports_in(path) or (path,)]
    choices = ChatChoices(
        me=me,
        time_zone=time_zone,
        is_group_welcome=group,
        day_order=_day_order(day_first=day_first, month_first=month_first),
        exported_at=exported_at,
        phone=phone,
    )
    with as_usage():
        read_chat = chat_reader(choices, chat_count=len(chats), now=clock())
    left_out = sum(len(left_out_of(path)) for path in files)
    if left_out:
        typer.echo(
            f"Left out: {left_out} texts and zips that are not called as phones call chats. "
            "Name them one by one if they are chats.",
            err=True,
        )

    def chat_in(path: Path) -> ParsedFeed:
        with _senders_shown():
            return read_chat(path)

    feeds = read_chats(chats, chat_in, tell_refused=_tell_left_out)
    _import(lambda _now: feeds, source=source, align=aligned, quiet=quiet, log_file=log_file)


def _tell_left_out(error: InvalidInput) -> None:
    typer.echo(f"Left out: {error}", err=True)


@contextmanager
def _senders_shown() -> Iterator[None]:
    """Show the names that --me is none of; the error leaves them out, since it may be logged."""
    try:
        yield
    except SenderNotFound as error:
        for name, count in error.message_counts.items():
            typer.echo(f"  {name}: {count} messages", err=True)
        raise


def _day_order(*, day_first: bool, month_first: bool) -> DayOrder | None:
    if day_first and month_first:
        raise typer.BadParameter("Both --day-first and --month-first were given. Give one.")
    if day_first:
        return DayOrder.DAY_FIRST
    return DayOrder.MONTH_FIRST if month_first else None


def _each(files: list[Path], read: Callable[..., Iterable[ParsedFeed]]) -> ReadFeeds:
    """Return what reads the feeds of all these files and folders."""
    return lambda now: chain.from_iterable(read(path, received_at=now) for path in files)


def _import(
    read: ReadFeeds,
    *,
    source: str,
    quiet: bool,
    log_file: Path | None,
    align: Align | None = None,
) -> None:
    with desk(quiet=quiet, log_file=log_file) as at, workspace() as opened:
        now = at.clock()
        report = ingest_feeds(
            read(now),
            crm=opened.crm,
            imported_at=now,
            source=source,
            align=align,
            report=_until_asked_to_stop(at.report),
        )
        at.console.say(feed_lines(report))
    _refuse_nothing(report)


def _until_asked_to_stop(report: ReportProgress) -> ReportProgress:
    """Return a report that ends the command if a library swallowed the request to stop."""

    def told(step: Progress) -> None:
        if is_asked_to_stop():
            raise KeyboardInterrupt
        report(step)

    return told


def _refuse_nothing(report: FeedReport) -> None:
    """End with an error where entries were rejected and nothing else was there."""
    if report.is_all_rejected:
        raise InvalidInput(
            f"None of the {report.rejected_count:,} entries could be used. See why with: "
            f"chatlift import rejected list {report.batch_id}"
        )
