"""A few contacts' history is that part of the whole history, whoever is who."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from tests.histories import START, at

from chatlift.history import History
from chatlift.records import CONTACTS, FACTS, LEADS, MESSAGES, Records
from chatlift.store.crm import Crm
from chatlift.vocabulary import FactSubject


def rows(schema: pl.Schema, *told: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(schema) | row for row in told], schema=schema)


# Long because every kind of record is told once, field by field.
def told_by(source: str, crm: Crm, phones: dict[str, str], sent_at: datetime) -> None:
    """Two contacts with a lead, a message and facts of each kind."""
    crm.write(
        Records(
            contacts=rows(
                CONTACTS,
                *(
                    {"external_id": name, "phone": phone, "created_at": START}
                    for name, phone in phones.items()
                ),
            ),
            messages=rows(
                MESSAGES,
                *(
                    {
                        "external_id": f"{name}-{number}",
                        "contact_external_id": name,
                        "direction": "in",
                        "kind": "text",
                        "text": f"hello {number}",
                        "sent_at": sent_at + timedelta(days=number),
                        "is_automatic": False,
                    }
                    for name in phones
                    for number in (3, 1, 2)
                ),
            ),
            leads=rows(
                LEADS,
                *(
                    {
                        "external_id": f"lead of {name}",
                        "contact_external_id": name,
                        "created_at": at(1),
                        "outcome": "open",
                    }
                    for name in phones
                ),
            ),
            facts=rows(
                FACTS,
                *(
                    {
                        "subject": str(subject),
                        "subject_external_id": of.format(name),
                        "name": "über",
                        "value": value,
                        "known_at": at(2),
                    }
                    for name in phones
                    for subject, of in (
                        (FactSubject.CONTACT, "{}"),
                        (FactSubject.LEAD, "lead of {}"),
                        (FactSubject.MESSAGE, "{}-1"),
                    )
                    for value in ("b", "a")
                ),
            ),
        ),
        source=source,
    )
    crm.write_observation(source, observed_from=at(0), observed_through=at(50))


def business(crm: Crm) -> None:
    """Anna is told of by two sources, which have one phone and one message of hers."""
    told_by("shop", crm, {"anna": "+34600111222", "ben": "+34600333444"}, START)
    told_by("app", crm, {"a1": "0034 600 111 222", "c1": "+34600555666"}, START)
    crm.write_contact_observations("app", ["c1"], observed_through=at(60))
    crm.write_gap("shop", gap_from=at(5), gap_through=at(6))
    crm.link()


def of_contacts(whole: History, contact_ids: list[int]) -> dict[str, pl.DataFrame]:
    """That part of a whole history which these contacts own."""
    theirs = pl.col("contact_id").is_in(contact_ids)
    messages, leads = whole.messages.filter(theirs), whole.leads.filter(theirs)
    owned = {
        "contact": contact_ids,
        "lead": leads["lead_id"].to_list(),
        "message": messages["message_id"].to_list(),
    }
    is_owned = pl.any_horizontal(
        (pl.col("subject") == subject) & pl.col("subject_id").is_in(ids)
        for subject, ids in owned.items()
    )
    return {
        "contacts": whole.contacts.filter(theirs),
        "messages": messages,
        "leads": leads,
        "facts": whole.facts.filter(is_owned),
        "observations": whole.observations,
        "contact_observations": whole.contact_observations.filter(theirs),
        "gaps": whole.gaps,
    }


def frames(read: History) -> dict[str, pl.DataFrame]:
    told = {field.name: getattr(read, field.name) for field in fields(read)}
    del told["time_zone"], told["derived"]
    return told


def assert_same(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name].equals(expected[name]), name
        assert found[name].schema == expected[name].schema


def test_each_contact_alone_is_read_as_among_all(crm: Crm) -> None:
    business(crm)
    whole = crm.read_history()
    assert whole.contacts.height == 3, "four contacts are three people"
    assert whole.contact_observations.height == 1
    for contact_id in whole.contacts["contact_id"].to_list():
        alone = crm.read_history(contact_ids=[contact_id])
        assert_same(frames(alone), of_contacts(whole, [contact_id]))
        assert alone.time_zone == whole.time_zone


def test_whoever_of_a_person_is_named_the_person_is_read(crm: Crm) -> None:
    business(crm)
    people = crm.contact_ids_of(["anna", "a1"])
    assert people["anna"] == people["a1"]
    whole = crm.read_history()
    others = set(range(1, 5)) - set(whole.contacts["contact_id"].to_list())
    (other,) = others
    alone = crm.read_history(contact_ids=[other])
    assert_same(frames(alone), of_contacts(whole, [people["anna"]]))


def test_all_named_are_all_read(crm: Crm) -> None:
    business(crm)
    whole = crm.read_history()
    ids = whole.contacts["contact_id"].to_list()
    assert_same(frames(crm.read_history(contact_ids=[*ids, 999])), frames(whole))
    without = crm.read_history(contact_ids=ids, with_text=False)
    assert_same(frames(without), frames(crm.read_history(with_text=False)))


def test_nobody_named_is_nobody_read(crm: Crm) -> None:
    business(crm)
    nobody = crm.read_history(contact_ids=[])
    assert nobody.contacts.is_empty()
    assert nobody.messages.schema == crm.read_history().messages.schema
    assert nobody.observations.height == 2
