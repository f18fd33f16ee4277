"""Who takes part in a chat, and what is said where that stays unclear."""

import pytest

from chatlift.errors import InvalidInput
from chatlift.registry.failures import failure_of
from chatlift.sources.whatsapp_export.people import (
    People,
    SenderNotFound,
    person_called,
    tell_people,
)


def told(
    senders: dict[str, int], *, me: str = "Shop", title: str | None = None, group: bool = False
) -> People:
    return tell_people(senders, me=me, title=title, is_group_welcome=group, file_name="chat.txt")


def test_who_is_not_the_business_is_the_contact() -> None:
    people = told({"Shop": 3, "Alex": 2})
    assert people.is_me("Shop")
    assert people.only_contact_id == people.contact_id("Alex")


@pytest.mark.parametrize("me", ["shop", " Shop ", "~ Shop", "\u200eSHOP"])
def test_the_businesss_name_is_compared_as_people_read_it(me: str) -> None:
    assert told({"Shop": 3, "Alex": 2}, me=me).is_me("Shop")


def test_the_business_may_be_named_by_its_number() -> None:
    people = told({"+34 600 00 00 01": 3, "Alex": 2}, me="+34600000001")
    assert people.is_me("+34 600 00 00 01")


def test_a_misspelt_business_is_refused_without_names_in_the_sentence() -> None:
    with pytest.raises(SenderNotFound) as caught:
        told({"Shop": 3, "Alex": 2, "+34 600 00 00 01": 1}, me="Shpo")
    assert "S... (3 messages), A... (2 messages), a number (1 messages)" in str(caught.value)
    logged = str(failure_of(caught.value))
    assert "Alex" not in logged
    assert "600" not in logged
    assert caught.value.message_counts == {"Shop": 3, "Alex": 2, "+34 600 00 00 01": 1}


def test_a_chat_that_was_never_answered_is_known_by_its_title() -> None:
    people = told({"Alex": 2}, title="Alex")
    assert not people.is_me("Alex")
    assert people.only_contact_id == person_called("Alex").contact_id
    with pytest.raises(SenderNotFound):
        told({"Alex": 2}, title="Shop")
    with pytest.raises(SenderNotFound):
        told({"Alex": 2})


def test_a_chat_that_the_contact_never_answered_is_known_by_its_title() -> None:
    assert told({"Shop": 2}, title="Alex").only_contact_id == person_called("Alex").contact_id
    with pytest.raises(InvalidInput, match="not tell to whom"):
        told({"Shop": 2})


def test_a_group_is_refused_unless_asked_for() -> None:
    senders = {"Shop": 1, "Alex": 1, "Bea": 1}
    with pytest.raises(InvalidInput, match=r"is a group: 2 people.*--group"):
        told(senders)
    people = told(senders, group=True)
    assert people.only_contact_id is None
    assert people.contact_id("Alex") != people.contact_id("Bea")


def test_a_chat_of_two_stays_one_where_groups_are_welcome() -> None:
    assert told({"Shop": 1, "Alex": 1}, group=True) == told({"Shop": 1, "Alex": 1})


@pytest.mark.parametrize(
    ("sender", "name", "phone"),
    [
        ("+34 600-000 (000)", None, "+34600000000"),
        ("600 000 000", None, "600000000"),
        ("Alex 2000", "Alex 2000", None),
        ("12345", "12345", None),
        ("+49\u00a0151\u00a02345678", None, "+491512345678"),
    ],
)
def test_a_number_is_a_phone_and_not_a_name(
    sender: str, name: str | None, phone: str | None
) -> None:
    person = person_called(sender)
    assert (person.name, person.phone) == (name, phone)


def test_a_person_is_the_same_however_the_export_writes_it() -> None:
    assert person_called("Alex  B").contact_id == person_called("alex b").contact_id
    assert person_called("+34 600 000 000").contact_id == person_called("+34600000000").contact_id
    assert person_called("Alex").contact_id != person_called("Bea").contact_id
