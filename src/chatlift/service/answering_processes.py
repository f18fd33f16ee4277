"""Several processes that answer on one address, where one processor is too little for the callers.

The first process listens, keeps the worker and watches the others; it answers nothing itself. Each
of the others makes its own service from the environment and takes connections from the same socket.
One that ends is begun anew; all end with the first, also where that is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import dataclass
from socket import socket

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from chatlift.errors import Unavailable
from chatlift.jobs.logs import set_up_logs
from chatlift.service.app import create_app
from chatlift.service.context import Service

HEALTH_SECONDS = 30
"""How long one that does not tell that it is well may go on before it is begun anew: it may be busy
with a batch that holds the interpreter."""


@dataclass(frozen=True)
class AnsweringApplication:
    """Makes the application in a process that answers; it is sent there, so it holds names only."""

    hosts: tuple[str, ...]

    def __call__(self) -> FastAPI:
        """Return the application of this process, with a service of its own."""
        _end_with_parent()
        set_up_logs(sys.stderr)
        service = Service.from_environment()
        service.warming.begin()
        return create_app(service, hosts=self.hosts)


def answer_in_processes(config: uvicorn.Config, listener: socket) -> None:
    """Let `config.workers` processes answer until this one is asked to end; then all do.

    Parameters
    ----------
    config
        Its application is an `AnsweringApplication`.

    Raises
    ------
    Unavailable
        If one of them could not begin.
    KeyboardInterrupt
        At the end, as where this process answers itself.
    """
    supervisor = Multiprocess(config, [listener])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise Unavailable("A process that answers could not begin; its line in the log says why.")
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    """End this process in order as soon as the one that began it is gone."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
