"""A service over a real database, and callers of it with tokens of each role."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import httpx
import uvicorn
from fastapi import FastAPI
from tests.businesses import quick, write
from tests.histories import business

from chatlift.registry.tokens import Tokens
from chatlift.registry.workspace import Workspace
from chatlift.service.app import create_app
from chatlift.service.context import Service
from chatlift.service.running import listening_socket
from chatlift.settings import Settings
from chatlift.store.accounts import Account, ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, Role
from chatlift.workflows.train import train

START_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running service and one account of it."""

    service: Service
    app: FastAPI
    client: httpx.Client
    account: Account

    @property
    def workspace(self) -> Workspace:
        return self.service.workspace(self.account)

    def token(self, role: Role = Role.ADMIN, account: Account | None = None) -> str:
        """Return a new token of the account, or of another."""
        tokens = Tokens(self.service.database, (account or self.account).account_id)
        return tokens.create(f"test {role}", role, now=self.service.clock()).secret

    def headers(self, role: Role = Role.ADMIN, account: Account | None = None) -> dict[str, str]:
        """Return the headers of a request by a new token."""
        return {"Authorization": f"Bearer {self.token(role, account)}"}

    def other_account(self) -> Account:
        """Return a second business."""
        return ensure_account(self.service.database, "other", time_zone="UTC")


@contextmanager
def served(
    home: Path, database_url: str | None = None, *, environ: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """Serve the default account of an installation in `home`; no worker runs."""
    chosen = {"CHATLIFT_DATABASE_URL": database_url} if database_url else {}
    settings = Settings.from_environment(chosen | dict(environ or {}), default_home=home)
    service = Service(settings=settings, database=Database.open(settings.database_url))
    account = ensure_account(service.database, "default", time_zone="UTC")
    app = create_app(service, hosts=("shop.example",))
    with listening(app) as client:
        yield Served(service=service, app=app, client=client, account=account)


def give_champions(at: Served) -> None:
    """Give the account a story and a version of each model that serves."""
    workspace, clock = at.workspace, at.service.clock
    write(workspace, business(3))
    train(workspace, quick(), clock=clock)
    for model in ModelName:
        if workspace.versions.champion(model) is None:
            workspace.versions.promote(model, 1, by="test", reason="to be asked", now=clock())


@contextmanager
def listening(app: FastAPI) -> Iterator[httpx.Client]:
    """Let an application listen on a free loopback port; yield what calls it."""
    listener = listening_socket("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert server.started, "the application did not start"
    try:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=address, timeout=START_SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        listener.close()
    assert not thread.is_alive(), "the application did not end"
