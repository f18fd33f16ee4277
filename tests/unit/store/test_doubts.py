from datetime import UTC, datetime

import polars as pl

from chatlift.records import CONTACTS, Records
from chatlift.store.crm import Crm
from chatlift.store.doubts import contacts_sharing_a_phone, messages_of_unknown_direction
from chatlift.store.imports import REJECTED, record_batch

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_phone_counts_as_shared_within_its_source_only(crm: Crm) -> None:
    phones = {"a": "+34 600 111 222", "b": "0034600111222", "c": "+34600333444", "d": None}
    told = [dict.fromkeys(CONTACTS) | {"external_id": i, "phone": p} for i, p in phones.items()]
    contacts = pl.DataFrame(told, schema=CONTACTS).with_columns(created_at=pl.lit(NOW))
    crm.write(Records(contacts=contacts), source="shop")
    assert contacts_sharing_a_phone(crm) == 2
    crm.write(Records(contacts=contacts.filter(external_id="c")), source="chats")
    assert contacts_sharing_a_phone(crm) == 2


def test_messages_refused_for_their_direction_are_counted(crm: Crm) -> None:
    told = dict.fromkeys(REJECTED) | {"file_name": "f", "row_number": 0, "reason": "no"}
    columns = [("messages", "direction"), ("messages", "sent_at"), ("leads", "direction")]
    rows = [told | {"table_name": table, "column_name": column} for table, column in columns]
    refuse(crm, pl.DataFrame(rows, schema=REJECTED))
    assert messages_of_unknown_direction(crm) == 1


def test_a_row_that_was_refused_in_two_imports_counts_once(crm: Crm) -> None:
    told = dict.fromkeys(REJECTED) | {"file_name": "f", "row_number": 0, "reason": "no"}
    told |= {"table_name": "messages", "column_name": "direction"}
    first = pl.DataFrame([told | {"cells": '["m1", "sideways"]'}], schema=REJECTED)
    refuse(crm, first)
    refuse(crm, first)
    assert messages_of_unknown_direction(crm) == 1
    refuse(crm, pl.DataFrame([told | {"cells": '["m2", "sideways"]'}], schema=REJECTED))
    assert messages_of_unknown_direction(crm) == 2


def refuse(crm: Crm, refused: pl.DataFrame) -> None:
    record_batch(
        crm.database, crm.account_id, source="s", imported_at=NOW, summary={}, rejected=refused
    )
