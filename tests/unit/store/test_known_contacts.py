from datetime import UTC, datetime

import polars as pl
import pytest

from chatlift.records import ALWAYS, CONTACTS, FACTS, SAME_PERSON, Records
from chatlift.store.crm import Crm
from chatlift.store.known_contacts import all_contacts, find_contacts, identity_of, same_person

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def tell(crm: Crm, source: str, phones: dict[str, str | None]) -> None:
    rows = [dict.fromkeys(CONTACTS) | {"external_id": i, "phone": p} for i, p in phones.items()]
    contacts = pl.DataFrame(rows, schema=CONTACTS).with_columns(created_at=pl.lit(NOW))
    crm.write(Records(contacts=contacts), source=source)


def people(crm: Crm, wanted: str) -> list[str]:
    return [c.external_id for c in same_person(crm, find_contacts(crm, wanted))]


@pytest.fixture
def known(crm: Crm) -> Crm:
    """Ana in two sources; a family of two with one phone, and somebody in the chats who has it."""
    family = "+34600333444"
    tell(crm, "shop", {"ana": "+34 600 111 222", "ben": family, "cleo": family, "dan": None})
    tell(crm, "chats", {"34600111222": "0034600111222", "guest": family})
    return crm


def test_an_id_comes_before_a_phone_of_the_same_words(known: Crm) -> None:
    assert [c.source for c in find_contacts(known, "34600111222")] == ["chats"]
    assert [c.external_id for c in find_contacts(known, "+34600111222")] == ["ana", "34600111222"]
    assert find_contacts(known, "ana", source="chats") == ()
    assert find_contacts(known, "") == ()


def test_contacts_of_two_sources_with_one_phone_are_one_person(known: Crm) -> None:
    assert people(known, "ana") == people(known, "34600111222") == ["ana", "34600111222"]
    assert people(known, "dan") == ["dan"]


def test_a_phone_that_a_source_has_twice_tells_nothing(known: Crm) -> None:
    assert people(known, "ben") == ["ben"]
    assert people(known, "guest") == ["guest"]
    assert people(known, "+34600333444") == ["ben", "cleo", "guest"]


def test_an_identity_holds_all_ids_phones_and_names(known: Crm) -> None:
    fact = {"subject": "contact", "subject_external_id": "dan", "name": SAME_PERSON}
    facts = pl.DataFrame([fact | {"value": "daniel", "known_at": ALWAYS}], schema=FACTS)
    known.write(Records(facts=facts), source="shop")
    assert identity_of(known, find_contacts(known, "dan")).ids == {"dan", "daniel"}
    assert identity_of(known, find_contacts(known, "ana")).phones == {"+34 600 111 222"}
    assert len(all_contacts(known)) == 6
