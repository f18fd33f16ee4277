from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.webhooks import ANNA, chatwoot_contact, chatwoot_message

from chatlift.records import ALWAYS, CHANNEL_MESSAGE_ID
from chatlift.sources.chatwoot import parse_chatwoot_bodies, read_chatwoot_webhooks
from chatlift.sources.feeds import ParsedFeed
from chatlift.sources.payloads import Body

NOW = datetime(2026, 1, 1, tzinfo=UTC)
T = 1_700_000_000
AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
"""1,700,000,000 seconds after the epoch."""


def parsed(*events: Any) -> ParsedFeed:
    bodies = [Body(file_name="x.json", value=event) for event in events]
    return parse_chatwoot_bodies(bodies, feed_name="x.json", received_at=NOW)


def facts(feed: ParsedFeed) -> set[tuple[Any, ...]]:
    return set(feed.records.facts.rows())


def conversation(event: str, **more: Any) -> dict[str, Any]:
    told = {"event": event, "id": 3, "status": "open", "created_at": T}
    return told | {"meta": {"sender": chatwoot_contact()}} | more


def test_a_message_tells_contact_conversation_and_itself() -> None:
    feed = parsed(chatwoot_message(5, T))
    assert feed.records.contacts.rows() == [("7", "Anna", f"+{ANNA}", AT, None)]
    assert feed.records.conversations.rows() == [("3", "7", AT)]
    row = ("5", "7", "3", "in", "text", "hello", AT, False)
    assert feed.records.messages.rows() == [row]
    assert (feed.observed_from, feed.observed_through) == (AT, AT)


@pytest.mark.parametrize(
    "written", [T, str(T), "2023-11-14T22:13:20.000Z", "2023-11-14 22:13:20 UTC"]
)
def test_instants_are_read_as_every_version_writes_them(written: Any) -> None:
    feed = parsed(chatwoot_message(5, T, created_at=written))
    assert feed.records.messages["sent_at"].to_list() == [AT]


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [
        ("incoming", {}, ("in", False)),
        (0, {}, ("in", False)),
        ("outgoing", {}, ("out", False)),
        ("outgoing", {"sender": {"id": 2, "type": "agent_bot"}}, ("out", True)),
        ("outgoing", {"sender": None}, ("out", False)),
        ("outgoing", {"content_attributes": {"automation_rule_id": 4}}, ("out", True)),
        ("template", {}, ("out", True)),
    ],
)
def test_who_wrote_tells_direction_and_whether_by_a_rule(
    kind: Any, more: dict[str, Any], told: tuple[str, bool]
) -> None:
    feed = parsed(chatwoot_message(5, T, **({"message_type": kind} | more)))
    assert feed.records.messages.select("direction", "is_automatic").rows() == [told]


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"content_type": None}, "text"),
        ({"content_type": "input_select"}, "interactive"),
        ({"content_type": "article"}, "article"),
        ({"attachments": [{"file_type": "image"}], "content": None}, "image"),
        ({"attachments": [{"file_type": "file"}]}, "document"),
        ({"additional_attributes": {"template_params": {"name": "x"}}}, "template"),
    ],
)
def test_kinds_have_the_words_of_the_other_sources(more: dict[str, Any], kind: str) -> None:
    feed = parsed(chatwoot_message(5, T, **more))
    assert feed.records.messages["kind"].to_list() == [kind]


def test_notes_and_activities_are_no_messages_to_the_contact() -> None:
    note = chatwoot_message(5, T, kind="outgoing", private=True)
    feed = parsed(note, chatwoot_message(6, T, kind="activity"), {"event": "webwidget_triggered"})
    assert feed.passed_over == {"private note": 1, "activity": 1, "webwidget_triggered": 1}
    assert feed.records.messages.is_empty()
    assert feed.records.contacts.is_empty()


