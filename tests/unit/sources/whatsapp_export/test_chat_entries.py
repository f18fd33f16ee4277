"""Every line of an export in one class; senders, system lines and refused entries told apart."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlift.errors import InvalidInput
from chatlift.sources.whatsapp_export.chat_entries import (
    LONGEST_LINE,
    Entry,
    LineClass,
    plain_name,
    read_entries,
)
from chatlift.sources.whatsapp_export.day_order import DayOrder
from chatlift.sources.whatsapp_export.wording import visible

HEAD = "29/01/2018, 11:25 - "
IOS = "[29/01/2018, 11:25:03] "


def entries(*lines: str) -> list[Entry]:
    return list(read_entries(lines, day_order=None).entries)


def only(*lines: str) -> Entry:
    (entry,) = entries(*lines)
    return entry


def said(entry: Entry) -> tuple[str | None, str | None]:
    return entry.sender, None if entry.content is None else entry.content.text


def counts(*lines: str) -> dict[str, int]:
    told = read_entries(lines, day_order=None).line_counts
    return {name: count for name, count in told.items() if count}


LINES = st.one_of(
    st.text(max_size=40),
    st.builds(
        "{}/{}/{}, {}:{:02d} - {}".format,
        st.integers(0, 40),
        st.integers(0, 40),
        st.sampled_from([18, 2018, 9999, 201]),
        st.integers(0, 30),
        st.integers(0, 70),
        st.text(max_size=20),
    ),
    st.builds(lambda text: f"{IOS}Alex: {text}", st.text(max_size=20)),
    st.just(f"{IOS}Alex: \u200eMessages and calls are end-to-end encrypted."),
    st.just(""),
)


@settings(deadline=None)
@given(st.lists(LINES.map(lambda line: line.replace("\n", "")), max_size=30))
def test_every_line_ends_in_exactly_one_class(lines: list[str]) -> None:
    everything = [f"{HEAD}Alex: hi", *lines]
    read = read_entries(everything, day_order=DayOrder.DAY_FIRST)

    assert set(read.line_counts) == {str(line_class) for line_class in LineClass}
    assert sum(read.line_counts.values()) == len(everything)
    # Where most lines have another shape of date, the first is none; blank lines may follow it
    # above the first entry, and belong to none.
    of_entries = Counter(line for entry in read.entries for line in entry.lines)
    assert not of_entries - Counter(everything)
    assert not any(visible(line).strip() for line in Counter(everything) - of_entries)
    for entry in read.entries:
        outcomes = [entry.sender, entry.category, entry.reason]
        assert [outcome is not None for outcome in outcomes].count(True) == 1


def test_lines_without_a_stamp_go_on_with_the_message() -> None:
    lines = [f"{HEAD}Alex: one", "two", "", "  four: 4", f"{HEAD}Bea: five"]
    assert [said(entry) for entry in entries(*lines)] == [
        ("Alex", "one\ntwo\n\n  four: 4"),
        ("Bea", "five"),
    ]
    assert counts(*lines) == {"message": 2, "continuation": 3}


def test_what_stands_above_the_first_stamp_is_refused_unless_blank() -> None:
    lines = ["", "Chat history", f"{HEAD}Alex: hi"]
    assert counts(*lines) == {"blank": 1, "rejected": 1, "message": 1}
    assert entries(*lines)[0].reason == (
        "it stands above the first line that begins with a date and time"
    )


def test_a_day_or_time_there_is_not_refuses_the_entry_with_its_lines() -> None:
    lines = [f"{HEAD}Alex: hi", "30/02/2018, 11:25 - Alex: never", "more of it"]
    assert counts(*lines) == {"message": 1, "rejected": 2}
    assert counts(f"{HEAD}Alex: hi", "29/01/2018, 25:25 - Alex: never") == {
        "message": 1,
        "rejected": 1,
    }
    assert entries(*lines)[1].reason == "there is no such day or time"


def test_an_overlong_line_refuses_its_entry_and_no_other() -> None:
    lines = [f"{HEAD}Alex: {'a' * LONGEST_LINE}", f"{HEAD}Bea: hi"]
    assert counts(*lines) == {"rejected": 1, "message": 1}


def test_a_file_without_stamps_is_no_export() -> None:
    with pytest.raises(InvalidInput, match=r"None of the 2 lines.*Export the chat anew"):
        entries("just", "words")


def test_a_piece_of_another_export_in_a_message_stays_in_it() -> None:
    pasted = "[28/01/2018, 10:00:00] Carol: pasted"
    lines = [*[f"{HEAD}Alex: hi"] * 10, pasted]
    assert counts(*lines) == {"message": 10, "continuation": 1}
    # As many lines as the chat's own are no piece of a message: two exports stand in one file.
    assert counts(f"{HEAD}Alex: hi", pasted) == {"message": 2}


@pytest.mark.parametrize(
    ("line", "sender", "text"),
    [
        (f"{HEAD}Alex: price: 5", "Alex", "price: 5"),
        (f"{HEAD}+34 600 00 00 00: hi", "+34 600 00 00 00", "hi"),
        (f"{HEAD}\u202a+34 600 00 00 00\u202c: hi", "+34 600 00 00 00", "hi"),
        (f"\ufeff\u200e{HEAD}Alex: \u200ehi", "Alex", "hi"),
        (f"{IOS}~\u202fAlex B.: hi", "Alex B.", "hi"),
        (f'{HEAD}Alex "Al" Bo: hi', 'Alex "Al" Bo', "hi"),
        (f"{HEAD}Alex:", "Alex", None),
        (f"{IOS}Alex: h\0i", "Alex", "hi"),
    ],
)
def test_the_sender_stands_before_the_first_colon(line: str, sender: str, text: str | None) -> None:
    assert said(only(line)) == (sender, text)


def test_a_known_sender_needs_no_space_after_the_colon() -> None:
    lines = [f"{HEAD}Alex: hi", f"{HEAD}Alex:.", f"{HEAD}Bea:."]
    assert [entry.sender for entry in entries(*lines)] == ["Alex", "Alex", None]


@pytest.mark.parametrize(
    ("line", "category"),
    [
        (f"{HEAD}Messages and calls are end-to-end encrypted.", "encryption_notice"),
        (f"{IOS}Alex: \u200eMessages and calls are end-to-end encrypted.", "encryption_notice"),
        (f"{HEAD}Chat: Messages and calls are end-to-end encrypted. So.", "encryption_notice"),
        (f"{HEAD}Nachrichten und Anrufe sind Ende-zu-Ende-verschlüsselt.", "encryption_notice"),
        (f'{HEAD}You created group "Sale: 50 %"', "group_change"),
        (f"{HEAD}Du hast Mallory hinzugefügt.", "group_change"),
        (f"{HEAD}Bea salió del grupo.", "group_change"),
        (f"{IOS}Bea: \u200eBea a rejoint le groupe via une invitation", "group_change"),
        (f"{HEAD}Alex changed their phone number to a new number.", "number_change"),
        (f"{HEAD}Your security code with Alex changed.", "security_code"),
        (f"{HEAD}Missed voice call", "missed_call"),
        (f"{HEAD}Verpasster Videoanruf", "missed_call"),
        (f"{HEAD}You turned on disappearing messages.", "chat_setting"),
        (f"{HEAD}Something new in a language of its own", "other_system_line"),
    ],
)
def test_a_line_of_whatsapp_itself_is_a_system_line(line: str, category: str) -> None:
    entry = only(line)
    assert (entry.sender, entry.category) == (None, category)


@pytest.mark.parametrize(
    "text",
    ["I left the group", "are our messages end-to-end encrypted?", "\u200eNo idea, try it!"],
)
def test_a_person_who_speaks_like_whatsapp_is_heard(text: str) -> None:
    assert only(f"{IOS}Alex: {text}").sender == "Alex"


def test_a_call_that_bears_a_sender_is_a_message() -> None:
    entry = only(f"{IOS}Alex: \u200eMissed voice call, \u200eTap to call back")
    assert entry.content is not None
    assert (entry.sender, entry.content.kind) == ("Alex", "call")


def test_the_tilde_before_unsaved_names_is_taken_off() -> None:
    assert [plain_name(name) for name in ("~\u202fAlex", "~Alex", "Al ~ ex", "~")] == [
        "Alex",
        "Alex",
        "Al ~ ex",
        "~",
    ]
