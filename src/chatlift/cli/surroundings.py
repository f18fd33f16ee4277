"""What the process stands in: environment, clock, terminal. Only here are they looked at."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import typer

from chatlift.cli.console import Console
from chatlift.cli.log_file import open_log
from chatlift.cli.progress import CREATED, told_progress
from chatlift.registry.installations import open_installation, warning_of
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import Settings, default_home
from chatlift.store.database import Database
from chatlift.vocabulary import Progress, ReportProgress


def clock() -> datetime:
    """Return the present instant, UTC."""
    return datetime.now(UTC)


def settings() -> Settings:
    """Read the `CHATLIFT_*` variables; data lies in the user's own data folder by default."""
    return Settings.from_environment(
        os.environ, default_home=default_home(os.environ, sys.platform)
    )


def is_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream is a terminal that may be coloured and redrawn."""
    wants_plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
    return stream.isatty() and not wants_plain


def has_colour(stream: TextIO, environ: Mapping[str, str], system: str) -> bool:
    """Tell whether a stream shows colour codes; an old Windows console would print them."""
    return is_live(stream, environ) and (system != "win32" or "WT_SESSION" in environ)


def database_of(chosen: Settings, *, adopt: bool = False) -> Database:
    """Open the database that the settings name, as `open_installation`; warn of an open folder."""
    _warn_of(chosen.home)
    return open_installation(chosen, adopt=adopt)


@contextmanager
def workspace(*, adopt: bool = False) -> Iterator[Workspace]:
    """Open the account that the settings name; see `open_installation` for `adopt`."""
    chosen = settings()
    _warn_of(chosen.home)
    with open_workspace(chosen, adopt=adopt) as opened:
        yield opened


def _warn_of(home: Path) -> None:
    warning = warning_of(home)
    if warning is not None:
        typer.echo(f"Warning: {warning}", err=True)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a command speaks through."""

    console: Console
    report: ReportProgress
    clock: Callable[[], datetime]


@contextmanager
def desk(
    *, quiet: bool = False, as_json: bool = False, log_file: Path | None = None
) -> Iterator[Desk]:
    """Set up console, progress and log file for one command.

    Parameters
    ----------
    quiet
        No progress.
    as_json
        Nothing on stdout but what the command itself prints at the end; no progress.
    log_file
        Takes all that is said, also with `as_json`.
    """
    with (
        open_log(log_file, clock) as listeners,
        told_progress(
            sys.stderr,
            live=is_live(sys.stderr, os.environ),
            quiet=quiet or as_json,
            clock=clock,
        ) as shown,
    ):
        console = Console(
            stream=None if as_json else sys.stdout,
            is_colourful=has_colour(sys.stdout, os.environ, sys.platform),
            listeners=listeners,
            before=shown.hush,
        )
        yield Desk(console=console, report=_split(console, shown), clock=clock)


def announced(at: Desk, lines: Sequence[str]) -> ReportProgress:
    """Return the desk's report, which says these lines before the first step.

    What is refused before it begins then ends with its sentence alone, without a heading.
    """
    waiting = [lines]

    def told(step: Progress) -> None:
        if waiting:
            at.console.say(waiting.pop())
        at.report(step)

    return told


def _split(console: Console, shown: ReportProgress) -> ReportProgress:
    """Return a report that says results on the console and shows the rest as progress."""

    def told(step: Progress) -> None:
        if step.phase == CREATED:
            console.say(step.message)
        else:
            shown(step)

    return told
