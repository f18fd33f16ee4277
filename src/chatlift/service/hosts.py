"""Which names the service may be called by: a page of somebody else's cannot reach it by another.

Without the check, a site whose name is made to lead to this machine could use a browser's session.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from chatlift.service.problems import problem

HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?", re.ASCII)
"""A name or address, in brackets where it holds colons, and perhaps a port; nothing else."""


class HostCheck:
    """Refuses requests whose Host header names another host than the service's own."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        self.app = app
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what was meant for us; answer anything else with a problem."""
        names = Headers(scope=scope).getlist("host") if scope["type"] == "http" else []
        is_meant = len(names) == 1 and host_of(Headers(scope=scope)) in self.hosts
        if scope["type"] != "http" or is_meant:
            await self.app(scope, receive, send)
            return
        told = "The service is not called by this name. CHATLIFT_ALLOWED_HOSTS lists its names."
        await problem(Request(scope), 400, "host", told)(scope, receive, send)


def host_of(headers: Headers) -> str:
    """Return the name in the Host header, without its port; empty if it is no name and port.

    Examples
    --------
    >>> host_of(Headers({"host": "[::1]:8000"})), host_of(Headers({"host": "Shop.example"}))
    ('::1', 'shop.example')
    >>> host_of(Headers({"host": "localhost:8000@evil.example"}))
    ''
    """
    named = HOST.fullmatch(headers.get("host", "").lower())
    return (named[1] or named[2]) if named else ""
