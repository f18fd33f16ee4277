from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.webhooks import (
    ANNA,
    BERT,
    SHOP,
    cloud_body,
    cloud_message,
    cloud_status,
    echo,
    inbound,
    profile,
    status,
)

from chatlift.records import ALWAYS, SAME_PERSON
from chatlift.sources.feeds import ParsedFeed
from chatlift.sources.payloads import Body
from chatlift.sources.whatsapp_cloud import parse_cloud_bodies, read_cloud_webhooks

NOW = datetime(2026, 1, 1, tzinfo=UTC)
T = 1_700_000_000
AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
"""1,700,000,000 seconds after the epoch."""


def parsed(*values: Any) -> ParsedFeed:
    bodies = [Body(file_name="x.json", value=value) for value in values]
    return parse_cloud_bodies(bodies, feed_name="x.json", received_at=NOW)


def typed(kind: str, content: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """A body with one message of that type."""
    told = {"from": ANNA, "id": "m", "timestamp": str(T), "type": kind} | more
    return cloud_body({"messages": [told if content is None else told | {kind: content}]})


def facts(feed: ParsedFeed) -> set[tuple[Any, ...]]:
    return set(feed.records.facts.rows())


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("text", {"body": "hi"}, ("text", "hi")),
        ("image", {"id": "1"}, ("image", None)),
        ("video", {"caption": "look"}, ("video", "look")),
        ("document", {"filename": "a.pdf", "caption": "bill"}, ("document", "bill")),
        ("audio", {"voice": False}, ("audio", None)),
        ("audio", {"voice": True}, ("voice", None)),
        ("sticker", {"animated": True}, ("sticker", None)),
        ("location", {"latitude": 1.5, "name": "Home"}, ("location", None)),
        ("contacts", [{"name": {"first_name": "C"}}], ("contacts", None)),
        ("button", {"payload": "p", "text": "Yes"}, ("button", "Yes")),
        (
            "interactive",
            {"type": "list_reply", "list_reply": {"id": "1", "title": "Blue"}},
            ("interactive", "Blue"),
        ),
        (
            "interactive",
            {"type": "nfm_reply", "nfm_reply": {"body": "Sent", "name": "flow"}},
            ("interactive", "Sent"),
        ),
        ("interactive", None, ("interactive", None)),
        ("reaction", {"message_id": "x", "emoji": "👍"}, ("reaction", "👍")),
        ("order", {"text": "two, please", "product_items": []}, ("order", "two, please")),
        ("unsupported", None, ("unsupported", None)),
        ("hologram", {"depth": 3}, ("hologram", None)),
    ],
)
def test_every_kind_is_kept_with_its_words(kind: str, content: Any, told: tuple[str, Any]) -> None:
    feed = parsed(typed(kind, content))
    assert feed.records.messages.select("kind", "text").rows() == [told]
    assert feed.records.messages.row(0, named=True) | {"kind": "", "text": ""} == {
        "external_id": "m",
        "contact_external_id": ANNA,
        "conversation_external_id": None,
        "direction": "in",
        "kind": "",
        "text": "",
        "sent_at": AT,
        "is_automatic": False,
    }
    assert (feed.observed_from, feed.observed_through) == (AT, AT)


def test_a_contact_has_the_name_and_phone_told_and_begins_when_first_seen() -> None:
    feed = parsed(inbound("m2", T + 60), inbound("m1", T))
    assert feed.records.contacts.rows() == [(ANNA, "Anna", f"+{ANNA}", AT, None)]


def test_a_contact_without_a_number_goes_by_its_user_id() -> None:
    message = cloud_message("m", T) | {"from": None, "from_user_id": "DE.7"}
    feed = parsed(cloud_body({"messages": [message]}))
    assert feed.records.contacts.select("external_id", "phone").rows() == [("DE.7", None)]
    named = parsed(cloud_body({"messages": [message], "contacts": [profile(user_id="DE.7")]}))
    assert named.records.contacts["external_id"].to_list() == [ANNA]
    assert facts(named) == {("contact", ANNA, SAME_PERSON, "DE.7", ALWAYS)}


def test_a_status_is_a_dated_fact_of_a_message_that_is_known_only_to_exist() -> None:
    feed = parsed(status("s", T, "sent"), status("s", T + 5, "played"))
    rows = feed.records.messages.select("external_id", "direction", "kind", "text").rows()
    assert rows == [("s", "out", "untold", None)] * 2
    assert {row[3] for row in facts(feed)} == {"sent", "played"}
    assert feed.records.contacts["external_id"].to_list() == [ANNA]
    assert feed.entry_counts == {"status": 2}


def test_a_failure_keeps_its_code() -> None:
    failed = cloud_status("s", T, "failed") | {"errors": [{"code": 131049, "title": "x"}]}
    feed = parsed(cloud_body({"statuses": [failed]}))
    assert facts(feed) == {
        ("message", "s", "status", "failed", AT),
        ("message", "s", "failure_code", "131049", AT),
    }


def test_what_the_business_writes_in_its_app_is_outbound() -> None:
    feed = parsed(echo("e", T))
    row = feed.records.messages.row(0, named=True)
    assert (row["direction"], row["contact_external_id"], row["text"]) == ("out", ANNA, "hi Anna")


def test_edits_and_deletions_are_facts_of_the_message_they_change() -> None:
    edit = {
        "original_message_id": "m0",
        "message": {"type": "image", "image": {"caption": "new words"}},
    }
    revoke = {"original_message_id": "m0"}
    feed = parsed(typed("edit", edit), typed("revoke", revoke))
    assert facts(feed) == {
        ("message", "m0", "edited", "true", AT),
        ("message", "m0", "edited_text", "new words", AT),
        ("message", "m0", "deleted", "true", AT),
    }
    assert set(feed.records.messages["external_id"]) == {"m0"}


