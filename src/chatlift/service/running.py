"""Running the service: where it may listen, what it says as it starts, and who answers."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import uvicorn

from chatlift.errors import InvalidInput, Unavailable
from chatlift.jobs.logs import set_up_logs
from chatlift.registry.sessions import make_sign_in_link
from chatlift.registry.tokens import has_admin_token
from chatlift.service.answering_processes import (
    HEALTH_SECONDS,
    AnsweringApplication,
    answer_in_processes,
)
from chatlift.service.app import create_app
from chatlift.service.connections import (
    ConnectionLimits,
    GuardedConfig,
    connections_that_fit,
)
from chatlift.service.context import Service
from chatlift.service.local_reading import reading_beside
from chatlift.service.local_worker import working_beside
from chatlift.settings import LOOPBACK, ServiceSettings
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import Role

BACKLOG = 2048
GRACE_SECONDS = 5
"""How long requests under way, streams among them, may go on when the service is to end."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where and how to listen."""

    host: str = "127.0.0.1"
    port: int = 8000
    tls_cert: Path | None = None
    """File of the certificate, with `tls_key`; None: no TLS here."""
    tls_key: Path | None = None
    behind_proxy: bool = False
    """A proxy in front does TLS; of its X-Forwarded headers those of trusted proxies count."""
    with_worker: bool = True
    """Whether this process also carries out what it queues."""
    processes: int = 1
    """How many processes answer; from two on, this one only watches them and keeps the worker."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can call."""
        return self.host in LOOPBACK

    @property
    def address(self) -> str:
        """The address that a browser on this machine opens."""
        scheme = "https" if self.tls_cert else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


class UnsafeAddress(InvalidInput):
    """The service would be open to other machines without what protects it."""

    def __init__(self, host: str, missing: str) -> None:
        super().__init__(
            f"Chatlift was asked to listen on {host}, which other machines can reach, and "
            f"{missing}. Listen on 127.0.0.1, or see docs/security.md."
        )


def refuse_unsafe(wanted: Listening, database: Database, *, now: datetime) -> None:
    """Refuse an address that others can reach without an admin token and protected transport.

    Raises
    ------
    UnsafeAddress
        If something is missing.
    InvalidInput
        If only one of the two TLS files is named.
    """
    if (wanted.tls_cert is None) != (wanted.tls_key is None):
        raise InvalidInput("TLS needs both files: name --tls-cert and --tls-key.")
    if wanted.is_loopback:
        return
    if wanted.tls_cert is None and not wanted.behind_proxy:
        raise UnsafeAddress(
            wanted.host,
            "tokens would travel unprotected: name --tls-cert and --tls-key, or --behind-proxy "
            "where a proxy does TLS",
        )
    if not has_admin_token(database, now=now):
        raise UnsafeAddress(
            wanted.host,
            "there is no admin token yet: make one with `chatlift token create NAME --role admin`",
        )


def run_service(
    service: Service,
    wanted: Listening,
    *,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    is_watched: bool = True,
) -> None:
    """Listen and answer until the process is asked to end.

    Parameters
    ----------
    environ
        The environment that training children inherit.
    say
        Takes the lines for the person who started it: where it listens, and the sign-in link.
    is_watched
        Whether somebody reads them, rather than a file or a journal that keeps them.

    Raises
    ------
    InvalidInput
        If the address is not safe; see `refuse_unsafe`.
    Unavailable
        If it cannot listen there.
    """
    refuse_unsafe(wanted, service.database, now=service.clock())
    set_up_logs(sys.stderr)
    several = wanted.processes > 1
    hosts = (wanted.host,)
    config = GuardedConfig(
        AnsweringApplication(hosts) if several else create_app(service, hosts=hosts),
        connections=limits_of(service.settings.service, wanted),
        factory=several,
        workers=wanted.processes,
        timeout_worker_healthcheck=HEALTH_SECONDS,
        log_config=None,
        access_log=False,
        ssl_certfile=wanted.tls_cert,
        ssl_keyfile=wanted.tls_key,
        proxy_headers=wanted.behind_proxy,
        forwarded_allow_ips=list(service.settings.service.trusted_proxies),
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )
    with ExitStack() as stack:
        listener = stack.enter_context(_listener(wanted))
        if wanted.with_worker:
            stack.enter_context(working_beside(service, environ))
        stack.enter_context(reading_beside(service))
        for line in greeting(service, wanted, is_watched=is_watched):
            say(line)
        if several:
            stack.callback(service.close)
            answer_in_processes(config, listener)
        else:
            service.warming.begin()
            uvicorn.Server(config).run([listener])


def limits_of(settings: ServiceSettings, wanted: Listening) -> ConnectionLimits:
    """Return what connections are granted; a proxy in front has those of all its callers."""
    in_all = connections_that_fit(settings.connections)
    return ConnectionLimits(
        in_all=in_all,
        per_address=in_all if wanted.behind_proxy else settings.connections_per_address,
    )


def _listener(wanted: Listening) -> socket.socket:
    try:
        return listening_socket(wanted.host, wanted.port)
    except OSError as error:
        raise Unavailable(
            f"Chatlift cannot listen on {wanted.host} port {wanted.port} ({error.strerror}). End "
            "what listens there, or name another with --host and --port."
        ) from error


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises OSError where it cannot.

    It says that it is TCP's: only then does asyncio send small packets at once. Without, an answer
    of two packets waited 40 ms for the other side's acknowledgement of the first.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def greeting(service: Service, wanted: Listening, *, is_watched: bool) -> list[str]:
    """Return what is said as the service starts."""
    lines = [f"Chatlift listens on {wanted.address} (API: {wanted.address}/docs)."]
    # A link makes an admin of who opens it, so a journal gets one only while there is none yet.
    is_new = is_watched or not has_admin_token(service.database, now=service.clock())
    if wanted.is_loopback and not wanted.behind_proxy and is_new:
        settings = service.settings
        account = ensure_account(service.database, settings.account, time_zone=settings.time_zone)
        link = make_sign_in_link(
            service.database, account.account_id, Role.ADMIN, now=service.clock()
        )
        lines.append(f"Sign in once, within 15 minutes: {wanted.address}/sign-in?link={link}")
    lines.append("Programs need a token: chatlift token create NAME --role operator")
    lines.append("Ctrl-C ends it.")
    return lines
