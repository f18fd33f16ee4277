"""What is seen of each request: one line in the log, two figures, and headers that protect.

A line names the route by its template, never the path or the query that was sent; the caller by
account and the number of a token, never by a secret.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, MutableMapping
from time import perf_counter
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatlift.service.security import Caller

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
NO_ROUTE = "none"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PROTECTING: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Sent with every answer that does not say otherwise."""

log = structlog.get_logger(__name__)


class RequestFigures:
    """How many requests this process answered, and how long answers took to begin."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "chatlift_requests",
            "Requests answered by this process.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "chatlift_request_seconds",
            "Seconds until an answer began.",
            ("route",),
            registry=self.registry,
        )


class Observed:
    """The outermost layer of an application."""

    def __init__(self, app: ASGIApp, *, figures: RequestFigures) -> None:
        self.app = app
        self.figures = figures
        self._templates: dict[Any, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and say that it was answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        begun = perf_counter()
        seen = {"status": 500, "seconds": 0.0}

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.update(status=message["status"], seconds=perf_counter() - begun)
                _protect(message, request_id)
            await send(message)

        scope.setdefault("state", {})
        try:
            await self.app(scope, receive, told)
        finally:
            self._tell(scope, request_id, int(seen["status"]), seen["seconds"])

    def _tell(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = self._route(scope)
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        self.figures.requests.labels(route, method, str(status)).inc()
        self.figures.seconds.labels(route).observe(seconds)
        caller = scope["state"].get("chatlift_caller")
        who = _who(caller) if isinstance(caller, Caller) else {}
        log.info(
            "request",
            request_id=request_id,
            method=method,
            route=route,
            status=status,
            milliseconds=round(1000 * seconds, 2),
            **who,
        )

    def _route(self, scope: Scope) -> str:
        """Return the template of the route that answered, such as `/api/v1/training/runs/{id}`."""
        app = scope.get("app")
        if not self._templates and isinstance(app, FastAPI):
            self._templates = templates_of(app)
        endpoint = scope.get("endpoint")
        return self._templates.get(endpoint, NO_ROUTE) if callable(endpoint) else NO_ROUTE


def templates_of(app: FastAPI) -> dict[Any, str]:
    """Return the path template of each endpoint of an application."""
    return {
        found.endpoint: str(found.path)
        for found in iter_route_contexts(app.routes)
        if found.endpoint is not None
    }


def _who(caller: Caller) -> dict[str, str]:
    return {"account": caller.account.name, "caller": caller.key}


def _request_id(scope: Scope) -> str:
    """Return the caller's own name for the request, if it is a plain one, else a new one."""
    told = Headers(scope=scope).get("x-request-id", "")
    return told if REQUEST_ID.fullmatch(told) else uuid.uuid4().hex


def _protect(message: MutableMapping[str, Any], request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-ID"] = request_id
    for name, value in PROTECTING.items():
        headers.setdefault(name, value)