def test_an_ad_that_led_here_is_known_from_its_message_on() -> None:
    message = cloud_message("m", T, referral={"source_type": "ad", "source_id": "9", "x": 1})
    feed = parsed(cloud_body({"messages": [message]}))
    assert facts(feed) == {
        ("contact", ANNA, "referral_source_type", "ad", AT),
        ("contact", ANNA, "referral_source_id", "9", AT),
    }


def test_stopping_marketing_is_an_opt_out_until_it_is_resumed() -> None:
    def preference(value: str, at: int) -> dict[str, Any]:
        told = {"wa_id": ANNA, "category": "marketing_messages", "value": value, "timestamp": at}
        return cloud_body({"user_preferences": [told]}, field="user_preferences")

    feed = parsed(preference("stop", T), preference("resume", T + 9), preference("nap", T))
    rows = feed.records.facts.select("name", "value").rows()
    assert rows == [("opted_out", "true"), ("opted_out", "false")]
    assert feed.passed_over == {"user preference": 1}


def test_a_changed_number_ties_the_two_contacts() -> None:
    system = {"type": "user_changed_number", "wa_id": BERT, "body": "changed"}
    feed = parsed(typed("system", system), typed("system", {"type": "identity"}))
    assert facts(feed) == {("contact", ANNA, SAME_PERSON, BERT, ALWAYS)}
    assert feed.entry_counts == {"number change": 1}
    assert feed.passed_over == {"system": 1}
    assert feed.records.messages.is_empty()


def test_synchronised_history_tells_who_wrote_and_a_status_known_by_now() -> None:
    ours = {"from": SHOP, "id": "h1", "timestamp": str(T), "type": "text", "text": {"body": "a"}}
    theirs = ours | {"from": ANNA, "id": "h2", "history_context": {"status": "READ"}}
    placed = ours | {"id": "h3", "type": "media_placeholder", "history_context": {"status": "READ"}}
    chunk = {
        "metadata": {"phase": 0},
        "threads": [{"id": ANNA, "messages": [ours, theirs, placed]}],
    }
    feed = parsed(cloud_body({"history": [chunk, {"errors": []}]}, field="history"))
    rows = feed.records.messages.select("external_id", "direction", "kind").rows()
    assert rows == [("h1", "out", "text"), ("h2", "in", "text"), ("h3", "out", "media_placeholder")]
    assert facts(feed) == {("message", "h3", "status", "read", NOW)}
    assert set(feed.records.messages["contact_external_id"]) == {ANNA}
    assert feed.passed_over == {"history without threads": 1}


def test_media_of_the_history_come_by_themselves() -> None:
    media = {"from": SHOP, "to": ANNA, "id": "h3", "timestamp": str(T), "type": "image"}
    feed = parsed(cloud_body({"messages": [media | {"image": {"id": "1"}}]}, field="history"))
    row = feed.records.messages.row(0, named=True)
    assert (row["direction"], row["contact_external_id"], row["kind"]) == ("out", ANNA, "image")


def test_the_address_book_names_contacts() -> None:
    def item(action: str) -> dict[str, Any]:
        contact = {"full_name": "Anna A", "phone_number": ANNA}
        at = {"timestamp": str(T)}
        return {"type": "contact", "contact": contact, "action": action, "metadata": at}

    told = {"state_sync": [item("add"), item("remove")]}
    feed = parsed(cloud_body(told, field="smb_app_state_sync"))
    assert feed.records.contacts.rows() == [(ANNA, "Anna A", f"+{ANNA}", AT, None)]
    assert feed.passed_over == {"address removed": 1}


def test_a_bad_entry_is_refused_alone_with_its_place_and_reason() -> None:
    good = cloud_message("m", T)
    bad = [
        good | {"timestamp": "soon"},
        good | {"id": None},
        good | {"from": None},
        "no object",
        good | {"timestamp": "9" * 40},
        good | {"text": {"body": ["a"]}},
    ]
    feed = parsed(cloud_body({"messages": [good, *bad, good]}))
    assert feed.entry_counts == {"message": 2}
    assert feed.rejected.select("entry_number", "column", "value").rows() == [
        (1, "timestamp", "soon"),
        (2, "id", None),
        (3, "from", None),
        (4, "messages", None),
        (5, "timestamp", "9" * 40),
        (6, "body", None),
    ]


@pytest.mark.parametrize(
    "body", [None, 3, "x", [], {}, {"entry": 3}, {"entry": [3]}, {"entry": [{"changes": {}}]}]
)
def test_what_is_no_webhook_is_one_refused_entry(body: Any) -> None:
    feed = parsed(body)
    assert feed.rejected.height == 1
    assert feed.rejected["reason"].str.len_chars().min() > 10


def test_text_that_no_database_keeps_is_mended() -> None:
    feed = parsed(json.loads(json.dumps(inbound("m", T, "a\ud83d b\0"))))
    assert feed.records.messages["text"].to_list() == ["a\ufffd b"]


def test_a_long_file_is_handed_on_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "hooks.jsonl"
    lines = [json.dumps(inbound(f"m{n}", T + n)) for n in range(5)]
    path.write_text("\n".join([*lines[:2], "{broken", *lines[2:]]), encoding="utf-8")
    feeds = list(read_cloud_webhooks(path, received_at=NOW, bodies_at_once=2))
    assert [feed.records.messages.height for feed in feeds] == [2, 1, 2]
    assert [feed.rejected["line_number"].to_list() for feed in feeds] == [[], [3], []]
