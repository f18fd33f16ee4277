"""Signing a browser in by a link that works once, and out again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from chatlift.registry.sessions import SESSION_LASTS, sign_in, sign_out
from chatlift.service.admission import SESSION_COOKIE, Unauthorized, address_of, credentials_of
from chatlift.service.context import ServiceDep
from chatlift.service.identities import SecretKind
from chatlift.service.problems import ProblemRoute
from chatlift.service.security import Viewer
from chatlift.settings import LOOPBACK

AFTER_SIGN_IN = "/docs"
router = APIRouter(route_class=ProblemRoute, include_in_schema=False)


@router.get("/sign-in")
async def enter(
    service: ServiceDep, request: Request, link: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Sign the browser in, if the link is new; the session's cookie is for this site only."""
    address = address_of(request)
    service.limits.refuse_guesses(address)
    secret = await run_in_threadpool(sign_in, service.database, link, now=service.clock())
    if secret is None:
        service.limits.note_failure(address)
        raise Unauthorized(
            "This sign-in link was used already, or is too old. Make a new one with "
            "`chatlift serve`, which prints one as it starts."
        )
    response = RedirectResponse(AFTER_SIGN_IN, status_code=303)
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=not _is_plain_loopback(request),
    )
    return response


@router.post("/sign-out", status_code=204)
def leave(_caller: Viewer, service: ServiceDep, request: Request) -> Response:
    """End the browser's session, here and on the server."""
    credentials = credentials_of(request)
    if credentials is not None and credentials.kind is SecretKind.COOKIE:
        sign_out(service.database, credentials.secret, now=service.clock())
        service.identities.forget(credentials)
    response = Response(status_code=204)
    response.delete_cookie(SESSION_COOKIE)
    return response


def _is_plain_loopback(request: Request) -> bool:
    """Tell whether the site is this machine without TLS, where no Secure cookie comes back."""
    return request.url.scheme == "http" and request.url.hostname in LOOPBACK
