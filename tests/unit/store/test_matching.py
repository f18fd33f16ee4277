from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlift.store.matching import Contact, Message, phone_digits, same_messages, same_people

MINUTE = 60_000_000


def message(
    number: int, source: str, at: int = 0, text: str | None = "ok", **more: object
) -> Message:
    told = {"direction": "in", "kind": "text", "external_id": f"{source}-{number}"} | more
    return Message(
        message_id=number,
        contact_id=1,
        source=source,
        text=text,
        sent_at=at,
        **told,  # type: ignore[arg-type]
    )


def groups_of(links: Mapping[int, int], numbers: Sequence[int]) -> set[frozenset[int]]:
    """Which of the numbers stand together."""
    roots = {number: links.get(number, number) for number in numbers}
    return {frozenset(n for n in numbers if roots[n] == root) for root in set(roots.values())}


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("+49 151 0000-0001", "4915100000001"),
        ("0049 151 00000001", "4915100000001"),
        ("4915100000001", "4915100000001"),
        ("0151 00000001", None),
        ("+52 1 55 1234 5678", "525512345678"),
        ("+52 55 1234 5678", "525512345678"),
        ("+54 9 11 1234 5678", "541112345678"),
        ("+55 11 91234 5678", "551112345678"),
        ("+55 11 1234 5678", "551112345678"),
        ("١٢٣٤٥٦٧٨٩", None),
        ("no phone", None),
        ("+1", None),
        ("1" * 16, None),
        (None, None),
    ],
)
def test_phones_agree_however_they_are_written(written: str | None, digits: str | None) -> None:
    assert phone_digits(written) == digits


def test_contacts_of_two_sources_with_one_phone_are_one_person() -> None:
    contacts = [
        Contact(1, "export", "x", "+49 151 00000001"),
        Contact(2, "cloud", "4915100000001", "4915100000001"),
        Contact(3, "cloud", "4915100000002", "+4915100000002"),
        Contact(4, "chatwoot", "7", "004915100000001"),
    ]
    assert same_people(contacts, []) == {2: 1, 4: 1}


def test_a_phone_that_two_contacts_of_a_source_share_names_nobody() -> None:
    contacts = [
        Contact(1, "crm", "mother", "+4915100000001"),
        Contact(2, "crm", "child", "+4915100000001"),
        Contact(3, "cloud", "4915100000001", "+4915100000001"),
    ]
    assert same_people(contacts, []) == {}


def test_a_source_that_ties_two_contacts_makes_them_one_and_their_phones_too() -> None:
    contacts = [
        Contact(1, "cloud", "old", "+4915100000001"),
        Contact(2, "cloud", "new", "+4915100000002"),
        Contact(3, "crm", "a", "+4915100000002"),
        Contact(4, "other", "new", None),
    ]
    assert same_people(contacts, [(1, "new"), (1, "never seen"), (99, "old")]) == {2: 1, 3: 1}


@given(
    contacts=st.lists(
        st.tuples(st.sampled_from("ABC"), st.sampled_from([None, "11111111", "22222222"])),
        max_size=8,
    ),
    ties=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=3),
    seed=st.randoms(use_true_random=False),
)
def test_who_is_who_does_not_depend_on_the_order_of_arrival(
    contacts: list[tuple[str, str | None]], ties: list[tuple[int, int]], seed: random.Random
) -> None:
    def grouped(numbers: Sequence[int]) -> set[frozenset[int]]:
        arrived = [
            Contact(number, source, str(place), phone)
            for number, place, (source, phone) in zip(
                numbers, range(len(contacts)), contacts, strict=True
            )
        ]
        told = [(numbers[a], str(b)) for a, b in ties if a < len(numbers)]
        links = same_people(sorted(arrived), told)
        place_of = {number: place for place, number in enumerate(numbers)}
        return {frozenset(place_of[n] for n in group) for group in groups_of(links, numbers)}

    numbers = list(range(1, len(contacts) + 1))
    shuffled = seed.sample(numbers, len(numbers))
    assert grouped(numbers) == grouped(shuffled)


