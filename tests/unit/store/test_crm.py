"""The story: Anna and Ben write to a shop; Anna has a lead."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatlift import history
from chatlift.errors import Cancelled, Conflict
from chatlift.history import History
from chatlift.records import CONTACTS, CONVERSATIONS, FACTS, LEADS, MESSAGES, Records
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.vocabulary import Progress

START = datetime(2025, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def rows(schema: pl.Schema, *told: Mapping[str, Any]) -> pl.DataFrame:
    """Records of which only some fields are told; the others are null."""
    return pl.DataFrame([dict.fromkeys(schema) | dict(row) for row in told], schema=schema)


def contacts(*names: str) -> pl.DataFrame:
    return rows(CONTACTS, *({"external_id": name, "created_at": START} for name in names))


def message(name: str, contact: str, at: float, **more: Any) -> dict[str, Any]:
    told = {"external_id": name, "contact_external_id": contact, "direction": "in"}
    return told | {"sent_at": day(at), "text": f"text of {name}"} | more


def lead(outcome: str, known: float | None, **more: Any) -> dict[str, Any]:
    told = {"external_id": "lead", "contact_external_id": "anna", "created_at": START}
    known_at = None if known is None else day(known)
    return told | {"outcome": outcome, "outcome_known_at": known_at} | more


def fact(contact: str, name: str, value: str | None, known: float) -> dict[str, Any]:
    told = {"subject": "contact", "subject_external_id": contact, "name": name}
    return told | {"value": value, "known_at": day(known)}


def shop(*messages: Mapping[str, Any]) -> Records:
    return Records(contacts=contacts("anna", "ben"), messages=rows(MESSAGES, *messages))


def same(left: History, right: History) -> bool:
    names = ("contacts", "messages", "leads", "facts", "observations", "gaps")
    return all(getattr(left, name).equals(getattr(right, name)) for name in names)


def test_what_was_written_is_read_back_in_order(crm: Crm) -> None:
    talk = {"external_id": "talk", "contact_external_id": "anna", "started_at": day(1)}
    later = message("m1", "anna", 3, conversation_external_id="talk", is_automatic=True)
    records = Records(
        contacts=contacts("anna", "ben"),
        conversations=rows(CONVERSATIONS, talk),
        messages=rows(
            MESSAGES, message("m3", "ben", 1), later, message("m2", "anna", 2, text=None)
        ),
        leads=rows(LEADS, lead("won", 5, closed_at=day(5))),
        facts=rows(FACTS, fact("ben", "city", "Oslo", 1)),
    )
    counts = crm.write(records, source="s")
    read = crm.read_history()
    assert counts.messages.accepted == 3
    assert read.messages["text"].to_list() == [None, "text of m1", "text of m3"]
    assert read.messages["sent_at"].to_list() == [day(2), day(3), day(1)]
    assert read.messages["is_automatic"].to_list() == [False, True, False]
    assert read.messages["kind"].to_list() == ["text", "text", "text"]
    assert read.messages["conversation_id"].is_null().to_list() == [True, False, True]
    assert read.leads.select("outcome", "closed_at", "outcome_known_at").rows() == [
        ("won", day(5), day(5))
    ]
    assert read.facts.select("name", "value", "known_at").rows() == [("city", "Oslo", day(1))]
    for name in ("contacts", "messages", "leads", "facts"):
        assert getattr(read, name).schema == getattr(history, name.upper())


def test_a_reading_without_text_has_everything_else(crm: Crm) -> None:
    crm.write(shop(message("m1", "anna", 1)), source="s")
    read = crm.read_history(with_text=False).messages
    assert read["text"].to_list() == [None]
    assert read.drop("text").equals(crm.read_history().messages.drop("text"))


def test_an_empty_account_has_empty_frames_of_the_documented_schema(crm: Crm) -> None:
    read = crm.read_history()
    for name in ("contacts", "messages", "leads", "facts", "observations", "gaps"):
        assert getattr(read, name).is_empty()
        assert getattr(read, name).schema == getattr(history, name.upper())


def test_some_contacts_are_read_with_what_hangs_on_them_alone(crm: Crm) -> None:
    records = Records(
        contacts=contacts("anna", "ben"),
        messages=rows(MESSAGES, message("m1", "anna", 1), message("m2", "ben", 1)),
        leads=rows(LEADS, lead("open", None)),
        facts=rows(
            FACTS,
            fact("anna", "city", "Rome", 1),
            fact("ben", "city", "Oslo", 1),
            {**fact("lead", "value", "10", 1), "subject": "lead"},
            {**fact("m2", "status", "read", 1), "subject": "message"},
        ),
    )
    crm.write(records, source="s")
    ids = crm.contact_ids_of(["anna", "ben", "nobody"])
    anna = crm.read_history(contact_ids=[ids["anna"]])
    assert set(ids) == {"anna", "ben"}
    assert anna.messages["text"].to_list() == ["text of m1"]
    assert anna.leads.height == 1
    assert anna.facts["value"].to_list() == ["Rome", "10"]
    both = crm.read_history(contact_ids=list(ids.values()))
    assert same(both, crm.read_history())


def test_one_account_sees_nothing_of_another(crm: Crm) -> None:
    other = Crm(crm.database, ensure_account(crm.database, "other", time_zone="UTC").account_id)
    crm.write(shop(message("m1", "anna", 1)), source="s")
    other.write(Records(contacts=contacts("anna")), source="s")
    theirs = list(crm.contact_ids_of(["anna"]).values())
    assert other.read_history().messages.is_empty()
    assert other.read_history(contact_ids=theirs).contacts.is_empty()
    assert other.counts().contacts == 1


def test_every_row_is_accepted_duplicate_or_rejected_with_its_number(crm: Crm) -> None:
    told = [
        message("m1", "anna", 1),
        message("m1", "anna", 1),
        message("m2", "stranger", 1),
        message("m3", "ben", 1, direction="sideways"),
        message("m4", "ben", 1, conversation_external_id="no talk"),
        message("m5", "ben", 1, sent_at=None),
    ]
    counts = crm.write(shop(*told), source="s")
    assert counts.messages.accepted == 1
    assert counts.messages.duplicate == 1
    assert counts.messages.rejected == 4
    assert counts.messages.total == len(told)
    assert counts.rejections.select("row_number", "column", "value").rows() == [
        (2, "contact_external_id", "stranger"),
        (3, "direction", "sideways"),
        (4, "conversation_external_id", "no talk"),
        (5, "sent_at", None),
    ]


def test_a_lead_takes_an_outcome_that_became_known_later(crm: Crm) -> None:
    crm.write(Records(contacts=contacts("anna")), source="s")
    steps = [
        (lead("open", None), "open"),
        (lead("lost", 4, closed_at=day(4)), "lost"),
        (lead("won", 3, closed_at=day(3)), "lost"),  # older news
        (lead("open", None), "lost"),
        (lead("won", 9, closed_at=day(9)), "won"),
    ]
    for told, expected in steps:
        crm.write(Records(leads=rows(LEADS, told)), source="s")
        assert crm.read_history().leads["outcome"].to_list() == [expected]


def test_an_outcome_told_again_stays_known_since_the_first_time(crm: Crm) -> None:
    crm.write(Records(contacts=contacts("anna"), leads=rows(LEADS, lead("won", 2))), source="s")
    again = crm.write(Records(leads=rows(LEADS, lead("won", 8))), source="s")
    assert again.leads.duplicate == 1
    assert crm.read_history().leads["outcome_known_at"].to_list() == [day(2)]


def test_empty_fields_of_a_contact_are_filled_and_full_ones_stay(crm: Crm) -> None:
    crm.write(Records(contacts=contacts("anna")), source="s")
    gone = rows(CONTACTS, {"external_id": "anna", "created_at": day(5), "churned_at": day(9)})
    counts = crm.write(Records(contacts=gone), source="s")
    read = crm.read_history().contacts
    assert counts.contacts.updated == 1
    assert read.select("created_at", "churned_at").rows() == [(START, day(9))]


def test_a_value_that_only_the_import_vouches_for_is_kept_once(crm: Crm) -> None:
    crm.write(Records(contacts=contacts("anna")), source="s")
    for number, city in enumerate(["Rome", "Rome", "Oslo", "Oslo", "Rome"]):
        told = rows(FACTS, fact("anna", "city", city, number))
        crm.write(Records(facts=told), source="s", imported_at=day(number))
    facts = crm.read_history().facts
    assert facts.select("value", "known_at").rows() == [
        ("Rome", day(0)),
        ("Oslo", day(2)),
        ("Rome", day(4)),
    ]


def test_long_and_empty_values_of_facts_come_back_whole(crm: Crm) -> None:
    values = ["x" * 10_000, "x" * 10_001, None, "ж\0ы"]
    told = rows(FACTS, *(fact("anna", f"f{n}", value, 1) for n, value in enumerate(values)))
    records = Records(contacts=contacts("anna"), facts=told)
    crm.write(records, source="s")
    assert crm.write(records, source="s").facts.duplicate == 4
    assert crm.read_history().facts["value"].to_list() == [*values[:3], "жы"]


def test_the_same_id_in_two_sources_is_two_contacts(crm: Crm) -> None:
    crm.write(Records(contacts=contacts("anna")), source="a")
    crm.write(Records(contacts=contacts("anna")), source="b")
    assert crm.sources() == ("a", "b")
    assert len(crm.contact_ids_of(["anna"], source="b")) == 1
    with pytest.raises(Conflict, match="a, b"):
        crm.contact_ids_of(["anna"])


def test_deleting_a_source_leaves_the_others_and_frees_no_number(crm: Crm) -> None:
    crm.write(shop(message("m1", "anna", 1)), source="a")
    crm.write_observation("a", observed_from=day(0), observed_through=day(9))
    crm.write(Records(contacts=contacts("carl")), source="b")
    before = crm.read_history().contacts["contact_id"].max()
    crm.delete_source("a")
    crm.delete_source("b")
    assert crm.sources() == ()
    crm.write(Records(contacts=contacts("dora")), source="b")
    assert crm.read_history().contacts["contact_id"].to_list() > [before]
    assert crm.read_history().observations.is_empty()


def test_an_observation_grows_and_never_shrinks(crm: Crm) -> None:
    for span in [(5, 9), (6, 8), (2, 7), (5, 12)]:
        crm.write_observation("s", observed_from=day(span[0]), observed_through=day(span[1]))
    assert crm.read_history().observations.rows() == [("s", day(2), day(12))]


def test_a_gap_told_twice_is_one(crm: Crm) -> None:
    for _ in range(2):
        crm.write_gap("s", gap_from=day(1), gap_through=day(2))
    assert crm.read_history().gaps.rows() == [("s", day(1), day(2))]


def test_a_batch_stopped_in_the_middle_can_be_written_again(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatlift.store.crm.CHUNK_ROWS", 2)
    records = shop(*(message(f"m{n}", "anna", n) for n in range(5)))

    def stop(step: Progress) -> None:
        if step.phase == "messages":
            raise Cancelled

    with pytest.raises(Cancelled):
        crm.write(records, source="s", report=stop)
    assert crm.counts().messages == 2
    assert crm.write(records, source="s").messages.accepted == 3
    assert crm.counts().messages == 5


EXAMPLES = itertools.count()
SMALL = st.integers(0, 3)
BATCH = st.fixed_dictionaries(
    {
        "contacts": st.lists(st.tuples(SMALL, st.booleans()), max_size=4),
        "messages": st.lists(st.tuples(SMALL, SMALL), max_size=4),
        "leads": st.lists(st.tuples(SMALL, st.sampled_from(["open", "won", "lost"])), max_size=3),
        "facts": st.lists(st.tuples(SMALL, SMALL), max_size=4),
    }
)


def batch_of(told: Mapping[str, list[tuple[Any, Any]]], number: int) -> Records:
    """The records of one export made on day `number`."""
    return Records(
        contacts=rows(
            CONTACTS,
            *(
                {
                    "external_id": f"c{c}",
                    "created_at": START,
                    "churned_at": day(c) if gone else None,
                }
                for c, gone in told["contacts"]
            ),
        ),
        messages=rows(MESSAGES, *(message(f"m{m}", f"c{c}", m) for m, c in told["messages"])),
        leads=rows(
            LEADS,
            *(
                lead(
                    outcome,
                    None if outcome == "open" else number,
                    external_id=f"l{n}",
                    contact_external_id=f"c{n}",
                )
                for n, outcome in told["leads"]
            ),
        ),
        facts=rows(FACTS, *(fact(f"c{c}", "city", str(v), number) for c, v in told["facts"])),
    )


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(told=st.lists(BATCH, min_size=1, max_size=3), again=st.lists(SMALL, max_size=4))
def test_repeating_batches_changes_nothing(
    crm: Crm, told: list[dict[str, list[tuple[Any, Any]]]], again: list[int]
) -> None:
    """Each example has an account of its own: the database is shared by all of them.

    The contacts are there from the start, since a row that names a contact too early is
    refused, and rightly taken when it is told again later.
    """
    name = f"example {next(EXAMPLES)}"
    mine = Crm(crm.database, ensure_account(crm.database, name, time_zone="UTC").account_id)
    mine.write(Records(contacts=contacts("c0", "c1", "c2", "c3")), source="s")
    batches = [batch_of(batch, n) for n, batch in enumerate(told)]
    for n, batch in enumerate(batches):
        mine.write(batch, source="s", imported_at=day(n))
    before = mine.read_history()
    for n in again:
        index = n % len(batches)
        counts = mine.write(batches[index], source="s", imported_at=day(index))
        assert counts.contacts.accepted == 0
        assert counts.messages.accepted == 0
    assert same(mine.read_history(), before)
