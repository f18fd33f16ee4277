"""`chatlift serve`: the web service, with a worker in the same process."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from chatlift.cli import options
from chatlift.cli.lazy import new_app
from chatlift.cli.surroundings import database_of, desk, settings
from chatlift.service.context import Service
from chatlift.service.running import Listening, run_service

app = new_app()


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="On which port.")] = 8000,
    tls_cert: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Certificate, as PEM.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Its private key, as PEM.")
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy in front does TLS.")
    ] = False,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Only answer; `chatlift worker` trains.")
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="How many processes answer, on so many processors.")
    ] = 1,
    adopt: options.Adopt = False,
) -> None:
    """Answer the API and train what it is asked for, until Ctrl-C or SIGTERM, then end with 0.

    On this machine alone it needs nothing else. Any other address takes an admin token, and TLS
    here or in a proxy. Limits of callers and figures at /metrics are those of one process.

    Example: chatlift serve --port 8080
    """
    wanted = Listening(
        host=host,
        port=port,
        tls_cert=tls_cert,
        tls_key=tls_key,
        behind_proxy=behind_proxy,
        with_worker=not no_worker,
        processes=processes,
    )
    found = settings()
    with desk(quiet=True) as at:
        service = Service(settings=found, database=database_of(found, adopt=adopt))
        # Being asked to end is how a server ends in order, for systemd and Docker too.
        with suppress(KeyboardInterrupt):
            run_service(
                service,
                wanted,
                environ=os.environ,
                say=lambda line: at.console.say([line]),
                is_watched=sys.stdout.isatty(),
            )
