"""What one process of the service works with: settings, database, clock, and whom to wake.

An application carries its `Service` at `app.state.chatlift`. `create_app` puts it there; in an
application that only includes one of our routers, the first request or the router's lifespan makes
one from the environment.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import structlog
from anyio import CapacityLimiter
from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from chatlift.registry.installations import open_installation, warning_of
from chatlift.registry.prediction_log import PredictionLog
from chatlift.registry.workspace import Workspace, workspace_in
from chatlift.service.identities import Identities
from chatlift.service.limits import Limits
from chatlift.service.warming import Warming
from chatlift.settings import Settings, default_home
from chatlift.store.accounts import Account
from chatlift.store.database import Database
from chatlift.workflows.answer import Answering
from chatlift.workflows.data_check import KnownReadiness
from chatlift.workflows.listing import Listing

MAKING = threading.Lock()
LOOKS_AT_ONCE = 4

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Return the present instant, UTC."""
    return datetime.now(UTC)


def nobody() -> None:
    """Wake nobody."""


class Service:
    """One process's share of the service; safe across threads."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        clock: Callable[[], datetime] = utc_now,
        wake: Callable[[], None] = nobody,
    ) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.wake = wake
        """Tells workers that there is work, so that they need not wait for their next look."""
        self.limits = Limits(settings.service)
        self.identities = Identities(database, clock, settings.service.jwt)
        self.warming = Warming()
        self.looks = CapacityLimiter(LOOKS_AT_ONCE)
        """For those who ask whether the database answers: they take no thread of requests."""
        self.prediction_log = PredictionLog(database)
        self.answering = Answering()
        self.listing = Listing(versions=self.answering.versions)
        self.readiness = KnownReadiness()
        self._workspaces: dict[int, Workspace] = {}

    @classmethod
    def from_environment(cls) -> Service:
        """Open the database that the `CHATLIFT_*` variables name; raises as `open_installation`."""
        home = default_home(os.environ, sys.platform)
        settings = Settings.from_environment(os.environ, default_home=home)
        warning = warning_of(settings.home)
        if warning is not None:
            log.warning("data_folder_open_to_others", advice=warning)
        return cls(settings=settings, database=open_installation(settings))

    def workspace(self, account: Account) -> Workspace:
        """Return the account's handles, made anew when its settings changed."""
        found = self._workspaces.get(account.account_id)
        if found is None or found.account != account:
            found = workspace_in(self.database, self.settings, account)
            self._workspaces[account.account_id] = found
        return found

    def close(self) -> None:
        """Let go of the database; nothing can be answered afterwards."""
        self.prediction_log.close()
        self.identities.close()
        self.database.close()


def service_of(app: FastAPI) -> Service | None:
    """Return the service that an application carries; None if it carries none yet."""
    found = getattr(app.state, "chatlift", None)
    return found if isinstance(found, Service) else None


def service_in(app: FastAPI) -> Service:
    """Return the application's service; one from the environment is made where it has none."""
    found = service_of(app)
    if found is not None:
        return found
    with MAKING:
        found = service_of(app) or Service.from_environment()
        app.state.chatlift = found
        return found


async def service_for(app: FastAPI) -> Service:
    """Return the application's service as `service_in`, without keeping the event loop."""
    found = service_of(app)
    return found if found is not None else await run_in_threadpool(service_in, app)


async def _service(request: Request) -> Service:
    # Asynchronous, as all our dependencies: others cost a change of threads each.
    return await service_for(request.app)


ServiceDep = Annotated[Service, Depends(_service)]
"""A parameter of this type receives the process's service."""
