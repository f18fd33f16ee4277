"""Overlapping exports of one chat: nothing doubled, two equal messages of a minute stay two."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.unit.sources.whatsapp_export.exported import ALEX, ME, Said, export_file, written

from chatlift.sources.feeds import ParsedFeed
from chatlift.sources.whatsapp_export.alignment import aligned
from chatlift.sources.whatsapp_export.export import read_export

START = datetime.fromisoformat("2024-01-15 12:00")


class Store:
    """Keeps what the database would: each id once, in the order of `sent_at`, then of writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[tuple[datetime, int, str, str]] = []
        self.texts: dict[str, str | None] = {}

    def take(self, messages: Sequence[Said], form: str = "android, British") -> ParsedFeed:
        path = export_file(self.folder, written(messages, form))
        feed = read_export(path, me=ME, time_zone="Europe/Madrid")
        feed = aligned(feed, self.known_ids())
        for row in feed.records.messages.iter_rows(named=True):
            if row["external_id"] not in self.texts:
                self.texts[row["external_id"]] = row["text"]
                place = (row["sent_at"], len(self.rows))
                self.rows.append((*place, row["contact_external_id"], row["external_id"]))
        return feed

    def known_ids(self) -> dict[str, list[str]]:
        known: dict[str, list[str]] = {}
        for *_, contact_id, message_id in sorted(self.rows):
            known.setdefault(contact_id, []).append(message_id)
        return known

    @property
    def ids(self) -> set[str]:
        return set(self.texts)


def chat(*texts: str, minutes: Sequence[int] | None = None) -> list[Said]:
    """Return what Alex says, all in one minute unless told."""
    at = [START + timedelta(minutes=m) for m in minutes or [0] * len(texts)]
    return [Said(at=a, sender=ALEX, text=text) for a, text in zip(at, texts, strict=True)]


def test_the_same_export_again_says_nothing_new(tmp_path: Path) -> None:
    store = Store(tmp_path)
    messages = chat("ok", "ok", "fine", "ok", minutes=[0, 0, 0, 1])
    store.take(messages)
    store.take(messages)
    assert len(store.ids) == 4


