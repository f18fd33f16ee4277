"""The worker that lives in a server's own process, so that nothing else need be started."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from fastapi import FastAPI

from chatlift.jobs.duties import duties_of
from chatlift.jobs.worker import Worker
from chatlift.service.context import Service, nobody, service_in, service_of


@contextmanager
def working_beside(service: Service, environ: Mapping[str, str]) -> Iterator[None]:
    """Let a worker carry out what the service queues, until the block ends.

    Where a broker carries the jobs there is none: workers elsewhere do all of it.

    Parameters
    ----------
    environ
        The environment that training children inherit.
    """
    if service.settings.jobs.broker_url:
        yield
        return
    worker = Worker(
        service.settings,
        service.database,
        environ=environ,
        duties=duties_of(service.settings, service.database),
    )
    ending = threading.Event()
    thread = threading.Thread(target=worker.run, args=(ending,), name="worker")
    thread.start()
    service.wake = worker.wake
    try:
        yield
    finally:
        service.wake = nobody
        ending.set()
        thread.join()


@asynccontextmanager
async def lifespan_of_router(app: FastAPI) -> AsyncIterator[None]:
    """Keep a service for an application that includes a router and brings no service itself."""
    if service_of(app) is not None:
        yield
        return
    service = service_in(app)
    try:
        with working_beside(service, os.environ):
            yield
    finally:
        service.close()
        del app.state.chatlift
