"""`chatlift beat`: tick schedules and other duties over the broker."""

from __future__ import annotations

import sys
from contextlib import suppress

import typer

from chatlift.cli.lazy import new_app
from chatlift.cli.surroundings import database_of, settings
from chatlift.jobs.crew import beat_of
from chatlift.jobs.logs import set_up_logs

app = new_app()


@app.command()
def beat() -> None:
    """Tick schedules and other duties over the broker, for workers that run with --celery.

    Needed only where no `chatlift serve` and no plain `chatlift worker` runs, since those see to
    their duties themselves. More than one does no harm: what a tick does, it does once.

    Example: chatlift beat
    """
    set_up_logs(sys.stderr)
    chosen = settings()
    database = database_of(chosen)
    try:
        ticking = beat_of(chosen, database)
        typer.echo("Beat ticks. Stop it with Ctrl-C.")
        with suppress(KeyboardInterrupt):
            ticking.run()
    finally:
        database.close()