def test_a_deleted_message_keeps_no_words_of_its_own() -> None:
    deleted = chatwoot_message(
        5,
        T,
        "This message was deleted",
        event="message_updated",
        content_attributes={"deleted": True},
        conversation=chatwoot_message(5, T)["conversation"] | {"updated_at": T + 60.5},
    )
    feed = parsed(deleted)
    assert feed.records.messages.select("kind", "text").rows() == [("untold", None)]
    deleted_at = AT + timedelta(seconds=60.5)
    assert facts(feed) == {("message", "5", "deleted", "true", deleted_at)}


def test_the_channels_own_id_is_kept_to_know_the_message_again() -> None:
    feed = parsed(chatwoot_message(5, T, source_id="wamid.x"))
    assert facts(feed) == {("message", "5", CHANNEL_MESSAGE_ID, "wamid.x", ALWAYS)}


def test_a_contact_without_a_date_is_known_since_it_was_received() -> None:
    event = {"event": "contact_created", "custom_attributes": {"plan": "gold", "vip": True}}
    feed = parsed(event | chatwoot_contact())
    assert feed.records.contacts["created_at"].to_list() == [NOW]
    assert facts(feed) == {
        ("contact", "7", "plan", "gold", NOW),
        ("contact", "7", "vip", "true", NOW),
    }


def test_an_update_dates_what_it_tells() -> None:
    change = {"updated_at": {"previous_value": None, "current_value": "2023-11-14T22:13:20Z"}}
    event = {"event": "contact_updated", "changed_attributes": [change]}
    feed = parsed(event | chatwoot_contact() | {"custom_attributes": {"plan": "gold"}})
    assert facts(feed) == {("contact", "7", "plan", "gold", AT)}


def test_a_conversation_tells_its_status_and_new_labels() -> None:
    changes = [
        {"status": {"previous_value": "open", "current_value": "resolved"}},
        {"label_list": {"previous_value": ["vip"], "current_value": ["vip", "paid"]}},
        {"updated_at": {"previous_value": T, "current_value": T + 60}},
    ]
    event = conversation(
        "conversation_status_changed", status="resolved", changed_attributes=changes
    )
    feed = parsed(conversation("conversation_created"), event)
    later = AT + timedelta(seconds=60)
    assert facts(feed) == {
        ("contact", "7", "conversation_status", "resolved", later),
        ("contact", "7", "tag", "paid", later),
    }
    assert feed.records.conversations.rows() == [("3", "7", AT)]
    assert feed.entry_counts == {"conversation": 2}


def test_an_old_event_names_its_contact_elsewhere() -> None:
    bare = {"display_id": 3}
    named = chatwoot_message(5, T, kind="outgoing", conversation=bare, contact={"id": 7})
    wrote = chatwoot_message(6, T, conversation=bare)
    nobody = chatwoot_message(8, T, kind="outgoing", conversation=bare)
    feed = parsed(named, wrote, nobody)
    assert feed.records.messages["contact_external_id"].to_list() == ["7", "7"]
    assert feed.rejected.select("entry_number", "column").rows() == [(2, "id")]


@pytest.mark.parametrize(
    "event",
    [
        None,
        3,
        [],
        {},
        {"event": 3.5} | {"event": ["x"]},
        chatwoot_message(5, T, kind="telepathy"),
        chatwoot_message(5, T, conversation=None),
        chatwoot_message(5, T, created_at=None),
        {"event": "contact_created"},
        conversation("conversation_created", meta=[]),
    ],
)
def test_what_cannot_be_used_is_refused_alone(event: Any) -> None:
    feed = parsed(event, chatwoot_message(5, T))
    assert feed.rejected.height == 1
    assert feed.records.messages.height == 1


def test_files_of_events_are_read(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    events = [chatwoot_message(n, T + n) for n in range(3)]
    path.write_text(json.dumps(events), encoding="utf-8")
    feeds = list(read_chatwoot_webhooks(path, received_at=NOW, bodies_at_once=2))
    assert [feed.records.messages.height for feed in feeds] == [2, 1]
