"""The addresses that services call: trusted by signature, quick to store, silent to strangers."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.services import Served, served
from tests.webhooks import chatwoot_message, inbound

from chatlift.registry.deliveries import Deliveries
from chatlift.vocabulary import Role
from chatlift.workflows.receive import read_deliveries

PREFIX = "/api/v1/ingest/webhooks"
KEYED = {"CHATLIFT_SECRET_KEY": "A" * 43}
SECRET, NEXT = "first-app-secret", "next-app-secret"
T = 1_772_300_000


@pytest.fixture
def at(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    shutil.copy(sqlite_template, tmp_path / "chatlift.db")
    with served(tmp_path, environ=KEYED) as opened:
        yield opened


def made(at: Served, **body: Any) -> dict[str, Any]:
    told = at.client.post(PREFIX, json=body, headers=at.headers(Role.ADMIN))
    assert told.status_code == 201, told.text
    answer: dict[str, Any] = told.json()
    return answer


def whatsapp(at: Served) -> dict[str, Any]:
    return made(at, kind="whatsapp_cloud", secret=SECRET)


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}


def waiting(at: Served) -> list[bytes]:
    deliveries = Deliveries(at.service.database, at.account.account_id)
    return [
        delivery.body
        for hook_id in deliveries.hook_ids()
        for delivery in deliveries.next_of(hook_id, after=0, now=at.service.clock())
    ]


def handshake(at: Served, address: str, token: str, **more: str) -> httpx.Response:
    told = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
    return at.client.get(address, params=told | more)


def test_the_handshake_gives_the_challenge_back_to_who_knows_the_token(at: Served) -> None:
    hook = whatsapp(at)
    told = handshake(at, hook["address"], hook["verify_token"])
    assert (told.status_code, told.text) == (200, "1158201444")
    assert told.headers["content-type"].startswith("text/plain")
    assert handshake(at, hook["address"], "wrong").status_code == 401
    unsubscribed = {"hub.mode": "unsubscribe"}
    assert handshake(at, hook["address"], hook["verify_token"], **unsubscribed).status_code == 401
    script = {"hub.challenge": "<script>"}
    assert handshake(at, hook["address"], hook["verify_token"], **script).status_code == 422


def test_a_signed_delivery_is_stored_as_it_came_and_read_later(at: Served) -> None:
    hook = whatsapp(at)
    body = json.dumps(inbound("a", T), indent=3).encode()
    told = at.client.post(hook["address"], content=body, headers=signed(body))
    assert (told.status_code, told.json()) == (200, {"status": "received"})
    assert waiting(at) == [body]
    read_deliveries(at.workspace.crm, now=at.service.clock())
    assert at.workspace.crm.counts().messages == 1
    (shown,) = at.client.get(PREFIX, headers=at.headers(Role.ADMIN)).json()["webhooks"]
    assert shown["last_delivery_at"] is not None
    assert shown["waiting_count"] == 0


@pytest.mark.parametrize("body", [b"", b"no JSON", b"\xff", b"[]", b'{"entry": 1}'])
def test_what_is_signed_is_taken_whatever_it_says(at: Served, body: bytes) -> None:
    hook = whatsapp(at)
    told = at.client.post(hook["address"], content=body, headers=signed(body))
    assert told.status_code == 200
    assert waiting(at) == [body]


def test_what_is_not_signed_rightly_is_refused_and_not_kept(at: Served) -> None:
    hook = whatsapp(at)
    for headers in ({}, signed(b"{}", "another"), signed(b"{ }"), {"X-Hub-Signature-256": "é"}):
        raw = {name: value.encode() for name, value in headers.items()}
        told = at.client.post(hook["address"], content=b"{}", headers=raw)
        assert told.status_code == 401
        assert told.json()["type"] == "urn:chatlift:problem:unauthorized"
    assert waiting(at) == []


def test_who_signs_wrongly_again_and_again_waits(at: Served) -> None:
    hook = whatsapp(at)
    most = at.service.settings.service.failed_sign_ins_per_minute
    wrong = signed(b"{}", "another")
    asked = [at.client.post(hook["address"], content=b"{}", headers=wrong) for _ in range(most + 1)]
    assert [told.status_code for told in asked[:-1]] == [401] * most
    assert (asked[-1].status_code, "Retry-After" in asked[-1].headers) == (429, True)
    other = whatsapp(at)
    told = at.client.post(other["address"], content=b"{}", headers=signed(b"{}"))
    assert told.status_code == 200


def test_two_secrets_are_valid_until_a_rotation_is_finished(at: Served) -> None:
    hook = whatsapp(at)
    named = f"{PREFIX}/{hook['webhook']}"
    admin = at.headers(Role.ADMIN)
    at.client.post(f"{named}/rotate", json={"secret": NEXT}, headers=admin)
    assert answers(at, hook["address"]) == [200, 200]
    at.client.post(f"{named}/finish-rotation", headers=admin)
    assert answers(at, hook["address"]) == [401, 200]


def answers(at: Served, address: str) -> list[int]:
    """How deliveries are answered that are signed with the first secret, and with the next."""
    return [
        at.client.post(address, content=b"1", headers=signed(b"1", secret)).status_code
        for secret in (SECRET, NEXT)
    ]


def test_chatwoot_signs_once_it_has_a_secret(at: Served) -> None:
    hook = made(at, kind="chatwoot")
    body = json.dumps(chatwoot_message(1, T)).encode()
    assert at.client.post(hook["address"], content=body).status_code == 200
    admin = at.headers(Role.ADMIN)
    at.client.post(f"{PREFIX}/{hook['webhook']}/rotate", json={"secret": SECRET}, headers=admin)
    assert at.client.post(hook["address"], content=body).status_code == 401
    stamp = str(int(at.service.clock().timestamp()))
    digest = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"X-Chatwoot-Signature": f"sha256={digest}", "X-Chatwoot-Timestamp": stamp}
    assert at.client.post(hook["address"], content=body, headers=headers).status_code == 200


def test_an_address_that_leads_nowhere_tells_no_more_than_that(at: Served) -> None:
    hook = whatsapp(at)
    admin = at.headers(Role.ADMIN)
    other_kind = hook["address"].replace("/whatsapp", "/chatwoot")
    for address in (other_kind, f"{PREFIX}/unknown/whatsapp"):
        assert at.client.post(address, content=b"{}", headers=signed(b"{}")).status_code == 404
    at.client.delete(f"{PREFIX}/{hook['webhook']}", headers=admin)
    told = at.client.post(hook["address"], content=b"{}", headers=signed(b"{}"))
    assert (told.status_code, handshake(at, hook["address"], "x").status_code) == (404, 404)
    assert waiting(at) == []


def test_a_body_beyond_the_limit_is_refused(at: Served) -> None:
    hook = whatsapp(at)
    large = bytes(5_000_001)
    assert at.client.post(hook["address"], content=large, headers=signed(large)).status_code == 413
    largest = bytes(5_000_000)
    told = at.client.post(hook["address"], content=largest, headers=signed(largest))
    assert told.status_code == 200


def test_only_an_admin_makes_webhooks_and_of_the_own_account(at: Served) -> None:
    hook = whatsapp(at)
    named = f"{PREFIX}/{hook['webhook']}"
    calls = [
        ("GET", PREFIX, None),
        ("POST", PREFIX, {"kind": "chatwoot"}),
        ("POST", f"{named}/rotate", {"secret": NEXT}),
        ("POST", f"{named}/finish-rotation", None),
        ("DELETE", named, None),
    ]
    for method, path, body in calls:
        for role in (Role.VIEWER, Role.OPERATOR):
            told = at.client.request(method, path, json=body, headers=at.headers(role))
            assert told.status_code == 403
    other = at.headers(Role.ADMIN, at.other_account())
    for method, path, body in calls[2:]:
        assert at.client.request(method, path, json=body, headers=other).status_code == 404
    assert at.client.get(PREFIX, headers=other).json() == {"webhooks": []}


def test_neither_secret_nor_address_nor_words_are_shown_again_or_logged(
    at: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hook = whatsapp(at)
    body = json.dumps(inbound("a", T, "zebra umbrella")).encode()
    at.client.post(hook["address"], content=body, headers=signed(body, "wrong"))
    at.client.post(hook["address"], content=body, headers=signed(body))
    read_deliveries(at.workspace.crm, now=at.service.clock())
    listed = at.client.get(PREFIX, headers=at.headers(Role.ADMIN)).text
    hook_id = hook["address"].split("/")[-2]
    # The server of these tests is not `chatlift serve`, whose log names routes only.
    ours = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore", "uvicorn"))]
    logged = "\n".join(str(vars(record)) for record in ours)
    for hidden in (hook_id, hook["verify_token"], SECRET, "zebra", "4915100000001"):
        assert hidden not in listed
        assert hidden not in logged


def test_without_a_key_no_webhook_is_made_and_none_is_trusted(
    tmp_path: Path, sqlite_template: Path
) -> None:
    shutil.copy(sqlite_template, tmp_path / "chatlift.db")
    with served(tmp_path, environ=KEYED) as keyed:
        hook = whatsapp(keyed)
    with served(tmp_path) as bare:
        admin = bare.headers(Role.ADMIN)
        told = bare.client.post(PREFIX, json={"kind": "chatwoot"}, headers=admin)
        assert told.status_code == 503
        assert "token_urlsafe(32)" in told.json()["detail"]
        told = bare.client.post(hook["address"], content=b"{}", headers=signed(b"{}"))
        assert told.status_code == 503  # WhatsApp brings it again.


@pytest.fixture(scope="module")
def open_door(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[tuple[Served, str, str]]:
    home = tmp_path_factory.mktemp("any")
    shutil.copy(sqlite_template, home / "chatlift.db")
    patient = {"CHATLIFT_FAILED_SIGN_INS_PER_MINUTE": "1000"}
    with served(home, environ=KEYED | patient) as opened:
        chatwoot = made(opened, kind="chatwoot")["address"]
        yield opened, whatsapp(opened)["address"], chatwoot


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=300), header=st.text(max_size=80), is_signed=st.booleans())
def test_any_bytes_are_answered_without_a_fault(
    open_door: tuple[Served, str, str], body: bytes, header: str, is_signed: bool
) -> None:
    at, address, unsigned = open_door
    headers = signed(body) if is_signed else {"X-Hub-Signature-256": header}
    raw = {name: text.encode("utf-8", "replace") for name, text in headers.items()}
    raw = {name: bytes(b for b in value if b > 32 and b != 127) for name, value in raw.items()}
    told = at.client.post(address, content=body, headers=raw)
    assert told.status_code == (200 if is_signed else 401)
    assert at.client.post(unsigned, content=body).status_code == 200
