"""The worker that lives in a server's own process, so that nothing else need be started."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from fastapi import FastAPI

from chatlift.jobs.crew import at_work, worker_beside_server
from chatlift.service.context import Service, nobody, service_in, service_of


@contextmanager
def working_beside(service: Service, environ: Mapping[str, str]) -> Iterator[None]:
    """Let a worker carry out what the service queues, until the block ends.

    Where a broker is set it trains nothing itself: it hands the runs to workers elsewhere.

    Parameters
    ----------
    environ
        The environment that training children inherit.
    """
    with at_work(worker_beside_server(service.settings, service.database, environ)) as worker:
        service.wake = worker.wake
        try:
            yield
        finally:
            service.wake = nobody


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
