"""A walk over all routes of the whole application: nobody gets in who should not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from inspect import iscoroutinefunction

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from structlog.testing import capture_logs
from tests.businesses import quick, write
from tests.histories import business
from tests.services import Served, served

from chatlift.registry.tokens import Tokens, new_secret
from chatlift.service.security import PUBLIC_PATHS, roles_of
from chatlift.vocabulary import ModelName, Role
from chatlift.workflows.train import train

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


def test_no_route_pays_a_change_of_threads_for_what_it_depends_on(at: Served) -> None:
    contexts = [route for route in iter_route_contexts(at.app.routes) if route.endpoint]
    found = [route.dependant for route in contexts if isinstance(route.route, APIRoute)]
    calls = {part.call for dependant in found for part in parts_of(dependant)}
    assert calls
    waiting = [call for call in calls if not (iscoroutinefunction(call) or is_asked_async(call))]
    assert waiting == []


def parts_of(dependant: Dependant) -> Iterator[Dependant]:
    """All that a route depends on, through all its dependencies, and not the route itself."""
    for part in dependant.dependencies:
        yield part
        yield from parts_of(part)


def is_asked_async(call: object) -> bool:
    return iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004 - an instance's


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


@pytest.fixture(scope="module")
def owned(at: Served) -> dict[str, str]:
    """Real ids of the account, by the place in a path where they stand."""
    write(at.workspace, business(3))
    run = train(at.workspace, quick(ModelName.CHURN), clock=at.service.clock).run
    headers = at.headers(Role.ADMIN)
    ingest = "/api/v1/ingest"
    csv = "external_id,created_at\nx-1,2026-01-01\n"
    files = {"contacts": ("contacts.csv", csv.encode(), "text/csv")}
    assert at.client.post(f"{ingest}/files", files=files, headers=headers).status_code == 200
    (batch, *_) = at.client.get(f"{ingest}/batches", headers=headers).json()["batches"]
    hook = at.client.post(f"{ingest}/webhooks", json={"kind": "chatwoot"}, headers=headers).json()
    return {
        "run_id": run.run_id,
        "model_name": "churn",
        "number": "1",
        "batch_id": str(batch["batch_id"]),
        "webhook": hook["webhook"],
    }


def test_nothing_of_another_account_is_there(at: Served, owned: dict[str, str]) -> None:
    others = at.token(Role.ADMIN, at.other_account())
    reached = set()
    for to in addresses(at):
        places = set(re.findall(r"{(\w+)", to.path))
        if not places or not places <= set(owned):
            continue
        filled = re.sub(r"{(\w+)(:\w+)?}", lambda place: owned[place[1]], to.path)
        headers = {"Authorization": f"Bearer {others}"}
        bodies: list[dict[str, str] | None] = [None, {"secret": "another"}]
        told = [at.client.request(to.method, filled, headers=headers, json=body) for body in bodies]
        if to.path.endswith("/versions"):
            # Of each account there is a list, of this one an empty one.
            assert told[0].json() == {"model": "churn", "versions": [], "ledger": []}
            continue
        # A rollback names no object: nothing served before, in an account that has no version.
        wanted = 409 if to.path.endswith("/rollback") else 404
        assert any(is_problem(one, wanted) for one in told), (to, [one.text for one in told])
        assert not any(one.is_success for one in told), to
        reached |= places
    assert reached == set(owned)
    own = at.headers(Role.ADMIN)
    for path in ("runs/{run_id}", "models/{model_name}/versions/{number}"):
        told_own = at.client.get(f"/api/v1/training/{path.format(**owned)}", headers=own)
        assert told_own.status_code == 200, path


def test_another_accounts_run_is_not_there_by_body_or_query(
    at: Served, owned: dict[str, str]
) -> None:
    headers = at.headers(Role.ADMIN, at.other_account())
    body, prefix = {"run_id": owned["run_id"]}, "/api/v1/training"
    for told in (
        at.client.get(f"{prefix}/status", params=body, headers=headers),
        at.client.get(f"{prefix}/events", params=body, headers=headers),
        at.client.post(f"{prefix}/stop", json=body, headers=headers),
    ):
        assert is_problem(told, 404), told.text


def test_the_log_of_the_walk_holds_no_secret_and_nobodys_words(
    at: Served, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    secret, words, phone = at.token(Role.ADMIN), "the-blue-chair-wobbles", "+34600999888"
    headers = {"Authorization": f"Bearer {secret}"}
    told = {"text": words, "name": words, "phone": phone, "reason": words, "ids": [words]}
    message = {"direction": "in", "text": words, "sent_at": "2026-03-02T12:00:00Z"}
    sent = [
        ("PUT", "/api/v1/ingest/contacts/x-1", {"name": words, "phone": phone}),
        (
            "POST",
            "/api/v1/ingest/messages",
            {"messages": [message | {"external_id": "m-1", "contact_external_id": "x-1"}]},
        ),
    ]
    with capture_logs() as lines:
        for method, path, body in sent:
            answer = at.client.request(method, path, json=body, headers=headers)
            assert answer.status_code == 200, answer.text
        for to in addresses(at):
            if not to.path.endswith("/events"):
                asked = {"search": words, "hub.verify_token": words}
                at.client.request(to.method, to.filled, json=told, params=asked, headers=headers)
    assert len(lines) >= 14
    printed = "".join(capfd.readouterr())
    logged = f"{lines} {[vars(record) for record in caplog.records]} {printed}"
    for hidden in (secret, secret[4:], words, phone, phone[1:], UNKNOWN):
        assert hidden not in logged
