"""Webhook payloads of the shared folder, each entry accounted for."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from benchmarks.real_data import folder
from tests.services import served

from chatlift.sources.payloads import Body
from chatlift.sources.whatsapp_cloud import parse_cloud_bodies
from chatlift.store.crm import Crm
from chatlift.vocabulary import Role
from chatlift.workflows.ingest_feeds import ingest_feeds
from chatlift.workflows.receive import read_deliveries

PAYLOADS = folder() / "wa_cloud_webhooks" / "pywa"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not PAYLOADS.is_dir(),
        reason="the folder of webhook payloads is missing; CHATLIFT_REAL_DATA names it",
    ),
]

ACCOUNTED = {
    # file: (payloads, entries that became records, entries passed over)
    "account_update.json": (17, {}, {"account_update": 17}),
    "call_connect.json": (2, {}, {"call": 2}),
    "call_permission_update.json": (2, {"message": 2}, {}),
    "call_status.json": (1, {}, {"call": 1}),
    "call_terminate.json": (1, {}, {"call": 1, "error": 1}),
    "callback_button.json": (3, {"message": 3}, {}),
    "callback_selection.json": (2, {"message": 2}, {}),
    "deleted_message.json": (1, {"revoke": 1}, {}),
    "edited_message.json": (1, {"edit": 1}, {}),
    "flow_completion.json": (2, {"message": 2}, {}),
    "message.json": (23, {"message": 21}, {"error": 1, "reaction taken back": 2}),
    "message_status.json": (7, {"status": 6}, {"group status": 1}),
    "outgoing_message.json": (3, {"edit": 1, "message": 1, "revoke": 1}, {}),
    "system.json": (2, {"number change": 1}, {"system": 1}),
    "template_category_update.json": (1, {}, {"template_category_update": 1}),
    "template_components_update.json": (1, {}, {"message_template_components_update": 1}),
    "template_quality_update.json": (1, {}, {"message_template_quality_update": 1}),
    "template_status_update.json": (2, {}, {"message_template_status_update": 2}),
    "user_marketing_preferences.json": (2, {"preference": 2}, {}),
}
"""74 payloads hold 76 entries: two of them tell an error beside what they tell."""


def bodies_of(path: Path) -> list[Body]:
    """The payloads of one file, which names each of them."""
    named = json.loads(path.read_text(encoding="utf-8"))
    return [Body(file_name=path.name, value=body) for body in named.values()]


def test_every_file_is_known() -> None:
    assert {path.name for path in PAYLOADS.iterdir()} == set(ACCOUNTED)
    assert sum(payloads for payloads, _, _ in ACCOUNTED.values()) == 74
    told = [sum(told.values()) + sum(over.values()) for _, told, over in ACCOUNTED.values()]
    assert sum(told) == 76


@pytest.mark.parametrize("name", ACCOUNTED)
def test_every_entry_of_every_payload_is_accounted_for(name: str) -> None:
    payload_count, told, passed_over = ACCOUNTED[name]
    bodies = bodies_of(PAYLOADS / name)
    feed = parse_cloud_bodies(bodies, feed_name=name, received_at=NOW)
    assert len(bodies) == payload_count
    assert feed.entry_counts == told
    assert feed.passed_over == passed_over
    assert feed.rejected.is_empty()


def test_payloads_that_a_webhook_brings_tell_the_same_as_their_files(
    crm: Crm, tmp_path: Path
) -> None:
    files = sorted(PAYLOADS.iterdir())
    payloads = [body.value for path in files for body in bodies_of(path)]
    feeds = [parse_cloud_bodies(bodies_of(p), feed_name=p.name, received_at=NOW) for p in files]
    imported = ingest_feeds(feeds, crm=crm, imported_at=NOW, source="whatsapp_cloud")
    with served(tmp_path, environ={"CHATLIFT_SECRET_KEY": "A" * 43}) as at:
        made = at.client.post(
            "/api/v1/ingest/webhooks",
            json={"kind": "whatsapp_cloud", "secret": "app-secret"},
            headers=at.headers(Role.ADMIN),
        ).json()
        # Twice, and the second time the other way round.
        for payload in [*payloads, *payloads[::-1]]:
            raw = json.dumps(payload).encode()
            signature = hmac.new(b"app-secret", raw, hashlib.sha256).hexdigest()
            headers = {"X-Hub-Signature-256": f"sha256={signature}"}
            assert at.client.post(made["address"], content=raw, headers=headers).status_code == 200
        brought = at.workspace.crm
        assert read_deliveries(brought, now=at.service.clock()).read_count == 2 * len(payloads)
        told, expected = brought.read_history(), crm.read_history()
        assert brought.counts() == crm.counts()
        assert imported.rejected_count == 0
    columns = ["direction", "kind", "text", "sent_at"]
    assert (
        told.messages.select(columns)
        .sort(columns)
        .equals(expected.messages.select(columns).sort(columns))
    )
    assert told.observations.equals(expected.observations)


def test_all_payloads_are_written_once(crm: Crm) -> None:
    feeds = [
        parse_cloud_bodies(bodies_of(path), feed_name=path.name, received_at=NOW)
        for path in sorted(PAYLOADS.iterdir())
    ]
    first = ingest_feeds(feeds, crm=crm, imported_at=NOW, source="whatsapp_cloud")
    before = crm.read_history()
    again = ingest_feeds(feeds[::-1], crm=crm, imported_at=NOW, source="whatsapp_cloud")
    after = crm.read_history()
    # The fixtures reuse their ids: 41 messages and placeholders go by 12 ids.
    assert first.tables["messages"].total == 41
    assert first.tables["messages"].accepted == 12
    assert sum(counts.rejected for counts in first.tables.values()) == 0
    assert sum(counts.accepted for counts in again.tables.values()) == 0
    assert after.messages.equals(before.messages)
    assert after.facts.equals(before.facts)
