"""The OpenAPI description, with refusals in the media type in which they are sent."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from chatlift.service.problems import MEDIA_TYPE


def describe(app: FastAPI) -> None:
    """Let an application's description name problems as what they are.

    The framework describes every body of a route under the route's one media type.
    """
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(plain())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    for operations in schema["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                bodies = [*response.get("content", {}).values()]
                if status.isdecimal() and int(status) >= HTTPStatus.BAD_REQUEST and bodies:
                    response["content"] = {MEDIA_TYPE: bodies[0]}
    return schema
