"""What a program tells as it happens: made once, brought up to date, refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from tests.walks import walks_of

from chatlift.errors import Conflict, InvalidInput, NotFound
from chatlift.records import CONTACTS, SAME_PERSON, Records
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.forgetting import Forgetting
from chatlift.store.known_contacts import find_contacts
from chatlift.store.outcomes import TableCounts
from chatlift.store.told_records import told_contact
from chatlift.store.tombstones import tombstone_key
from chatlift.vocabulary import SIMULATED, LeadOutcome
from chatlift.workflows.put_records import (
    MOST_MESSAGES,
    Change,
    ContactForgotten,
    ContactWords,
    LeadReport,
    LeadWords,
    MessagesReport,
    MessageWords,
    post_messages,
    put_contact,
    put_lead,
    put_outcome,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ANA = ContactWords(name="Ana", phone="+34600111222", attributes={"plan": "gold", "seats": 3})
LEAD = LeadWords(contact_external_id="ana", created_at=NOW - 9 * DAY)
WON, LOST, OPEN = LeadOutcome.WON, LeadOutcome.LOST, LeadOutcome.OPEN
CREATED, UPDATED, UNCHANGED = Change.CREATED, Change.UPDATED, Change.UNCHANGED


@pytest.fixture
def shop(database: Database) -> Crm:
    account_id = ensure_account(database, "default", time_zone="UTC").account_id
    return Crm(database, account_id, tombstone_key=tombstone_key(b"secret", "default"))


def contact(
    shop: Crm, words: ContactWords = ANA, *, at: datetime = NOW, who: str = "ana"
) -> Change:
    return put_contact(shop, who, words, source="api", now=at)


def lead(shop: Crm, words: LeadWords = LEAD, *, at: datetime = NOW) -> LeadReport:
    return put_lead(shop, "l1", words, source="api", now=at)


def outcome(shop: Crm, told: LeadOutcome, *, at: datetime = NOW, **more: Any) -> LeadReport:
    return put_outcome(shop, "l1", told, source="api", now=at, **more)


def message(number: int, *, at: datetime = NOW, **more: Any) -> MessageWords:
    told = {"external_id": f"m{number}", "contact_external_id": "ana", "direction": "in"}
    return MessageWords(**told | {"sent_at": at, "text": "hi"} | more)


def posted(shop: Crm, *messages: MessageWords, at: datetime = NOW) -> MessagesReport:
    return post_messages(shop, messages, source="api", now=at)


def facts(shop: Crm) -> list[tuple[Any, ...]]:
    read = shop.read_history().facts
    return sorted(read.select("subject", "name", "value", "known_at").rows(), key=str)


def observed(shop: Crm) -> list[tuple[Any, ...]]:
    return shop.read_history().observations.rows()


def forget(shop: Crm) -> None:
    forgetting = Forgetting(shop, find_contacts(shop, "ana"))
    forgetting.begin(now=NOW)
    forgetting.delete_messages(now=NOW)
    forgetting.delete_contacts()


def test_a_contact_is_made_once_and_brought_up_to_date(shop: Crm) -> None:
    assert contact(shop) is CREATED
    assert contact(shop, at=NOW + DAY) is UNCHANGED
    assert contact(shop, replace(ANA, name="Ana B."), at=NOW + 2 * DAY) is UPDATED
    assert contact(shop, ContactWords(), at=NOW + 3 * DAY) is UNCHANGED
    assert contact(shop, ContactWords(created_at=NOW - DAY), at=NOW + 3 * DAY) is UPDATED
    assert contact(shop, ContactWords(churned_at=NOW), at=NOW + 3 * DAY) is UPDATED
    told = told_contact(shop, "ana", source="api")
    assert told is not None
    assert (told.name, told.phone) == ("Ana B.", "+34600111222")
    assert (told.created_at, told.churned_at) == (NOW - DAY, NOW)


def test_attributes_are_facts_known_since_they_were_told_or_said_to_be(shop: Crm) -> None:
    contact(shop)
    assert facts(shop) == [("contact", "plan", "gold", NOW), ("contact", "seats", "3", NOW)]
    silver = ContactWords(attributes={"plan": "silver", "vip": True, "seats": None})
    assert contact(shop, silver, at=NOW + DAY) is UPDATED
    assert contact(shop, silver, at=NOW + 2 * DAY) is UNCHANGED
    dated = ContactWords(attributes={"plan": "trial"}, known_at=NOW - DAY)
    assert contact(shop, dated, at=NOW + 2 * DAY) is UPDATED
    assert contact(shop, dated, at=NOW + 3 * DAY) is UNCHANGED
    plans = [(value, known_at) for _, name, value, known_at in facts(shop) if name == "plan"]
    assert sorted(plans) == [("gold", NOW), ("silver", NOW + DAY), ("trial", NOW - DAY)]
    assert ("contact", "vip", "true", NOW + DAY) in facts(shop)
    assert ("contact", "seats", None, NOW + DAY) in facts(shop)


def test_an_attribute_cannot_tie_two_people(shop: Crm) -> None:
    with pytest.raises(InvalidInput, match="same_person_as"):
        contact(shop, ContactWords(attributes={SAME_PERSON: "somebody else"}))
    assert shop.counts().contacts == 0


def test_a_person_of_another_source_is_known_by_the_phone(shop: Crm) -> None:
    known = dict.fromkeys(CONTACTS) | {"external_id": "34600111222", "phone": "+34 600 111 222"}
    shop.write(
        Records(contacts=pl.DataFrame([known | {"created_at": NOW}], CONTACTS)), source="chats"
    )
    contact(shop)
    assert shop.read_history().contacts.height == 1


def test_a_lead_is_made_for_a_contact_there_is(shop: Crm) -> None:
    with pytest.raises(InvalidInput, match="no contact of this source has this id"):
        lead(shop)
    contact(shop)
    words = replace(LEAD, attributes={"stage": "offer", "value": 12.5})
    assert lead(shop, words).change is CREATED
    assert lead(shop, words, at=NOW + DAY).change is UNCHANGED
    moved = replace(words, attributes={"stage": "signed"})
    assert lead(shop, moved, at=NOW + DAY).change is UPDATED
    assert ("lead", "value", "12.5", NOW) in facts(shop)
    assert shop.counts().leads == 1


def test_an_outcome_stands_until_a_later_one_is_told(shop: Crm) -> None:
    contact(shop)
    assert lead(shop).lead.outcome is OPEN
    assert outcome(shop, WON).change is UPDATED
    assert outcome(shop, WON, at=NOW + DAY).change is UNCHANGED
    assert outcome(shop, LOST, at=NOW + 2 * DAY).change is UPDATED
    dated = outcome(shop, WON, closed_at=NOW - DAY, at=NOW + 3 * DAY)
    assert (dated.change, dated.lead.outcome, dated.lead.closed_at) == (UPDATED, WON, NOW - DAY)
    # A date that is told counts above none, and a later one above an earlier.
    kept = outcome(shop, LOST, at=NOW + 4 * DAY)
    assert (kept.change, kept.lead) == (UNCHANGED, dated.lead)
    assert outcome(shop, LOST, closed_at=NOW - 2 * DAY).lead == dated.lead
    assert lead(shop, at=NOW + 5 * DAY).lead == dated.lead
    (row,) = shop.read_history().leads.to_dicts()
    assert (row["outcome"], row["closed_at"], row["outcome_known_at"]) == (
        "won",
        NOW - DAY,
        NOW - DAY,
    )


def test_an_outcome_without_a_date_is_known_since_it_was_told(shop: Crm) -> None:
    contact(shop)
    lead(shop)
    outcome(shop, LOST)
    (row,) = shop.read_history().leads.to_dicts()
    assert (row["closed_at"], row["outcome_known_at"]) == (None, NOW)


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (replace(LEAD, contact_external_id="ben"), Conflict, "another contact's"),
        (replace(LEAD, outcome=OPEN), Conflict, "won already"),
        (replace(LEAD, closed_at=NOW), InvalidInput, "without an outcome"),
        (replace(LEAD, outcome=WON, closed_at=NOW - 10 * DAY), InvalidInput, "before it was"),
        (replace(LEAD, created_at=NOW + DAY), InvalidInput, "created_at lies in the future"),
        (replace(LEAD, known_at=datetime(1900, 1, 1, tzinfo=UTC)), InvalidInput, "before 1901"),
    ],
    ids=["contact", "reopened", "undecided", "backwards", "future", "past"],
)
def test_what_cannot_be_meant_is_refused(
    shop: Crm, words: LeadWords, error: type[Exception], said: str
) -> None:
    contact(shop)
    contact(shop, who="ben", words=ContactWords())
    lead(shop, replace(LEAD, outcome=WON))
    with pytest.raises(error, match=said):
        lead(shop, words)


def test_the_outcome_of_an_unknown_lead_is_refused(shop: Crm) -> None:
    with pytest.raises(NotFound, match="no lead with this id"):
        outcome(shop, WON)


def test_messages_are_written_once_and_refused_alone(shop: Crm) -> None:
    contact(shop)
    told = (
        message(1),
        message(2, conversation_external_id="k1"),
        message(3, contact_external_id="nobody"),
        message(4, at=NOW + DAY),
        message(5, direction="up"),
        message(6),
    )
    report = posted(shop, *told)
    assert report.counts == TableCounts(accepted=3, rejected=3)
    assert report.rejections.select("row_number", "column").rows() == [
        (2, "contact_external_id"),
        (3, "sent_at"),
        (4, "direction"),
    ]
    again = posted(shop, *told)
    assert again.counts == TableCounts(duplicate=3, rejected=3)
    counts = shop.counts()
    assert (counts.messages, counts.conversations) == (3, 1)


def test_a_thousand_messages_are_taken_and_no_more(shop: Crm) -> None:
    contact(shop)
    many = [message(number) for number in range(MOST_MESSAGES + 1)]
    with pytest.raises(InvalidInput, match="1,001 messages"):
        posted(shop, *many)
    assert posted(shop, *many[1:]).counts.accepted == MOST_MESSAGES
    assert posted(shop).counts == TableCounts()


def test_a_message_takes_the_place_of_its_placeholder(shop: Crm) -> None:
    contact(shop)
    posted(shop, message(1, kind="untold", text=None))
    report = posted(shop, message(1))
    assert report.counts == TableCounts(accepted=1, updated=1)
    assert shop.read_history().messages["text"].to_list() == ["hi"]


def test_nothing_of_the_forgotten_comes_in(shop: Crm) -> None:
    contact(shop)
    lead(shop)
    posted(shop, message(1))
    forget(shop)
    for told in (
        lambda: contact(shop),
        lambda: contact(shop, who="new id", words=ContactWords(phone="0034 600 111 222")),
        lambda: lead(shop),
        lambda: outcome(shop, WON),
    ):
        with pytest.raises(ContactForgotten, match="refused as forgotten") as refused:
            told()
        assert "ana" not in str(refused.value).lower()
    report = posted(shop, message(1), message(2))
    assert report.rejections.select("reason", "value").rows() == [("forgotten", None)] * 2
    counts = shop.counts()
    assert (counts.contacts, counts.leads, counts.messages, counts.facts) == (0, 0, 0, 0)


def test_made_up_records_stay_apart(shop: Crm) -> None:
    known = dict.fromkeys(CONTACTS) | {"external_id": "c", "created_at": NOW}
    shop.write(Records(contacts=pl.DataFrame([known], CONTACTS)), source=SIMULATED)
    for told in (lambda: contact(shop), lambda: lead(shop), lambda: posted(shop, message(1))):
        with pytest.raises(Conflict, match="generated records"):
            told()


def test_time_passes_by_what_happened_and_never_by_the_clock(shop: Crm) -> None:
    contact(shop, replace(ANA, created_at=NOW - 900 * DAY))
    assert observed(shop) == []
    posted(shop, message(1, at=NOW - 3 * DAY), message(2, at=NOW - DAY), at=NOW + 99 * DAY)
    assert observed(shop) == [("api", NOW - 3 * DAY, NOW - DAY)]
    lead(shop, replace(LEAD, outcome=WON, closed_at=NOW))
    assert observed(shop) == [("api", NOW - 9 * DAY, NOW)]
    contact(shop, replace(ANA, churned_at=NOW + DAY), at=NOW + DAY)
    assert observed(shop) == [("api", NOW - 9 * DAY, NOW + DAY)]


def test_telling_of_one_walks_through_nobody_elses_rows(shop: Crm) -> None:
    contact(shop, who="ben")
    with walks_of(shop.database) as walks:
        for day in range(2):
            contact(shop, replace(ANA, name=f"Ana {day}"), at=NOW + day * DAY)
            lead(shop, at=NOW + day * DAY)
            outcome(shop, WON, at=NOW + day * DAY)
            posted(shop, *(message(10 * day + n, at=NOW + day * DAY) for n in range(3)))
    assert walks == []
