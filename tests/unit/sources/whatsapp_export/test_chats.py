"""Chats read by one set of choices: impossible ones are refused before anything is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatlift.errors import InvalidInput
from chatlift.sources.whatsapp_export.chats import ChatChoices, chat_reader, read_chats

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHOICES = ChatChoices(me="Shop", time_zone="Europe/Madrid")
CHAT = "13/01/2024, 09:05 - {}: hi\n13/01/2024, 09:06 - Shop: hello\n"


def chat(folder: Path, name: str, text: str = CHAT) -> Path:
    path = folder / f"WhatsApp Chat with {name}.txt"
    path.write_text(text.format(name), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (replace(CHOICES, time_zone="Mars/Base"), "no IANA time zone"),
        (replace(CHOICES, exported_at=datetime(2026, 3, 1, 14)), "lies in the future"),  # noqa: DTZ001
        (replace(CHOICES, exported_at=datetime.max), "lies in the future"),  # noqa: DTZ901
        (replace(CHOICES, exported_at=datetime.min), "before there was WhatsApp"),  # noqa: DTZ901
        (replace(CHOICES, phone="+34600111222"), "told for 2 chats"),
    ],
    ids=["zone", "soon", "never", "before", "phone"],
)
def test_what_cannot_be_meant_is_refused(choices: ChatChoices, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        chat_reader(choices, chat_count=2, now=NOW)


def test_the_phones_clock_tells_how_far_a_chat_is_complete(tmp_path: Path) -> None:
    choices = replace(CHOICES, exported_at=datetime(2026, 3, 1, 12))  # noqa: DTZ001
    feed = chat_reader(choices, chat_count=1, now=NOW)(chat(tmp_path, "Ana"))
    assert feed.observed_through == datetime(2026, 3, 1, 11, tzinfo=UTC)


def test_of_several_chats_one_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    paths = [chat(tmp_path, "Ana"), chat(tmp_path, "Bad", "no date"), chat(tmp_path, "Cleo")]
    read = chat_reader(CHOICES, chat_count=3, now=NOW)
    told: list[InvalidInput] = []
    feeds = list(read_chats(paths, read, tell_refused=told.append))
    assert [feed.records.messages.height for feed in feeds] == [2, 0, 2]
    assert [feed.rejected.height for feed in feeds] == [0, 1, 0]
    assert len(told) == 1
    with pytest.raises(InvalidInput):
        list(read_chats(paths[1:2], read, tell_refused=told.append))
