"""Single records over HTTP: who may tell them, what the answer says, and what it never says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.services import Served, served

from chatlift.vocabulary import Role
from chatlift.workflows.forget import contacts_to_forget, forget

PREFIX = "/api/v1/ingest"
NOON = "2026-03-02T12:00:00Z"


@pytest.fixture
def at(tmp_path: Path, sqlite_template: Path) -> Iterator[Served]:
    shutil.copy(sqlite_template, tmp_path / "chatlift.db")
    with served(tmp_path) as opened:
        opened.client.headers.update(opened.headers(Role.OPERATOR))
        yield opened


def put(at: Served, path: str, body: Any = None, **query: str) -> httpx.Response:
    return at.client.put(f"{PREFIX}/{path}", json=body or {}, params=query)


def result(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["result"])


def test_the_answer_says_what_was_done(at: Served) -> None:
    ana = {"name": "Ana", "attributes": {"plan": "gold", "vip": True, "seats": 3, "note": None}}
    assert result(put(at, "contacts/c-1", ana)) == "created"
    assert result(put(at, "contacts/c-1", ana)) == "unchanged"
    assert result(put(at, "contacts/c-1", ana | {"phone": "+34600111222"})) == "updated"
    lead = {"contact_external_id": "c-1", "created_at": "2026-03-01T10:00:00+02:00"}
    assert result(put(at, "leads/l-1", lead)) == "created"
    told = put(at, "leads/l-1/outcome", {"outcome": "won", "closed_at": NOON})
    assert told.json() == {
        "external_id": "l-1",
        "source": "api",
        "result": "updated",
        "contact_external_id": "c-1",
        "created_at": "2026-03-01T08:00:00Z",
        "outcome": "won",
        "closed_at": NOON,
    }
    facts = at.workspace.crm.read_history().facts.select("name", "value").rows()
    assert sorted(facts, key=str) == [
        ("note", None),
        ("plan", "gold"),
        ("seats", "3"),
        ("vip", "true"),
    ]


def test_messages_are_accounted_for_one_by_one(at: Served) -> None:
    put(at, "contacts/c-1")
    message = {"contact_external_id": "c-1", "direction": "in", "text": "hi", "sent_at": NOON}
    told = [message | {"external_id": "m-1"}, message | {"external_id": "m-2"}]
    told += [message | {"external_id": "m-3", "contact_external_id": "nobody"}]
    answer = at.client.post(f"{PREFIX}/messages", json={"messages": told}).json()
    assert {name: answer[name] for name in ("read", "accepted", "duplicate", "rejected")} == {
        "read": 3,
        "accepted": 2,
        "duplicate": 0,
        "rejected": 1,
    }
    (refused,) = answer["rejections"]
    assert (refused["index"], refused["column"]) == (2, "contact_external_id")
    again = at.client.post(f"{PREFIX}/messages", json={"messages": told[:2]}).json()
    assert (again["accepted"], again["duplicate"]) == (0, 2)


def test_sources_are_kept_apart(at: Served) -> None:
    assert result(put(at, "contacts/c-1")) == "created"
    told = put(at, "contacts/c-1", source="crm")
    assert (told.json()["result"], told.json()["source"]) == ("created", "crm")
    assert put(at, "contacts/c-1", source="simulated").status_code == 422
    assert put(at, "contacts/c-1", source="a b").status_code == 422


def test_a_forgotten_contact_is_refused_without_details(at: Served) -> None:
    put(at, "contacts/c-1", {"name": "Ana Soler", "phone": "+34600111222"})
    found = contacts_to_forget(at.workspace.crm, "c-1")
    forget(at.workspace, found, clock=at.service.clock, read_deliveries=lambda: None)
    told = put(at, "contacts/c-1", {"name": "Ana Soler"})
    assert told.status_code == 409
    assert "forgotten" in told.json()["detail"]
    assert "Ana" not in told.text


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("contacts/c-1", {"nmae": "Ana"}, 422),
        ("contacts/c-1", {"created_at": "2026-03-01T10:00:00"}, 422),
        ("contacts/c-1", {"created_at": "9999-12-31T23:59:59-14:00"}, 422),
        ("contacts/c-1", {"created_at": "0001-01-01T00:00:00+14:00"}, 422),
        ("contacts/c-1", {"attributes": {"": 1}}, 422),
        ("contacts/c-1", {"attributes": {"same_person_as": "c-2"}}, 422),
        ("contacts/c%00", {}, 422),
        ("contacts/" + "x" * 256, {}, 422),
        ("leads/l-1", {"contact_external_id": "nobody"}, 422),
        ("leads/l-1/outcome", {"outcome": "won"}, 404),
        ("leads/l-1/outcome", {"outcome": "perhaps"}, 422),
    ],
)
def test_what_cannot_be_used_is_refused(at: Served, path: str, body: Any, status: int) -> None:
    told = put(at, path, body)
    assert told.status_code == status, told.text
    assert told.headers["content-type"] == "application/problem+json"


def test_a_viewer_tells_nothing(at: Served) -> None:
    headers = at.headers(Role.VIEWER)
    for method, path in (
        ("PUT", "contacts/c-1"),
        ("PUT", "leads/l-1"),
        ("PUT", "leads/l-1/outcome"),
        ("POST", "messages"),
    ):
        told = at.client.request(method, f"{PREFIX}/{path}", json={}, headers=headers)
        assert told.status_code == 403


def test_what_is_written_stays_in_the_callers_account(at: Served) -> None:
    other = at.headers(Role.OPERATOR, at.other_account())
    at.client.put(f"{PREFIX}/contacts/c-1", json={}, headers=other)
    assert at.workspace.crm.counts().contacts == 0
    told = put(at, "leads/l-1", {"contact_external_id": "c-1"})
    assert told.status_code == 422


@pytest.mark.parametrize(
    ("text", "status"), [("a\\u0000b", 200), ("\\ud83d", 422)], ids=["nul", "half"]
)
def test_a_nul_in_a_message_is_left_out_and_half_a_character_refused(
    at: Served, text: str, status: int
) -> None:
    put(at, "contacts/c-1")
    body = (
        '{"messages": [{"external_id": "m", "contact_external_id": "c-1", "direction": "in", '
        f'"sent_at": "{NOON}", "text": "{text}"}}]}}'
    )
    told = at.client.post(
        f"{PREFIX}/messages", content=body, headers={"Content-Type": "application/json"}
    )
    assert told.status_code == status, told.text
    texts = at.workspace.crm.read_history().messages["text"].to_list()
    assert texts == (["ab"] if status == 200 else [])


def test_a_misspelt_field_of_a_message_is_refused(at: Served) -> None:
    put(at, "contacts/c-1")
    message = {"external_id": "m", "contact_external_id": "c-1", "direction": "in", "sent_at": NOON}
    for body in (
        {"messages": [message | {"txet": "hello"}]},
        {"messages": [message], "sorce": "shop"},
    ):
        told = at.client.post(f"{PREFIX}/messages", json=body)
        assert told.status_code == 422, told.text
