"""A walk over all routes of the whole application: nobody gets in who should not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from structlog.testing import capture_logs
from tests.services import Served, served

from chatlift.registry.tokens import Tokens, new_secret
from chatlift.service.security import PUBLIC_PATHS, roles_of
from chatlift.vocabulary import ModelName, Role

UNKNOWN = "11111111-1111-4111-8111-111111111111"
VALUES = {"model_name": "churn", "number": "7"}
"""What stands in a path's place in the walk; anything else is an id that is nobody's."""


@dataclass(frozen=True)
class Address:
    method: str
    path: str
    role: Role

    @property
    def filled(self) -> str:
        return re.sub(r"{(\w+)(:\w+)?}", lambda place: VALUES.get(place[1], UNKNOWN), self.path)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One installation whose limits are wider than the walk is long."""
    environ = {
        "CHATLIFT_FAILED_SIGN_INS_PER_MINUTE": "100000",
        "CHATLIFT_SECRET_KEY": "A" * 43,
    }
    with served(tmp_path_factory.mktemp("walk"), environ=environ) as opened:
        yield opened


def addresses(at: Served) -> list[Address]:
    """Every route that is not public, with the least role that may call it."""
    found = zip(iter_route_contexts(at.app.routes), roles_of(at.app), strict=True)
    return [
        Address(method, path, role)
        for context, (path, role) in found
        if role is not None
        for method in sorted((context.methods or set()) - {"HEAD"})
    ]


def call(at: Served, to: Address, secret: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return at.client.request(to.method, to.filled, headers=headers)


def is_problem(told: httpx.Response, status: int) -> bool:
    if told.headers["content-type"] != "application/problem+json":
        return False
    shape = {"type", "title", "status", "detail", "instance"}
    body = told.json()
    return told.status_code == status == body["status"] and shape <= set(body)


def test_every_route_declares_a_role_or_is_named_as_public(at: Served) -> None:
    assert {path for path, role in roles_of(at.app) if role is None} <= PUBLIC_PATHS
    assert len(addresses(at)) >= 16


def test_nobody_gets_in_without_a_token_that_is_valid(at: Served) -> None:
    now = at.service.clock()
    tokens = Tokens(at.service.database, at.account.account_id)
    long_ago = now - timedelta(days=9)
    expired = tokens.create("old", Role.ADMIN, now=long_ago, expires_at=now)
    revoked = tokens.create("gone", Role.ADMIN, now=now)
    tokens.revoke(revoked.token.token_id, now=now)
    for secret in (None, "chl_wrong", new_secret(), expired.secret, revoked.secret, "a.b.c"):
        for to in addresses(at):
            assert is_problem(call(at, to, secret), 401), (to, secret)


def test_a_role_below_the_declared_one_is_refused(at: Served) -> None:
    secrets = {role: at.token(role) for role in Role}
    walked = 0
    for to in addresses(at):
        for role in (found for found in Role if not found.includes(to.role)):
            assert is_problem(call(at, to, secrets[role]), 403), (to, role)
            walked += 1
    assert walked


def test_no_answer_to_an_admin_of_an_empty_account_is_a_failure_of_the_service(at: Served) -> None:
    secret = at.token(Role.ADMIN, at.other_account())
    for to in addresses(at):
        if to.path.endswith("/events"):
            continue  # A stream; it has tests of its own.
        told = call(at, to, secret)
        assert told.status_code < 500, (to, told.text)
        if told.status_code >= 400:
            assert is_problem(told, told.status_code), (to, told.text)


def test_another_accounts_run_is_not_there(at: Served) -> None:
    run = at.workspace.runs.enqueue(
        (ModelName.CHURN,),
        requested_model="churn",
        request={},
        requested_by="test",
        now=at.service.clock(),
    ).run
    headers = at.headers(Role.ADMIN, at.other_account())
    body, prefix = {"run_id": run.run_id}, "/api/v1/training"
    for told in (
        at.client.get(f"{prefix}/runs/{run.run_id}", headers=headers),
        at.client.get(f"{prefix}/status", params=body, headers=headers),
        at.client.post(f"{prefix}/stop", json=body, headers=headers),
    ):
        assert is_problem(told, 404), told.text
    assert at.client.get(f"{prefix}/runs/{run.run_id}", headers=at.headers()).status_code == 200


def test_the_log_of_the_walk_holds_no_secret(at: Served) -> None:
    secret = at.token(Role.ADMIN)
    with capture_logs() as lines:
        for to in addresses(at):
            if not to.path.endswith("/events"):
                call(at, to, secret)
    assert len(lines) >= 14
    assert secret not in str(lines)
    assert secret[4:] not in str(lines)
    assert UNKNOWN not in str(lines)