def test_two_equal_messages_of_a_minute_stay_two_where_an_export_begins_between_them(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    whole = chat("ok", "sure", "ok", "ok", "bye", minutes=[0, 0, 0, 0, 1])
    store.take(whole[:3])
    # By count alone, the two "ok" of "sure, ok, ok" would be the two that are known.
    store.take(whole[1:])
    assert sorted(filter(None, store.texts.values())) == ["bye", "ok", "ok", "ok", "sure"]


def test_the_older_export_may_come_last(tmp_path: Path) -> None:
    store, whole_store = Store(tmp_path), Store(tmp_path)
    whole = chat("hi", "ok", "sure", "ok", "ok", "bye", minutes=[0, 1, 1, 1, 1, 2])
    store.take(whole[2:])
    store.take(whole[:4])
    whole_store.take(whole)
    assert store.ids == whole_store.ids


@pytest.mark.parametrize("form", ["ios, German", "android, American"])
def test_exports_of_both_kinds_of_phone_agree(tmp_path: Path, form: str) -> None:
    store = Store(tmp_path)
    messages = [
        Said(at=START + timedelta(days=10, seconds=s), sender=ALEX, text=str(s)) for s in (5, 50)
    ]
    store.take(messages, form)
    store.take(messages, "android, Japanese")
    assert len(store.ids) == 2


def test_a_message_deleted_since_keeps_its_id_and_first_words(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.take(chat("hi", "oops", "bye", minutes=[0, 1, 2]))
    feed = store.take(chat("hi", "This message was deleted", "bye", minutes=[0, 1, 2]))
    assert sorted(filter(None, store.texts.values())) == ["bye", "hi", "oops"]
    (deleted_id,) = feed.records.facts["subject_external_id"]
    assert store.texts[deleted_id] == "oops"


def test_the_export_from_before_the_deletion_may_come_last(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.take(chat("hi", "This message was deleted", "bye", minutes=[0, 1, 2]))
    store.take(chat("hi", "oops", "bye", minutes=[0, 1, 2]))
    assert len(store.ids) == 3


@pytest.mark.parametrize("edited_first", [True, False])
def test_a_message_edited_between_two_exports_is_one(tmp_path: Path, edited_first: bool) -> None:
    store = Store(tmp_path)
    before = chat("hi", "see you at 5", "bye", minutes=[0, 1, 2])
    after = chat("hi", "see you at 6 <This message was edited>", "bye", minutes=[0, 1, 2])
    order = (after, before) if edited_first else (before, after)
    told = [store.take(messages).records.facts for messages in order]
    assert len(store.ids) == 3
    facts = told[order.index(after)]
    assert facts["value"].to_list() == ["true", "see you at 6"]
    assert set(facts["subject_external_id"]) <= store.ids


def test_a_new_message_in_the_minute_of_a_known_one_is_new(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.take(chat("hi", "see you"))
    store.take(chat("hi", "see you", "at 5"))
    assert len(store.ids) == 3


def test_an_export_with_media_completes_one_without(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.take(chat("<Media omitted>", "<Media omitted>", "nice?"))
    store.take(chat("IMG-1.jpg (file attached)", "VID-1.mp4 (file attached)", "nice?"))
    assert len(store.ids) == 3


def test_a_chat_in_the_repeated_hour_is_known_again_from_any_line_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    at = [datetime.fromisoformat(f"2024-10-27 02:{m}") for m in (10, 50, 10, 50)]
    messages = [Said(at=a, sender=ALEX, text=text) for a, text in zip(at, "abcd", strict=True)]
    store.take(messages)
    store.take(messages[2:])
    assert len(store.ids) == 4


def test_a_group_keeps_each_contacts_messages_apart(tmp_path: Path) -> None:
    path = export_file(
        tmp_path,
        written(Said(at=START, sender=name, text="ok") for name in (ALEX, "Bea", ME, ALEX)),
    )
    feed = read_export(path, me=ME, time_zone="UTC", is_group_welcome=True, day_order=None)
    again = aligned(feed, _ids_by_contact(feed))
    assert again.records.messages.equals(feed.records.messages)
    assert feed.records.messages["external_id"].n_unique() == 4


def _ids_by_contact(feed: ParsedFeed) -> dict[str, list[str]]:
    rows = feed.records.messages.select("contact_external_id", "external_id").rows()
    return {contact: [i for c, i in rows if c == contact] for contact, _ in rows}


def test_a_hostile_minute_is_matched_by_count(tmp_path: Path) -> None:
    store = Store(tmp_path)
    messages = chat(*["ok"] * 3_000)
    store.take(messages)
    store.take(messages)
    assert len(store.ids) == 3_000
    store.take(chat(*["This message was deleted"] * 3_000))
    assert len(store.ids) == 6_000


@st.composite
def told_chats(draw: st.DrawFn) -> list[Said]:
    """A chat of both sides in which words repeat within the minute."""
    steps = draw(st.lists(st.sampled_from([0, 0, 0, 1, 7]), min_size=2, max_size=24))
    words = st.sampled_from(["ok", "no", "sure\nthing", "<Media omitted>"])
    at, messages = START, []
    for step in steps:
        at += timedelta(minutes=step)
        messages.append(Said(at=at, sender=draw(st.sampled_from([ALEX, ME])), text=draw(words)))
    return [
        Said(at=START - timedelta(minutes=1), sender=ME, text="start"),
        Said(at=START - timedelta(minutes=1), sender=ALEX, text="start"),
        *messages,
    ]


def whole_minutes(messages: Sequence[Said], first: int, last: int) -> list[Said]:
    """Return the messages of the minutes in which the first and the last stand."""
    return [m for m in messages if messages[first].at <= m.at <= messages[last].at]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_exports_of_whole_minutes_in_any_order_give_the_ids_of_one_export(
    tmp_path: Path, data: st.DataObject
) -> None:
    messages = data.draw(told_chats())
    places = st.integers(0, len(messages) - 1)
    spans = [sorted(span) for span in data.draw(st.lists(st.tuples(places, places), max_size=4))]
    spans.append([0, len(messages) - 1])
    parts = [whole_minutes(messages, *span) for span in data.draw(st.permutations(spans))]
    told = [part for part in parts if has_both(part)]
    assert ids_after(tmp_path, told) == ids_after(tmp_path, [messages])


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_exports_cut_anywhere_that_share_a_message_of_its_own_give_the_ids_of_one_export(
    tmp_path: Path, data: st.DataObject
) -> None:
    messages = data.draw(told_chats())
    at = data.draw(st.integers(2, len(messages) - 1))
    # Both exports hold this one; nothing else in its minute reads the same.
    messages[at] = replace(messages[at], text="a word of its own")
    first = data.draw(st.integers(0, at))
    last = data.draw(st.integers(at, len(messages) - 1))
    parts = data.draw(st.permutations([messages[: last + 1], messages[first:]]))
    assume(all(has_both(part) for part in parts))
    assert ids_after(tmp_path, parts) == ids_after(tmp_path, [messages])


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_monthly_exports_cut_anywhere_give_the_ids_of_one_export(
    tmp_path: Path, data: st.DataObject
) -> None:
    messages = data.draw(told_chats())
    one, two = sorted(data.draw(st.tuples(*[st.integers(2, len(messages) - 1)] * 2)))
    for at, text in ((one, "a word of its own"), (two, "another")):
        messages[at] = replace(messages[at], text=text)
    starts = [0, data.draw(st.integers(0, one)), data.draw(st.integers(0, two))]
    ends = [data.draw(st.integers(one, two)), data.draw(st.integers(two, len(messages) - 1))]
    spans = zip(starts, [*ends, len(messages)], strict=True)
    parts = [messages[start : end + 1] for start, end in spans]
    assume(all(has_both(part) for part in parts))
    assert ids_after(tmp_path, parts) == ids_after(tmp_path, [messages])


def has_both(part: Sequence[Said]) -> bool:
    return {m.sender for m in part} >= {ALEX, ME}


def ids_after(folder: Path, parts: Sequence[Sequence[Said]]) -> set[str]:
    store = Store(folder)
    for part in parts:
        store.take(part)
    return store.ids
