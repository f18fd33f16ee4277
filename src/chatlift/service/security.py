"""Who may call what: every route declares a role, and one that does not is no route of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from chatlift.registry.webhooks import ADDRESS, PLACES
from chatlift.registry.workspace import Workspace
from chatlift.store.accounts import Account
from chatlift.vocabulary import Role

BEARER = HTTPBearer(
    scheme_name="Bearer",
    description="A token of `chatlift token create`, or the platform's JWT.",
    auto_error=False,
)

SIGNED_PATHS = frozenset(f"{ADDRESS}/{{hook_id}}/{place}" for place in PLACES.values())
"""Where services call: who calls is told by a random id in the address and by a signature."""
PUBLIC_PATHS = SIGNED_PATHS | {
    *("/healthz", "/readyz", "/sign-in"),
    *("/docs", "/docs/assets/{name}", "/redoc", "/openapi.json"),
}
"""What answers anybody. The pages of documentation hold the shape of the service, and no data."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls, and what they may do."""

    account: Account
    role: Role
    actor: str
    """As ledgers and runs name them: `token shop-phone`."""
    key: str
    """By which limits tell callers apart."""
    workspace: Workspace


@dataclass(frozen=True)
class RoleCheck:
    """The dependency by which a route declares the least role that may call it.

    The check itself is made before the body is read, in `service.admission`; this hands on the
    caller found there, and shows up in the documentation as a lock.
    """

    role: Role

    async def __call__(
        self,
        request: Request,
        _credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
    ) -> Caller:
        """Return who calls; a route of another class than ours has none and fails here."""
        caller: Caller = request.state.chatlift_caller
        return caller


@dataclass(frozen=True)
class BodyLimit:
    """The dependency by which a route says that it takes larger bodies than others, files for one.

    It is a dependency so that it stands where the route is declared.
    """

    setting: str
    """Name of the field of `ServiceSettings` that holds the number of bytes."""

    async def __call__(self) -> None:
        """Do nothing: the limit is held before the body is read."""


def requires(role: Role) -> Any:
    """Return the dependency of a route that callers of this role, or a higher one, may call."""
    return Security(RoleCheck(role))


Viewer = Annotated[Caller, requires(Role.VIEWER)]
Operator = Annotated[Caller, requires(Role.OPERATOR)]
Admin = Annotated[Caller, requires(Role.ADMIN)]


def declared_role(dependant: Dependant) -> Role | None:
    """Return the role that a route's dependencies declare; None if they declare none."""
    for found in dependant.dependencies:
        if isinstance(found.call, RoleCheck):
            return found.call.role
    return None


def declared_body_limit(dependant: Dependant) -> str | None:
    """Return the setting that holds a route's own limit; None where it has none."""
    for found in dependant.dependencies:
        if isinstance(found.call, BodyLimit):
            return found.call.setting
    return None


class UndeclaredRoute(RuntimeError):
    """A route says neither who may call it nor that it is public."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(
            f"These routes declare no role: {', '.join(paths)}. Give each a first parameter of "
            "type Viewer, Operator or Admin, or name it in PUBLIC_PATHS."
        )


def refuse_undeclared(app: FastAPI) -> None:
    """Raise `UndeclaredRoute` if a route declares no role and is not listed as public."""
    undeclared = sorted(path for path, role in roles_of(app) if role is None)
    found = [path for path in undeclared if path not in PUBLIC_PATHS]
    if found:
        raise UndeclaredRoute(found)


def roles_of(app: FastAPI) -> Iterator[tuple[str, Role | None]]:
    """Yield every path with the role it declares, once per route."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        role = declared_role(route.dependant) if isinstance(route, APIRoute) else None
        yield str(context.path), role
