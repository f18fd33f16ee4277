from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from sqlalchemy import select

from chatlift.records import (
    ALWAYS,
    CONTACTS,
    CONVERSATIONS,
    FACTS,
    LEADS,
    MESSAGES,
    SAME_PERSON,
    Records,
)
from chatlift.registry.deliveries import Deliveries, keep_delivery
from chatlift.registry.secret_box import SecretBox
from chatlift.registry.webhooks import Webhooks
from chatlift.store.accounts import ensure_account
from chatlift.store.base import Base
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.forgetting import Forgetting, compact, complete, open_receipt, was_forgotten
from chatlift.store.imports import REJECTED, record_batch
from chatlift.store.known_contacts import find_contacts, identity_of, same_person
from chatlift.store.tombstones import tombstone_key
from chatlift.vocabulary import SIMULATED, WebhookKind

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SHOP = "shop"


def frame(schema: pl.Schema, *rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(schema) | row for row in rows], schema=schema)


def person(who: str, *, phone: str | None = None, phrase: str = "hello") -> Records:
    """A contact with a conversation, a lead, two messages and a fact of each."""
    named = {"contact_external_id": f"contact-{who}"}
    contact = {"external_id": f"contact-{who}", "name": f"Person {who}", "phone": phone}
    talk = {"external_id": f"talk-{who}", "started_at": NOW} | named
    lead = {"external_id": f"lead-{who}", "created_at": NOW, "outcome": "open"} | named
    message = {"direction": "in", "sent_at": NOW, "text": phrase} | named
    said = [message | {"external_id": f"message-{who}-{n}"} for n in range(2)]
    facts = [
        {"subject": kind, "subject_external_id": f"{kind}-{who}{end}", "name": "note"}
        | {"value": f"about {who}", "known_at": NOW}
        for kind, end in (("contact", ""), ("lead", ""), ("message", "-0"))
    ]
    return Records(
        contacts=frame(CONTACTS, contact | {"created_at": NOW}),
        conversations=frame(CONVERSATIONS, talk),
        leads=frame(LEADS, lead),
        messages=frame(MESSAGES, *said),
        facts=frame(FACTS, *facts),
    )


@pytest.fixture
def shop(database: Database) -> Crm:
    """Ana and Ben in the shop; Ana also in the chats, under another id and spelling."""
    account_id = ensure_account(database, "default", time_zone="UTC").account_id
    crm = Crm(database, account_id, tombstone_key=tombstone_key(b"secret", "default"))
    crm.write(person("ana", phone="+34600111222", phrase="purple quokka"), source=SHOP)
    crm.write(person("ben", phone="+34600333444"), source=SHOP)
    crm.write(person("a-in-chat", phone="0034 600 111 222"), source="chats")
    return crm


def everything(database: Database) -> str:
    """All cells of all tables."""
    with database.across_accounts().read() as connection:
        tables = Base.metadata.sorted_tables
        return "\n".join(str(row) for t in tables for row in connection.execute(select(t)))


def forget(crm: Crm, wanted: str) -> None:
    found = same_person(crm, find_contacts(crm, wanted))
    forgetting = Forgetting(crm, found)
    forgetting.begin(now=NOW)
    identity = identity_of(crm, found)
    forgetting.delete_rejected(identity)
    forgetting.mask_texts(identity)
    while forgetting.delete_messages(now=NOW):
        pass
    forgetting.delete_contacts()


def counted(crm: Crm) -> Mapping[str, int]:
    receipt = open_receipt(crm)
    assert receipt is not None
    return receipt.counts


def reject(crm: Crm, file_name: str, *values: str) -> None:
    rows = [{"table_name": "messages", "file_name": file_name, "value": v} for v in values]
    told = [r | {"row_number": 1, "column_name": "text", "reason": "no"} for r in rows]
    record_batch(
        crm.database,
        crm.account_id,
        source=SHOP,
        imported_at=NOW,
        summary={"messages": {"file_name": file_name}},
        rejected=frame(REJECTED, *told),
    )


def test_a_person_is_found_by_id_or_phone_and_known_in_every_source(shop: Crm) -> None:
    for wanted in ("contact-ana", "+34 600 111222", "contact-a-in-chat"):
        found = same_person(shop, find_contacts(shop, wanted))
        assert {c.external_id for c in found} == {"contact-ana", "contact-a-in-chat"}
    assert find_contacts(shop, "contact-ana", source="chats") == ()
    assert find_contacts(shop, "nobody") == ()


def test_people_who_share_a_phone_are_not_forgotten_with_each_other(shop: Crm) -> None:
    shop.write(person("cleo", phone="+34600333444"), source=SHOP)
    assert len(find_contacts(shop, "+34600333444")) == 2
    forget(shop, "contact-cleo")
    assert shop.counts().contacts == 3
    # Nor is the other turned away by it.
    assert shop.write(person("ben", phone="+34600333444"), source=SHOP).contacts.rejected == 0
    forget(shop, "contact-ben")
    assert shop.write(person("new", phone="+34600333444"), source=SHOP).contacts.rejected == 1


def test_nothing_is_left_of_the_forgotten_and_all_of_the_others(shop: Crm) -> None:
    forget(shop, "contact-ana")
    left = everything(shop.database)
    assert all(word not in left for word in ("ana", "a-in-chat", "600111222", "quokka"))
    assert shop.counts() == replace(
        shop.counts(), contacts=1, conversations=1, leads=1, messages=2, facts=3
    )


def test_the_receipt_counts_by_place_and_names_nobody(shop: Crm) -> None:
    forget(shop, "contact-ana")
    counts = counted(shop)
    assert counts["contacts"] == counts["leads"] == counts["conversations"] == 2
    assert counts["messages"] == 4
    assert counts["facts"] == 6
    # Two ids, one phone, two names, two leads, two conversations; messages' go uncounted.
    assert counts["tombstones"] == 9
    complete(shop, now=NOW)
    assert open_receipt(shop) is None


