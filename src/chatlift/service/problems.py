"""How a refusal reads: RFC 9457 problem details, in one shape on every route.

`ProblemRoute` is the class of all routes, so the shape is the same in somebody else's application.
A problem repeats ids and names that were asked for, never a body's values: they may be a secret or
somebody's words.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from chatlift.errors import ChatliftError, ErrorKind, InvalidInput
from chatlift.registry.failures import failure_of
from chatlift.service.admission import admitted
from chatlift.service.security import declared_body_limit, declared_role
from chatlift.store.database import DatabaseAway

LOG = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
STATUS_OF: Mapping[ErrorKind, int] = {
    ErrorKind.INVALID: 422,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.CONFLICT: 409,
    ErrorKind.NOT_READY: 409,
    ErrorKind.UNAVAILABLE: 503,
}
NAME_OF: Mapping[int, str] = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "body_too_large",
    422: "invalid",
    429: "too_many_requests",
    503: "unavailable",
}
"""Last part of `type`, where an error of the web framework has to be told."""
RETRY = {"Retry-After": "5"}
"""When to ask again while the database is away."""
INTERNAL = "internal"
CALLER_LEFT = 499


class FieldError(BaseModel):
    """One field of a request that cannot be used."""

    location: str = Field(description="Where it stands, such as `body.cv_folds`.")
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:chatlift:problem:conflict",
                "title": "Conflict",
                "status": 409,
                "detail": "No training is under way: nothing to stop.",
                "instance": "/api/v1/training/stop",
            }
        }
    )

    type: str = Field(description="Stable name of the kind of problem.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What was asked, what was found, what to do.")
    instance: str = Field(description="The path that was called.")
    errors: list[FieldError] | None = Field(
        default=None, description="What is wrong with each field; absent where no field is."
    )


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route's documentation says of these refusals."""
    return {
        status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in statuses
    }


REFUSALS = described(401, 403, 413, 422, 429, 503)
"""What any route with a role may answer."""


class ProblemRoute(APIRoute):
    """A route that admits its caller before it reads a body, and tells every error as a problem."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler: admission, then the route, then problems instead of errors."""
        handle = super().get_route_handler()
        role = declared_role(self.dependant)
        body_limit = declared_body_limit(self.dependant)

        async def handled(request: Request) -> Response:
            try:
                refuse_nul(request)
                return await admitted(request, role, handle, body_limit=body_limit)
            except ClientDisconnect:
                # Nobody is there to be answered; the number is the one that proxies log for it.
                return Response(status_code=CALLER_LEFT)
            except Exception as error:  # noqa: BLE001 - the edge: an error becomes an answer here
                return problem_of(request, error)

        return handled


def refuse_nul(request: Request) -> None:
    """Raise `InvalidInput` if the address holds a NUL, which PostgreSQL keeps in no text."""
    if "\0" in request.url.path or b"%00" in request.scope["query_string"]:
        raise InvalidInput("The address holds a NUL character (%00). Leave it out.")


async def tell_problem(request: Request, error: Exception) -> Response:
    """Answer an error that no route caught, such as an unknown path."""
    return problem_of(request, error)


def problem_of(request: Request, error: Exception) -> Response:
    """Return the problem that tells an error."""
    if isinstance(error, ChatliftError):
        headers = RETRY if isinstance(error, DatabaseAway) else None
        return problem(request, STATUS_OF[error.kind], error.kind, str(error), headers=headers)
    if isinstance(error, RequestValidationError):
        return problem(request, 422, ErrorKind.INVALID, *_wrong_fields(error))
    if isinstance(error, HTTPException):
        return _http_problem(request, error)
    # Type and place only: the text of an error may quote somebody's data.
    LOG.error("unforeseen_error", extra={"failure": failure_of(error)})
    told = "Something broke that Chatlift did not foresee. The log of the service tells where."
    return problem(request, 500, INTERNAL, told)


def problem(
    request: Request,
    status: int,
    name: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as an answer."""
    told = Problem(
        type=f"urn:chatlift:problem:{name}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        errors=list(errors) or None,
    )
    content = told.model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, status, dict(headers or {}), MEDIA_TYPE)


def _http_problem(request: Request, error: HTTPException) -> Response:
    if error.status_code < HTTPStatus.BAD_REQUEST:
        return Response(status_code=error.status_code, headers=error.headers)
    # The framework says 400 where a body cannot be read at all; for us that is an invalid one.
    status = 422 if error.status_code == HTTPStatus.BAD_REQUEST else error.status_code
    name = NAME_OF[status] if status in NAME_OF else HTTPStatus(status).name.lower()
    detail = DETAIL_OF[status] if error.detail == HTTPStatus(status).phrase else str(error.detail)
    return problem(request, status, name, detail, headers=error.headers)


class _Details(dict[int, str]):
    def __missing__(self, status: int) -> str:
        return HTTPStatus(status).description or HTTPStatus(status).phrase


DETAIL_OF = _Details(
    {
        404: "There is nothing at this address. /docs lists all addresses.",
        405: "This address takes other methods; the header Allow names them.",
    }
)
"""A sentence in place of the framework's bare phrase."""


def _wrong_fields(error: RequestValidationError) -> tuple[str, list[FieldError]]:
    """Return a sentence and the fields at fault, without any value that was sent."""
    told = cast("Sequence[Mapping[str, Any]]", error.errors())
    fields = [
        FieldError(location=".".join(map(str, found["loc"])), message=str(found["msg"]))
        for found in told
    ]
    shown = "; ".join(f"{field.location}: {field.message}" for field in fields[:3])
    return f"The request cannot be used as it is. {shown}.", fields
