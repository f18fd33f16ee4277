from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from chatlift.sources.entries import (
    Malformed,
    Notes,
    instant_at,
    items_at,
    needed_text,
    object_at,
    optional_instant_at,
    text_at,
)
from chatlift.sources.payloads import Body
from chatlift.vocabulary import Direction, FactSubject

AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        1_700_000_000,
        "1700000000",
        1_700_000_000_000,
        1_700_000_000.0,
        "2023-11-14T23:13:20+01:00",
        "2023-11-14 22:13:20 UTC",
        "2023-11-14T22:13:20Z",
    ],
)
def test_an_instant_is_read_in_every_usual_form(written: Any) -> None:
    assert instant_at({"at": written}, "at") == AT


@pytest.mark.parametrize(
    "written", ["soon", -1, "0", 1e300, float("nan"), float("inf"), True, [], {}, "", None]
)
def test_what_is_no_instant_is_refused(written: Any) -> None:
    with pytest.raises(Malformed):
        instant_at({"at": written}, "at")


@pytest.mark.parametrize("written", [None, "", 0])
def test_an_instant_may_be_missing(written: Any) -> None:
    assert optional_instant_at({"at": written}, "at") is None
    assert optional_instant_at({}, "at") is None


def test_values_of_another_type_are_refused_and_missing_ones_are_empty() -> None:
    assert text_at({"a": 7}, "a") == "7"
    assert text_at({"a": ""}, "a") is None
    assert object_at({}, "a") == {}
    assert items_at({"a": None}, "a") == []
    for read, value in ((text_at, []), (text_at, True), (object_at, "x"), (items_at, {"x": 1})):
        with pytest.raises(Malformed):
            read({"a": value}, "a")
    with pytest.raises(Malformed, match="a is missing"):
        needed_text({}, "a")


def test_a_refused_value_is_kept_short() -> None:
    with pytest.raises(Malformed) as refused:
        instant_at({"at": "x" * 10_000}, "at")
    assert refused.value.value == "x" * 80


def test_notes_number_entries_and_keep_the_earliest_and_the_first_told() -> None:
    notes = Notes()
    notes.contact("anna", seen_at=AT)
    notes.contact("anna", seen_at=datetime(2020, 1, 1, tzinfo=UTC), name="Anna", phone="+1")
    notes.counts["message"] += 1
    notes.passed_over["note"] += 1
    with notes.refusing(Body(file_name="x.json", line_number=9)):
        raise Malformed("id", "x", "id is wrong")
    notes.placeholder("m", contact="anna", direction=Direction.OUTBOUND, seen_at=AT)
    for _ in range(2):
        notes.fact(FactSubject.CONTACT, "anna", "same_person_as", "b")
    feed = notes.feed("x.json")
    assert feed.rejected.rows() == [("x.json", 2, 9, "id", "x", "id is wrong", None)]
    assert feed.records.contacts.rows() == [
        ("anna", "Anna", "+1", datetime(2020, 1, 1, tzinfo=UTC), None)
    ]
    assert feed.records.messages["kind"].to_list() == ["untold"]
    assert feed.records.facts.height == 1
