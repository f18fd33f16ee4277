from datetime import UTC, datetime

import polars as pl
import pytest

from chatlift.errors import Unavailable
from chatlift.records import CONTACTS, FACTS, LEADS, MESSAGES, Records
from chatlift.store.accounts import ensure_account
from chatlift.store.crm import Crm
from chatlift.store.database import Database
from chatlift.store.tombstones import FORGOTTEN, phone_key, tombstone_key

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = tombstone_key(b"a secret", "default")


def frame(schema: pl.Schema, *rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(schema) | row for row in rows], schema=schema)


def contact(external_id: str, phone: str | None = None) -> Records:
    told = {"external_id": external_id, "phone": phone, "created_at": NOW}
    return Records(contacts=frame(CONTACTS, told))


def all_about(external_id: str) -> Records:
    """A contact with a lead, a message and a fact of each."""
    named = {"contact_external_id": external_id}
    lead = {"external_id": "l1", "created_at": NOW, "outcome": "open"} | named
    message = {"external_id": "m1", "direction": "in", "sent_at": NOW} | named
    facts = [
        {"subject": kind, "subject_external_id": who, "name": "n", "value": "v", "known_at": NOW}
        for kind, who in (("contact", external_id), ("lead", "l1"), ("message", "m1"))
    ]
    return Records(
        contacts=contact(external_id).contacts,
        leads=frame(LEADS, lead),
        messages=frame(MESSAGES, message),
        facts=frame(FACTS, *facts),
    )


@pytest.fixture
def account(database: Database) -> Crm:
    account_id = ensure_account(database, "default", time_zone="UTC").account_id
    return Crm(database, account_id, tombstone_key=KEY)


def leave(crm: Crm, kind: str, value: str, source: str = "shop") -> None:
    with crm.database.write() as connection:
        crm.tombstones(connection, source).leave([(kind, value)], now=NOW)


def test_all_that_a_forgotten_contact_brings_is_refused_without_its_values(account: Crm) -> None:
    leave(account, "contact", "c1")
    written = account.write(all_about("c1"), source="shop")
    assert written.rejections["reason"].to_list() == [FORGOTTEN] * 6
    assert written.rejections["value"].to_list() == [None] * 6
    assert account.counts().contacts == account.counts().messages == 0
    assert written.facts.rejected == 3


def test_others_are_written_beside_the_forgotten(account: Crm) -> None:
    leave(account, "contact", "c1")
    both = pl.concat([contact("c1").contacts, contact("c2").contacts])
    written = account.write(Records(contacts=both), source="shop")
    assert (written.contacts.accepted, written.contacts.rejected) == (1, 1)
    assert written.rejections["row_number"].to_list() == [0]


def test_a_phone_is_the_same_person_in_another_source_and_spelling(account: Crm) -> None:
    leave(account, "phone", "491705550123")
    refused = account.write(contact("new", "0049 170 555 0123"), source="elsewhere")
    assert refused.contacts.rejected == 1
    # Its new id is known from now on too, so news of it without the phone is refused as well.
    again = account.write(contact("new"), source="elsewhere")
    assert again.contacts.rejected == 1


def test_an_id_is_forgotten_in_its_own_source_only(account: Crm) -> None:
    leave(account, "contact", "c1")
    assert account.write(contact("c1"), source="elsewhere").contacts.accepted == 1


def test_without_the_key_nothing_is_written_once_somebody_was_forgotten(account: Crm) -> None:
    leave(account, "contact", "c1")
    for key in (None, tombstone_key(b"another secret", "default")):
        stranger = Crm(account.database, account.account_id, tombstone_key=key)
        with pytest.raises(Unavailable):
            stranger.write(contact("c2"), source="shop")
    assert account.counts().contacts == 0


def test_the_database_alone_does_not_tell_who_was_forgotten(account: Crm) -> None:
    leave(account, "contact", "c1")
    with account.database.read() as connection:
        here = account.tombstones(connection, "shop")
        other = Crm(account.database, account.account_id, tombstone_key=b"guess")
        assert here.digest("contact", "c1") != other.tombstones(connection, "shop").digest(
            "contact", "c1"
        )
        assert "c1" not in here.digest("contact", "c1")


def test_spellings_of_a_phone_are_one() -> None:
    told = {phone_key(p) for p in ("+34 600-111-222", "0034600111222", "34600111222")}
    assert told == {"34600111222"}
    assert phone_key("call me") is None


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("WhatsApp Chat with Ana Inventada.txt", "WhatsApp Chat with [forgotten].txt"),
        ("chat_ana  INVENTADA", "chat_[forgotten]"),
        ("WhatsApp Chat - +34 600 111 222.zip", "WhatsApp Chat - +[forgotten].zip"),
        ("c1 and c2.csv", "[forgotten] and c2.csv"),
        ("contacts.csv", "contacts.csv"),
        ("", ""),
    ],
)
def test_the_forgotten_are_masked_in_names_of_files(account: Crm, text: str, masked: str) -> None:
    assert account.masked(text, source="shop") == text
    for kind, value in (("name", "ana inventada"), ("phone", "34600111222"), ("contact", "c1")):
        leave(account, kind, value)
    assert account.masked(text, source="shop") == masked
