"""The door of every route: who calls is known, and may call, before a body is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

from chatlift.registry.tokens import is_well_formed, token_owner
from chatlift.service.context import Service, service_in
from chatlift.service.security import Caller
from chatlift.vocabulary import Role

Handler = Callable[[Request], Awaitable[Response]]
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Unauthorized(HTTPException):
    """Nobody knows who calls."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, detail, headers=CHALLENGE)


class Forbidden(HTTPException):
    """Who calls is known, and may not."""

    def __init__(self, detail: str) -> None:
        super().__init__(403, detail)


async def admitted(request: Request, role: Role | None, handle: Handler) -> Response:
    """Answer a request, if its caller has the role; None: anybody may call.

    Raises
    ------
    Unauthorized
        If it cannot be told who calls.
    Forbidden
        If the caller's role does not do.
    """
    if role is not None:
        request.state.chatlift_caller = await _caller(request, role)
    return await handle(request)


async def _caller(request: Request, role: Role) -> Caller:
    service = service_in(request.app)
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise Unauthorized(
            "This address needs a token: send the header `Authorization: Bearer <token>`. "
            "Make one with `chatlift token create`."
        )
    caller = await run_in_threadpool(_by_token, service, secret.strip())
    if not caller.role.includes(role):
        raise Forbidden(
            f"The token is a {caller.role}'s; this address needs at least the role {role}."
        )
    return caller


def _by_token(service: Service, secret: str) -> Caller:
    owner = token_owner(service.database, secret) if is_well_formed(secret) else None
    if owner is None or not owner.token.is_valid(service.clock()):
        raise Unauthorized("The token is not known, or is valid no longer.")
    return Caller(
        account=owner.account,
        role=owner.token.role,
        actor=f"token {owner.token.name}",
        key=f"token:{owner.token.token_id}",
        workspace=service.workspace(owner.account),
    )
