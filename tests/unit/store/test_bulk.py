from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from sqlalchemy import select

from chatlift.records import INSTANT
from chatlift.store.bulk import STATEMENT_ROWS, insert_new, table_of
from chatlift.store.crm import Crm
from chatlift.store.tables import ContactRow

CONTACTS = table_of(ContactRow)


@pytest.mark.parametrize("count", [1, STATEMENT_ROWS - 1, STATEMENT_ROWS, 2 * STATEMENT_ROWS + 7])
def test_every_new_row_goes_in_once_in_order(crm: Crm, count: int) -> None:
    names = [f"c{n}" for n in range(count)]
    middle = names[count // 2]
    with crm.database.write() as connection:
        assert insert_new(connection, CONTACTS, contacts(crm, [middle])) == 1
        told_twice = [*names, *names[:3]]
        assert insert_new(connection, CONTACTS, contacts(crm, told_twice)) == count - 1
        ordered = select(CONTACTS.c.external_id).where(CONTACTS.c.account_id == crm.account_id)
        stored = connection.execute(ordered.order_by(CONTACTS.c.contact_id)).scalars().all()
    assert stored == [middle, *(name for name in names if name != middle)]


def contacts(crm: Crm, external_ids: list[str]) -> pl.DataFrame:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return pl.DataFrame({"external_id": external_ids}).with_columns(
        account_id=pl.lit(crm.account_id),
        source=pl.lit("shop"),
        created_at=pl.lit(since, dtype=INSTANT),
    )