def test_two_real_equal_messages_within_a_minute_stay_two() -> None:
    found = same_messages(
        [
            message(1, "export"),
            message(2, "export"),
            message(3, "cloud", 10),
            message(4, "cloud", 20),
            message(5, "cloud", 30),
        ]
    )
    assert groups_of(found, range(1, 6)) == {
        frozenset({1, 3}),
        frozenset({2, 4}),
        frozenset({5}),
    }
    # A webhook's seconds are the more exact stamp.
    assert found == {1: 3, 2: 4}


@pytest.mark.parametrize(
    "other",
    [
        message(2, "cloud", text="other words"),
        message(2, "cloud", MINUTE),
        message(2, "cloud", direction="out"),
        message(2, "cloud", kind="reaction"),
        message(2, "export"),
    ],
)
def test_what_differs_is_another_message(other: Message) -> None:
    assert same_messages([message(1, "export"), other]) == {}


def test_words_agree_whatever_marks_and_spaces_a_source_adds() -> None:
    seen = message(1, "export", text="\u200egrüß  dich\u00a0du")
    sent = message(2, "cloud", text="gru\u0308ß dich du")
    assert same_messages([seen, sent]) == {1: 2} or same_messages([seen, sent]) == {2: 1}
    media = [
        message(1, "export", kind="media", text=None),
        message(2, "cloud", kind="image", text=None),
    ]
    assert len(same_messages(media)) == 1


def test_an_id_of_the_channel_decides_before_words() -> None:
    messages = [
        message(1, "cloud", MINUTE - 1),
        message(2, "cloud", MINUTE + 30),
        message(3, "chatwoot", MINUTE + 1),
        message(4, "chatwoot", MINUTE + 31),
    ]
    named = {3: "cloud-1", 4: "cloud-2"}
    assert groups_of(same_messages(messages, named), range(1, 5)) == {
        frozenset({1, 3}),
        frozenset({2, 4}),
    }


def test_what_is_told_counts_before_its_placeholder() -> None:
    placeholder = message(1, "cloud", 30, None, kind="untold", direction="out")
    assert same_messages([placeholder, message(2, "export", direction="out")]) == {1: 2}
    told_too = message(3, "cloud", 10, direction="out")
    whole = [placeholder, message(2, "export", direction="out"), told_too]
    assert same_messages(whole) == {2: 3}


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.integers(0, 3),
        st.sampled_from([("text", "ok"), ("text", "yes"), ("image", None), ("untold", None)]),
        st.sampled_from(["in", "out"]),
    ),
    max_size=12,
)


@given(told=MESSAGES, seed=st.randoms(use_true_random=False))
def test_links_are_one_to_one_and_the_same_in_any_order(
    told: list[tuple[str, int, tuple[str, str | None], str]], seed: random.Random
) -> None:
    def made(numbers: Sequence[int]) -> list[Message]:
        return [
            message(
                number,
                source,
                at * MINUTE // 2,
                words,
                kind=kind,
                direction=direction,
                external_id=f"{place}",
            )
            for number, (place, (source, at, (kind, words), direction)) in zip(
                numbers, enumerate(told), strict=True
            )
        ]

    numbers = list(range(len(told)))
    shuffled = seed.sample(numbers, len(numbers))
    links = same_messages(made(numbers))
    other = same_messages(seed.sample(made(shuffled), len(told)))
    assert {shuffled[a]: shuffled[b] for a, b in links.items()} == other
    sources = {m.message_id: m.source for m in made(numbers)}
    for group in groups_of(links, numbers):
        assert max(Counter(sources[n] for n in group).values()) == 1


@given(counts=st.lists(st.integers(0, 4), min_size=2, max_size=2))
def test_as_many_stay_as_the_source_that_tells_most(counts: list[int]) -> None:
    messages = [
        message(10 * place + n, source, n)
        for place, source in enumerate("AB")
        for n in range(counts[place])
    ]
    assert len(messages) - len(same_messages(messages)) == max(counts)
