"""One export as records."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.sources.whatsapp_export.exported import (
    ALEX,
    FORMATS,
    ME,
    MONTH_FIRST,
    Said,
    export_file,
    written,
)

from chatlift.errors import InvalidInput
from chatlift.records import CONTACTS, CONVERSATIONS, FACTS, MESSAGES
from chatlift.sources.feeds import REJECTED_ENTRIES, ParsedFeed
from chatlift.sources.whatsapp_export.contents import Content, content_of
from chatlift.sources.whatsapp_export.day_order import DayOrder
from chatlift.sources.whatsapp_export.export import OUT_TO_GROUP, read_export
from chatlift.sources.whatsapp_export.stamps import read_stamp
from chatlift.sources.whatsapp_export.wording import visible

CHAT = """\
13/01/2024, 09:00 - Messages and calls are end-to-end encrypted. Tap to learn more.
13/01/2024, 09:01 - Alex: Hi, do you have it
in blue?
13/01/2024, 09:05 - Shop: Yes! <This message was edited>
13/01/2024, 09:05 - Shop: <Media omitted>
13/07/2024, 10:00 - Alex: This message was deleted
30/02/2024, 10:00 - Alex: on a day there is not
"""


def read(folder: Path, text: str, name: str = "chat.txt") -> ParsedFeed:
    return read_export(export_file(folder, text, name), me=ME, time_zone="Europe/Madrid")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_an_export_becomes_one_contact_with_its_conversation(tmp_path: Path) -> None:
    feed = read(tmp_path, CHAT)
    (contact,) = feed.records.contacts.rows(named=True)
    assert (contact["name"], contact["phone"]) == ("Alex", None)
    assert contact["created_at"] == utc("2024-01-13 08:00")  # The notice opens the chat.
    (conversation,) = feed.records.conversations.rows(named=True)
    assert conversation["contact_external_id"] == contact["external_id"]


def test_messages_have_direction_kind_words_and_instant(tmp_path: Path) -> None:
    messages = read(tmp_path, CHAT).records.messages
    assert messages.select("direction", "kind", "text", "sent_at").rows() == [
        ("in", "text", "Hi, do you have it\nin blue?", utc("2024-01-13 08:01")),
        ("out", "text", "Yes!", utc("2024-01-13 08:05")),
        ("out", "media", None, utc("2024-01-13 08:05")),
        ("in", "deleted", None, utc("2024-07-13 08:00")),
    ]


def test_edits_and_deletions_are_known_from_the_exports_end_on(tmp_path: Path) -> None:
    feed = read(tmp_path, CHAT)
    ids = feed.records.messages["external_id"]
    assert feed.records.facts.rows() == [
        ("message", ids[1], "edited", "true", utc("2024-07-13 08:00")),
        ("message", ids[1], "edited_text", "Yes!", utc("2024-07-13 08:00")),
        ("message", ids[3], "deleted", "true", utc("2024-07-13 08:00")),
    ]


def test_entries_and_lines_add_up(tmp_path: Path) -> None:
    feed = read(tmp_path, CHAT)
    assert feed.line_counts == {
        "message": 4,
        "continuation": 1,
        "system": 1,
        "rejected": 1,
        "blank": 0,
    }
    assert dict(feed.passed_over) == {"encryption_notice": 1}
    assert feed.rejected.rows() == [
        (
            None,
            5,
            7,
            "",
            "30/02/2024, 10:00 - Alex: on a day there is not",
            "there is no such day or time",
            None,
        )
    ]


def test_the_span_is_of_the_entries_or_up_to_the_stated_export(tmp_path: Path) -> None:
    feed = read(tmp_path, CHAT)
    assert feed.observed_from == utc("2024-01-13 08:00")
    assert feed.observed_through == utc("2024-07-13 08:00")
    stated = read_export(
        tmp_path / "chat.txt", me=ME, time_zone="UTC", exported_at=utc("2024-08-01 00:00")
    )
    assert stated.observed_through == utc("2024-08-01 00:00")
    assert stated.records.facts["known_at"].to_list() == [utc("2024-08-01 00:00")] * 3


def test_a_contact_without_a_name_is_known_by_the_number(tmp_path: Path) -> None:
    feed = read(tmp_path, CHAT.replace("Alex", "+34 600 000 000"))
    assert feed.records.contacts.select("name", "phone").row(0) == (None, "+34600000000")


def test_a_chat_in_which_only_the_business_writes_names_its_contact(tmp_path: Path) -> None:
    feed = read(tmp_path, "13/01/2024, 09:05 - Shop: Hi\n", "WhatsApp Chat with Alex.txt")
    assert feed.records.contacts["name"].to_list() == ["Alex"]
    assert feed.records.messages["direction"].to_list() == ["out"]


def test_a_chat_without_messages_is_a_contact_without_messages(tmp_path: Path) -> None:
    text = "13/01/2024, 09:05 - Messages and calls are end-to-end encrypted.\n"
    feed = read(tmp_path, text, "WhatsApp Chat with Alex.txt")
    assert feed.records.contacts["name"].to_list() == ["Alex"]
    assert feed.records.messages.is_empty()
    with pytest.raises(InvalidInput, match="not tell to whom"):
        read(tmp_path, text)


def test_an_error_names_the_export_without_a_phone_number(tmp_path: Path) -> None:
    text = "01/02/2024, 09:05 - Alex: hi\n"
    with pytest.raises(InvalidInput, match=r"^WhatsApp Chat with \(number\).txt: The dates"):
        read(tmp_path, text, "WhatsApp Chat with +34 600 000 000.txt")
    (tmp_path / "Chat with Alex").mkdir()
    with pytest.raises(InvalidInput, match=r"^Chat with Alex/_chat.txt: The dates"):
        read(tmp_path / "Chat with Alex", text, "_chat.txt")


def test_in_a_group_the_business_speaks_to_who_spoke_last(tmp_path: Path) -> None:
    senders = [ME, "Alex", ME, "Bea", ME, ME]
    at = datetime.fromisoformat("2024-01-13 09:05")
    text = written(Said(at=at, sender=sender, text="hi") for sender in senders)
    feed = read_export(export_file(tmp_path, text), me=ME, time_zone="UTC", is_group_welcome=True)
    names = dict(feed.records.contacts.select("external_id", "name").rows())
    told = feed.records.messages.select("direction", "contact_external_id").rows()
    assert [(direction, names[contact]) for direction, contact in told] == [
        ("in", "Alex"),
        ("out", "Alex"),
        ("in", "Bea"),
        ("out", "Bea"),
        ("out", "Bea"),
    ]
    assert dict(feed.passed_over) == {OUT_TO_GROUP: 1}


def test_frames_have_the_schemas_of_records_even_where_empty(tmp_path: Path) -> None:
    feed = read(tmp_path, "13/01/2024, 09:05 - Alex: hi\n", "WhatsApp Chat with Alex.txt")
    records = feed.records
    assert records.contacts.schema == CONTACTS
    assert records.conversations.schema == CONVERSATIONS
    assert records.messages.schema == MESSAGES
    assert records.facts.schema == FACTS
    assert feed.rejected.schema == REJECTED_ENTRIES


def test_a_file_in_utf_16_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "wide.txt").write_bytes(CHAT.encode("utf-16"))
    wide = read_export(tmp_path / "wide.txt", me=ME, time_zone="Europe/Madrid")
    assert wide.records.messages.equals(read(tmp_path, CHAT).records.messages)


def is_plain(text: str) -> bool:
    """Tell whether a text comes back as it was written: it is no mark and begins no entry."""
    is_text = content_of(text) == Content(kind="text", text=text)
    return is_text and all(read_stamp(visible(line)) is None for line in text.split("\n"))


LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Cf"]) | st.sampled_from("\n\n: -<>[]/,.")
TEXTS = st.text(LETTERS, min_size=1, max_size=60).filter(is_plain)
MESSAGES_SAID = st.lists(
    st.builds(
        Said,
        # Not in the hours in which Madrid's clock is set: those have tests of their own.
        at=st.datetimes(
            datetime.fromisoformat("2015-01-01"), datetime.fromisoformat("2030-01-01")
        ).map(lambda at: at.replace(hour=at.hour | 4, microsecond=0)),
        sender=st.sampled_from([ALEX, ME]),
        text=TEXTS,
    ),
    min_size=1,
    max_size=12,
).map(lambda messages: sorted(messages, key=lambda m: m.at))


@pytest.mark.parametrize("form", FORMATS)
@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12
)
@given(messages=MESSAGES_SAID)
def test_what_a_phone_writes_is_read_back(tmp_path: Path, form: str, messages: list[Said]) -> None:
    opening = Said(at=messages[0].at, sender=ME, text="hi")
    path = export_file(tmp_path, written([opening, *messages], form))
    order = DayOrder.MONTH_FIRST if form in MONTH_FIRST else DayOrder.DAY_FIRST

    feed = read_export(path, me=ME, time_zone="Europe/Madrid", day_order=order)

    told = feed.records.messages[1:].select(
        pl.col("sent_at").dt.convert_time_zone("Europe/Madrid").dt.strftime("%Y-%m-%d %H:%M"),
        "direction",
        "text",
    )
    assert told.rows() == [
        (f"{m.at:%Y-%m-%d %H:%M}", "out" if m.sender == ME else "in", m.text) for m in messages
    ]
    assert feed.line_counts["rejected"] == feed.line_counts["system"] == 0


@pytest.mark.parametrize(
    "said",
    [
        " " * 90_000 + "x",
        "<" * 90_000,
        "\u200e" * 90_000,
        "a (" * 30_000,
        f"POLL:\n{' (1' * 30_000}\n{' (' + '1' * 90_000}",
        "\n".join(["   "] * 90_000),
    ],
    ids=["spaces", "brackets", "marks", "parentheses", "poll", "blank lines"],
)
def test_a_hostile_message_takes_no_longer_than_any_other(tmp_path: Path, said: str) -> None:
    # Each would take minutes by a pattern that goes back; the suite's time limit would show it.
    name = "\u200e" * 90_000 + "Alex"
    text = f"13/01/2024, 09:05 - {name}: hi\n13/01/2024, 09:05 - Alex: {said}\n"
    feed = read(tmp_path, text, "WhatsApp Chat with Alex.txt")
    assert feed.records.messages.height == 2
