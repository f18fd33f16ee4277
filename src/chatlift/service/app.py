"""The application: all routers, one shape of errors, and no route without a role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from chatlift.service import (
    documentation,
    health,
    ingest,
    metrics,
    predictions,
    sign_in,
    training,
)
from chatlift.service.context import Service
from chatlift.service.description import describe
from chatlift.service.hosts import HostCheck
from chatlift.service.observing import Observed, RequestFigures
from chatlift.service.problems import tell_problem
from chatlift.service.security import refuse_undeclared
from chatlift.settings import LOOPBACK

ROUTERS = (
    health.router,
    metrics.router,
    documentation.router,
    sign_in.router,
    training.router,
    predictions.router,
    ingest.router,
)
"""Every router of the service."""


def create_app(service: Service, *, hosts: Iterable[str] = ()) -> FastAPI:
    """Return the application of one process; it closes the service when it ends.

    Parameters
    ----------
    hosts
        Names it may be called by, beside the machine's own and those of the settings.

    Raises
    ------
    UndeclaredRoute
        If a route says neither who may call it nor that it is public.
    """
    app = FastAPI(
        title="Chatlift",
        version=version("chatlift"),
        lifespan=_lifespan_of(service),
        docs_url=None,
        redoc_url=None,
    )
    app.state.chatlift = service
    allowed = LOOPBACK.union(service.settings.service.allowed_hosts, hosts)
    app.add_middleware(HostCheck, hosts=allowed)
    app.state.chatlift_figures = RequestFigures()
    app.add_exception_handler(HTTPException, tell_problem)
    app.add_exception_handler(RequestValidationError, tell_problem)
    app.add_exception_handler(Exception, tell_problem)
    for router in ROUTERS:
        app.include_router(router)
    refuse_undeclared(app)
    describe(app)
    app.add_middleware(Observed, figures=app.state.chatlift_figures)
    return app


def _lifespan_of(service: Service) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            service.close()

    return lifespan
