"""Ids made of what a message says."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from chatlift.sources.whatsapp_export.contents import Content
from chatlift.sources.whatsapp_export.message_ids import (
    MessageKey,
    message_key,
    numbered,
    parse_ids,
)
from chatlift.vocabulary import Direction

NOON = datetime(2024, 1, 15, 12, tzinfo=UTC)


def key(
    text: str | None = "ok",
    *,
    chat: str = "alex",
    at: datetime = NOON,
    direction: Direction = Direction.INBOUND,
    kind: str = "text",
) -> MessageKey:
    return message_key(chat, at, direction, Content(kind=kind, text=text))


def test_every_part_of_a_message_is_in_its_key() -> None:
    others = [
        key("no"),
        key(None, kind="deleted"),
        key(chat="bea"),
        key(at=NOON.replace(minute=1)),
        key(direction=Direction.OUTBOUND),
        key(kind="location"),
    ]
    assert len({key(), *others}) == 1 + len(others)


def test_an_export_with_media_and_one_without_agree() -> None:
    assert key("menu", kind="image") == key("menu", kind="media")


def test_the_second_of_two_equal_messages_has_an_id_of_its_own() -> None:
    ids = numbered([key(), key("no"), key()], [False] * 3)
    assert [i.ordinal for i in ids] == [0, 0, 1]
    assert len(set(map(str, ids))) == 3


@settings(deadline=None)
@given(texts=st.lists(st.sampled_from(["ok", "no"])), edited=st.booleans())
def test_an_id_is_read_back(texts: list[str], edited: bool) -> None:
    ids = numbered([key(text) for text in texts], [edited] * len(texts))
    assert parse_ids(map(str, ids)) == ids


def test_ids_of_another_making_are_left_out() -> None:
    assert parse_ids(["wamid.ABC", "", "a-b-0", "0" * 16 + "-i" + "0" * 16 + "-x"]) == []


def test_the_id_of_a_message_stays_as_it_is_from_release_to_release() -> None:
    # Stored ids are made by this rule: another rule would double every message.
    (message_id,) = numbered([key()], [False])
    assert str(message_id) == "019744865fa1e2cd-i6e1931fadba811e9-0"