def test_the_same_records_stay_out_from_then_on(shop: Crm) -> None:
    forget(shop, "contact-ana")
    again = shop.write(person("ana", phone="+34600111222", phrase="purple quokka"), source=SHOP)
    assert again.contacts.rejected == again.leads.rejected == 1
    assert again.messages.rejected == 2
    assert again.facts.rejected == 3
    assert "ana" not in str(again.rejections.rows())
    assert was_forgotten(shop, "contact-ana")
    assert was_forgotten(shop, "600 111 222") is False  # Without its country it is another one.
    assert was_forgotten(shop, "+34 600 111 222")
    assert not was_forgotten(shop, "contact-ben")


def test_refused_rows_that_name_the_person_go_and_file_names_are_masked(shop: Crm) -> None:
    reject(shop, "plain.csv", "lead-ana", "write to +34 600-111-222", "message-ana-1", "lead-ben")
    reject(shop, "Chat with Person ana.txt", "hi")
    forget(shop, "contact-ana")
    left = everything(shop.database)
    assert "lead-ben" in left
    assert all(word not in left for word in ("ana", "111-222"))
    assert "Chat with [forgotten].txt" in left
    assert counted(shop)["rejected_rows"] == 4


def test_refused_rows_whose_reason_holds_the_name_as_a_word_of_ours_stay(shop: Crm) -> None:
    saved = {"external_id": "contact-c", "name": "Messages", "created_at": NOW}
    shop.write(Records(contacts=frame(CONTACTS, saved)), source=SHOP)
    reject(shop, "shop.csv", "of somebody else")
    forget(shop, "contact-c")
    assert counted(shop)["rejected_rows"] == 0
    assert "of somebody else" in everything(shop.database)


@pytest.mark.parametrize(
    "said",
    [
        '{"from": 34600111222}',
        '{"name": "Person \\u0061na"}',
        '{"text": "hi\\nPerson ana"}',
        "no JSON, of +34 600 111 222",
        "[" * 900 + '"contact-ana"' + "]" * 900,
    ],
    ids=["number", "escaped", "line", "text", "deep"],
)
def test_a_delivery_that_could_not_be_read_goes_if_it_names_the_person(
    shop: Crm, said: str
) -> None:
    hooks = Webhooks(shop.database, shop.account_id)
    hook = hooks.create(WebhookKind.CHATWOOT, box=SecretBox("A" * 43), now=NOW).webhook
    for body in (said, '{"from": "contact-ben"}'):
        keep_delivery(shop.database, hook, body.encode(), now=NOW)
    found = same_person(shop, find_contacts(shop, "contact-ana"))
    forgetting = Forgetting(shop, found)
    forgetting.begin(now=NOW)
    assert forgetting.delete_deliveries(identity_of(shop, found)) == 1
    assert counted(shop)["webhook_deliveries"] == 1
    left = Deliveries(shop.database, shop.account_id).next_of(hook.hook_id, after=0, now=NOW)
    assert [delivery.body for delivery in left] == [b'{"from": "contact-ben"}']


def test_a_receipt_goes_on_where_it_was_cut_off(shop: Crm) -> None:
    found = same_person(shop, find_contacts(shop, "contact-ana"))
    begun = Forgetting(shop, found)
    begun.begin(now=NOW)
    begun.delete_messages(now=NOW)
    forget(shop, "contact-ana")
    counts = counted(shop)
    assert (counts["messages"], counts["tombstones"]) == (4, 9)


def test_an_id_under_which_the_person_will_come_stays_out_too(shop: Crm) -> None:
    told = {"subject": "contact", "subject_external_id": "contact-ana", "name": SAME_PERSON}
    moved = frame(FACTS, told | {"value": "contact-new-number", "known_at": ALWAYS})
    shop.write(Records(facts=moved), source=SHOP)
    forget(shop, "contact-ana")
    assert shop.write(person("new-number"), source=SHOP).contacts.rejected == 1
    assert "new-number" not in everything(shop.database)


REACHED = {
    "contacts contact_links conversations messages message_links": "rows go",
    "leads facts predictions scores": "rows go",
    "webhook_deliveries": "read into records before it begins; the unreadable that name it go",
    "rejected_rows": "those that name the contact go",
    "evaluation_predictions": "their ids go",
    "import_batches champion_ledger training_runs": "names in them are masked",
    "forgotten forgettings retraining_marks": "made by forgetting, without an identity",
    "accounts observations observation_gaps versions model_states run_locks": "hold nobody",
    "schedules schedule_slots scoring_jobs scoring_shards": "hold nobody",
    "run_events": "names in them are masked",
    "tokens sessions sign_in_links webhooks": "of those who use Chatlift, not of contacts",
    "installation": "one row for the whole database, about nobody",
}
"""Tables to what forgetting does with them."""


def test_forgetting_knows_every_table() -> None:
    known = {table for tables in REACHED for table in tables.split()}
    assert set(Base.metadata.tables) == known, "say what forgetting does with a new table"


def test_made_up_people_leave_no_tombstones(shop: Crm) -> None:
    shop.write(person("made-up"), source=SIMULATED)
    forget(shop, "contact-made-up")
    assert shop.write(person("made-up"), source=SIMULATED).contacts.accepted == 1


def test_the_database_works_on_after_it_was_compacted(shop: Crm) -> None:
    assert compact(shop.database)
    forget(shop, "contact-ana")
    assert compact(shop.database)
    assert shop.write(person("cleo"), source=SHOP).messages.accepted == 2
