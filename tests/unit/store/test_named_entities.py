"""Whom a caller means: by the source's id, else by the store's number, in this account only."""

from __future__ import annotations

from tests.histories import START
from tests.unit.store.test_reading_contacts import business, told_by

from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.named_entities import Named, entities_named


def named(crm: Crm, entity: str, names: list[str]) -> dict[str, list[Named]]:
    with crm.database.read() as connection:
        return entities_named(connection, entity, names)


def test_ids_come_before_numbers_and_strangers_are_absent(crm: Crm) -> None:
    told_by("shop", crm, {"2": "+34600111222", "ben": "+34600333444"}, START)
    numbers = crm.contact_ids_of(["2", "ben"])
    assert (numbers["2"], numbers["ben"]) == (1, 2)
    found = named(crm, "contact", ["ben", "2", "1", "01", "nobody", "-1", "²", "\0"])
    assert list(found) == ["ben", "2", "1"]
    assert [one.contact_id for one in found["2"]] == [1], "the id of a source, not number 2"
    assert [one.external_id for one in found["1"]] == ["2"]
    assert named(crm, "contact", []) == {}


def test_a_lead_is_named_with_its_contact(crm: Crm) -> None:
    told_by("shop", crm, {"anna": "+34600111222"}, START)
    (lead,) = named(crm, "lead", ["lead of anna"])["lead of anna"]
    assert (lead.external_id, lead.contact_id) == (
        "lead of anna",
        crm.contact_ids_of(["anna"])["anna"],
    )
    assert named(crm, "lead", ["anna"]) == {}


def test_of_a_person_in_two_sources_the_contact_that_counts_is_meant(crm: Crm) -> None:
    business(crm)
    found = named(crm, "contact", ["anna", "a1"])
    assert found["anna"] == found["a1"]
    leads = named(crm, "lead", ["lead of anna", "lead of a1"])
    contacts = {one.contact_id for told in leads.values() for one in told}
    assert contacts == {found["anna"][0].contact_id}
    assert leads["lead of anna"] != leads["lead of a1"]


def test_an_id_of_two_sources_means_both(crm: Crm) -> None:
    for source, phone in (("shop", "+34600111222"), ("app", "+34600333444")):
        told_by(source, crm, {"anna": phone}, START)
    assert len(named(crm, "contact", ["anna"])["anna"]) == 2


def test_another_accounts_people_are_nobody(crm: Crm) -> None:
    other = Crm(crm.database, ensure_account(crm.database, "other", time_zone="UTC").account_id)
    told_by("shop", crm, {"anna": "+34600111222"}, START)
    assert named(other, "contact", ["anna", "1"]) == {}
