from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.webhooks import ANNA, BERT, chatwoot_contact, chatwoot_message

from chatlift.errors import InvalidInput
from chatlift.sources.chatwoot import parse_chatwoot_bodies
from chatlift.sources.feeds import ParsedFeed, refused_feed, with_phone
from chatlift.sources.payloads import Body

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def feed_of(*phones: str | None) -> ParsedFeed:
    """A feed that tells one contact per phone."""
    events = [
        {"event": "contact_created"} | chatwoot_contact(number, phone)
        for number, phone in enumerate(phones)
    ]
    bodies = [Body(file_name="x", value=event) for event in events]
    return parse_chatwoot_bodies(bodies, feed_name="x.json", received_at=NOW)


def test_a_phone_is_told_where_the_feed_has_none() -> None:
    assert with_phone(feed_of(None), BERT).records.contacts["phone"].to_list() == [BERT]
    assert with_phone(feed_of(ANNA), BERT).records.contacts["phone"].to_list() == [ANNA]


@pytest.mark.parametrize("phones", [(), (None, None)])
def test_a_phone_belongs_to_one_contact(phones: tuple[None, ...]) -> None:
    with pytest.raises(InvalidInput, match=f"of {len(phones)} contacts"):
        with_phone(feed_of(*phones), BERT)


def test_a_refused_feed_tells_its_reason_and_nothing_else() -> None:
    feed = refused_feed("a.zip", "it is no zip")
    assert feed.rejected.rows() == [(None, 0, None, "", None, "it is no zip", None)]
    assert feed.records.messages.is_empty()


def test_a_phone_leaves_the_rest_of_the_feed_alone() -> None:
    body = Body(file_name="x", value=chatwoot_message(5, 1_700_000_000))
    feed = parse_chatwoot_bodies([body], feed_name="x.json", received_at=NOW)
    assert with_phone(feed, BERT).records.messages.equals(feed.records.messages)
