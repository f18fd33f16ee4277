"""The door of every route: who calls is known, and may call, before a body is read.

In this order: who calls (401), whether their role will do (403), whether they ask for too much
(429), whether the body is too large (413).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.types import Message

from chatlift.service.context import Service, service_for
from chatlift.service.identities import Credentials, Identity, SecretKind
from chatlift.service.security import Caller
from chatlift.vocabulary import Role

Handler = Callable[[Request], Awaitable[Response]]
SESSION_COOKIE = "chatlift_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing, so another site that makes a browser send one gains nothing."""


class Unauthorized(HTTPException):
    """Nobody knows who calls."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(HTTPException):
    """Who calls is known, and may not."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, detail)


class BodyTooLarge(HTTPException):
    """A request is larger than the address takes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(413, f"The request is too large: this address takes {limit_bytes} bytes.")


async def admitted(
    request: Request, role: Role | None, handle: Handler, *, body_limit: str | None = None
) -> Response:
    """Answer a request, if its caller has the role; None: anybody may call.

    Parameters
    ----------
    body_limit
        Name of the setting that says how large the body may be; None: as on most routes.

    Raises
    ------
    Unauthorized, Forbidden, TooManyRequests, BodyTooLarge
        If the caller is not known, may not call, calls too often, or sends too much.
    """
    service = await service_for(request.app)
    limit_bytes = getattr(service.settings.service, body_limit or "body_bytes")
    if role is None:
        return await handle(bounded(request, limit_bytes))
    caller = await _caller(service, request, role)
    request.state.chatlift_caller = caller
    with service.limits.one_request(caller.key):
        return await handle(bounded(request, limit_bytes))


def address_of(request: Request) -> str:
    """Return the network address that a request came from."""
    return request.client.host if request.client else "unknown"


def bounded(request: Request, limit_bytes: int) -> Request:
    """Return the request with a body that ends in `BodyTooLarge` where it is larger.

    Raises
    ------
    BodyTooLarge
        If its header says so already.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    received_bytes = 0

    async def receive() -> Message:
        nonlocal received_bytes
        message = await request.receive()
        received_bytes += len(message.get("body", b""))
        if received_bytes > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        return message

    return Request(request.scope, receive)


async def _caller(service: Service, request: Request, role: Role) -> Caller:
    credentials = credentials_of(request)
    if credentials is None:
        raise Unauthorized(
            "This address needs a token: send the header `Authorization: Bearer <token>`. "
            "Make one with `chatlift token create`."
        )
    identity = await _identity(service, request, credentials)
    if not identity.role.includes(role):
        raise Forbidden(f"You call as {identity.role}; this address needs at least {role}.")
    return Caller(
        account=identity.account,
        role=identity.role,
        actor=identity.actor,
        key=identity.key,
        workspace=service.workspace(identity.account),
    )


def credentials_of(request: Request) -> Credentials | None:
    """Return what a request brings to say who calls; None if it brings nothing.

    Raises
    ------
    Forbidden
        If a browser sends its cookie with a change that another site's page asked for.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return Credentials(kind=SecretKind.BEARER, secret=secret.strip())
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        return None
    if request.method not in SAFE_METHODS and not is_same_origin(request):
        raise Forbidden("The header Origin does not name this site, so the change was not made.")
    return Credentials(kind=SecretKind.COOKIE, secret=cookie)


async def is_known(service: Service, credentials: Credentials) -> bool:
    """Tell whether credentials still stand for somebody; at most a second late."""
    if service.identities.fresh(credentials) is not None:
        return True
    return await run_in_threadpool(service.identities.find, credentials) is not None


def is_same_origin(request: Request) -> bool:
    """Tell whether the page that sent a request is one of this site: same scheme, name and port.

    A page of http is not one of https: whoever is on the way can write it.
    """
    host = request.headers.get("host", "").lower()
    own = f"{request.scope['scheme']}://{host}"
    return host != "" and request.headers.get("origin", "").lower() == own


async def _identity(service: Service, request: Request, credentials: Credentials) -> Identity:
    identities, address = service.identities, address_of(request)
    fresh = identities.fresh(credentials)
    if fresh is not None:
        return fresh
    if not identities.is_known(credentials):
        service.limits.refuse_guesses(address)
    found = await run_in_threadpool(identities.find, credentials)
    if found is None:
        service.limits.note_failure(address)
        raise Unauthorized("The token or session is not known, or is valid no longer.")
    return found
