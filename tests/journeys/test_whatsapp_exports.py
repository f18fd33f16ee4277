"""Every line of the shared chat exports ends in one class, told file by file."""

from collections import Counter

import pytest
from benchmarks.real_data import folder

from chatlift.errors import InvalidInput
from chatlift.sources.whatsapp_export.day_order import DayOrder
from chatlift.sources.whatsapp_export.export import read_export

EXPORTS = folder() / "whatsapp_exports"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not EXPORTS.is_dir(),
        reason="the folder of real data sets is missing; CHATLIFT_REAL_DATA names it",
    ),
]

# File, who is the business, lines: message, continuation, system. None is blank or rejected, and
# the three add up to the lines of the file.
FILES = [
    ("chat-miner/test_ddmmyy_24hrs.txt", "John Doe", 7, 2, 2),
    ("chat-miner/test_mmddyyyy_12hrs.txt", "John Doe", 7, 2, 2),
    ("chat-miner/test_yyyymmdd_24hrs.txt", "John Doe", 7, 2, 2),
    ("locket/whatsapp_android.txt", "John", 6, 1, 2),
    ("locket/whatsapp_ios.txt", "John", 3, 0, 0),
    ("memoria_es/whatsapp_android.txt", "NICO", 4, 2, 0),
    ("rwhatsapp/sample.txt", "Johannes Gruber", 7, 2, 2),
    ("vibra/android.txt", "Alice", 4, 0, 3),
    ("vibra/eu-24h.txt", "Alice", 3, 0, 0),
    ("vibra/ios-ampm.txt", "Alice", 5, 1, 3),
    ("whatsapp-chat-parser-go/english_iphone-saved_contacts.txt", "Josh", 12, 3, 3),
    ("whatsapp-chat-parser-rb/sample.txt", "John Doe", 5, 4, 2),
    ("whatsapp-export-parser/WhatsApp Chat with Alex.txt", "MDOT", 4, 3, 1),
    ("whatsr/englishandroid24h.txt", "Bob", 42, 3, 8),
    ("whatsr/englishiosampm.txt", "Bob", 42, 1, 8),
    ("whatsr/germanandroidampm.txt", "Bob", 42, 0, 8),
    ("whatsr/germanios24h.txt", "Bob", 42, 0, 8),
    ("whatstk/lorem.txt", "John", 500, 0, 0),
    ("whatstk/pokemon.txt", "Misty", 18, 1, 2),
]
OPEN_DAY_ORDER = {
    "memoria_es/whatsapp_android.txt",
    "whatsapp-export-parser/WhatsApp Chat with Alex.txt",
}
"""One day each, 1/3/24 and 12/05/24: nothing in them tells the day from the month."""


@pytest.mark.parametrize(("name", "me", "message", "continuation", "system"), FILES)
def test_every_line_is_accounted_for(
    name: str, me: str, message: int, continuation: int, system: int
) -> None:
    path = EXPORTS / name
    day_order = DayOrder.DAY_FIRST if name in OPEN_DAY_ORDER else None

    feed = read_export(
        path, me=me, time_zone="Europe/Madrid", is_group_welcome=True, day_order=day_order
    )

    assert feed.line_counts == {
        "message": message,
        "continuation": continuation,
        "system": system,
        "rejected": 0,
        "blank": 0,
    }
    line_count = len(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"))
    assert sum(feed.line_counts.values()) == line_count
    entry_count = feed.records.messages.height + sum(feed.passed_over.values())
    assert entry_count == message + system


def test_the_list_holds_all_files() -> None:
    found = {path.relative_to(EXPORTS).as_posix() for path in EXPORTS.rglob("*.txt")}
    assert {name for name, *_ in FILES} == found


@pytest.mark.parametrize("name", sorted(OPEN_DAY_ORDER))
def test_a_day_order_that_stays_open_is_asked_for(name: str) -> None:
    with pytest.raises(InvalidInput, match="--day-first or --month-first"):
        read_export(EXPORTS / name, me="NICO", time_zone="UTC")


@pytest.mark.parametrize("name", ["englishandroid24h.txt", "germanandroidampm.txt"])
def test_the_same_chat_in_two_languages_has_the_same_kinds(name: str) -> None:
    feed = read_export(
        EXPORTS / "whatsr" / name, me="Bob", time_zone="Europe/Berlin", is_group_welcome=True
    )
    # One message, by Mallory's "Hey! :)", precedes Bob's first; all of Bob's go to somebody.
    assert Counter(feed.records.messages["kind"].to_list()) == {
        "text": 37,
        "location": 2,
        "audio": 1,
        "media": 1,
        "unsupported": 1,
    }
