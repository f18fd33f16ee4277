"""`chatlift worker`: train what is queued, on this machine or on any that shares the database."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import nullcontext, suppress
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.lazy import new_app
from chatlift.cli.surroundings import database_of, settings
from chatlift.jobs.crew import woken_by_celery, worker_of
from chatlift.jobs.logs import set_up_logs

app = new_app()


@app.command()
def worker(
    slots: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, help="Trainings at the same time; by default CHATLIFT_SLOTS, else 1."
        ),
    ] = None,
    celery: Annotated[
        bool, typer.Option("--celery", help="Be woken by the broker at CHATLIFT_BROKER_URL.")
    ] = False,
    adopt: options.Adopt = False,
) -> None:
    """Train what is queued, each run in a process of its own, until stopped.

    `chatlift serve` has a worker already. Run more of them on machines that share its PostgreSQL,
    its secret.key and its folder of artifacts. Ctrl-C or the system's request to end stops in
    order: a training under way goes back into the queue. Events are logged on stderr.

    Example: chatlift worker --slots 2
    """
    set_up_logs(sys.stderr)
    chosen = settings()
    database = database_of(chosen, adopt=adopt)
    told = (chosen, database, os.environ)
    try:
        with (
            woken_by_celery(*told, slots=slots)
            if celery
            else nullcontext(worker_of(*told, slots=slots))
        ) as at_work:
            typer.echo(f"Worker {at_work.name} waits for runs. Stop it with Ctrl-C.")
            with suppress(KeyboardInterrupt):
                at_work.run(threading.Event())
    finally:
        database.close()
