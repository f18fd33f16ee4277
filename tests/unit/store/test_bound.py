"""What a connection refuses to execute, on both databases."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Connection, func, insert, select, text, update

from chatlift.store.accounts import ensure_account
from chatlift.store.bound import NotOfThisAccount, account_of, vouch_for_statement
from chatlift.store.bulk import insert_new, table_of, update_rows
from chatlift.store.database import Database
from chatlift.store.registry_tables import RetrainingMarkRow
from chatlift.store.tables import AccountRow, ContactRow, ImportBatchRow, RejectionRow

CONTACTS, BATCHES, REJECTED = table_of(ContactRow), table_of(ImportBatchRow), table_of(RejectionRow)
MARKS, ACCOUNTS = table_of(RetrainingMarkRow), table_of(AccountRow)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Two:
    """Two accounts, each with a contact `ana` and an import, seen by the first of them."""

    database: Database
    own: int
    other: int

    @property
    def mine(self) -> Database:
        return self.database.of_account(self.own)

    def contact_of(self, account_id: int) -> int:
        with self.database.of_account(account_id).read() as connection:
            found = select(CONTACTS.c.contact_id).where(CONTACTS.c.account_id == account_id)
            return connection.execute(found).scalar_one()

    def batch_of(self, account_id: int) -> int:
        with self.database.of_account(account_id).read() as connection:
            found = select(BATCHES.c.batch_id).where(BATCHES.c.account_id == account_id)
            return connection.execute(found).scalar_one()

    def names(self) -> dict[int, str | None]:
        """Account to the name of its contact."""
        with self.database.across_accounts().read() as connection:
            rows = connection.execute(select(CONTACTS.c.account_id, CONTACTS.c.name))
            return {row[0]: row[1] for row in rows}


def contact(account_id: int, external_id: str = "ana") -> dict[str, Any]:
    return {
        "account_id": account_id,
        "source": "shop",
        "external_id": external_id,
        "created_at": NOW,
    }


@pytest.fixture
def two(database: Database) -> Two:
    own, other = (
        ensure_account(database, name, time_zone="UTC").account_id for name in ("own", "other")
    )
    for account_id in (own, other):
        batch = {"account_id": account_id, "source": "shop", "imported_at": NOW, "summary": {}}
        with database.of_account(account_id).write() as connection:
            connection.execute(insert(CONTACTS).values(contact(account_id)))
            connection.execute(insert(BATCHES).values(batch))
    return Two(database=database, own=own, other=other)


def refused(database: Database, act: Callable[[Connection], object], why: str) -> None:
    with pytest.raises(NotOfThisAccount, match=why), database.write() as connection:
        act(connection)


def test_a_statement_that_forgets_the_account_is_refused(two: Two) -> None:
    own = two.contact_of(two.own)
    renamed = update(CONTACTS).where(CONTACTS.c.contact_id == own).values(name="Anna")
    refused(two.mine, lambda c: c.execute(renamed), "does not say whose")
    refused(two.mine, lambda c: c.scalar(select(func.count(CONTACTS.c.name))), "on contacts")
    assert two.names() == {two.own: None, two.other: None}


def test_another_accounts_id_is_refused_whenever_it_is_handed_over(two: Two) -> None:
    def count(connection: Connection, account_id: int) -> int | None:
        mine = select(func.count()).where(CONTACTS.c.account_id == account_id)
        return connection.scalar(mine)

    with two.mine.read() as connection:
        assert count(connection, two.own) == 1
    # The same statement, compiled already, with another value.
    refused(two.mine, lambda c: count(c, two.other), "names another account")
    with two.mine.read() as connection:
        assert count(connection, two.own) == 1


def test_an_account_is_compared_as_it_is(two: Two) -> None:
    shifted = select(CONTACTS).where(CONTACTS.c.account_id + 1 == two.own)
    refused(two.mine, lambda c: c.execute(shifted), "does not say whose")


def test_a_key_of_another_account_finds_nothing(two: Two) -> None:
    theirs = two.contact_of(two.other)
    here = (CONTACTS.c.account_id == two.own) & (CONTACTS.c.contact_id == theirs)
    with two.mine.write() as connection:
        assert connection.execute(update(CONTACTS).where(here).values(name="x")).rowcount == 0
        update_rows(connection, CONTACTS, pl.DataFrame({"contact_id": [theirs], "name": ["x"]}))
    assert two.names() == {two.own: None, two.other: None}


def test_a_row_of_another_account_is_not_written(two: Two) -> None:
    theirs = contact(two.other, "ben")
    refused(two.mine, lambda c: c.execute(insert(CONTACTS).values(theirs)), "another account")
    both = [contact(two.own, "ben"), theirs]
    refused(two.mine, lambda c: c.execute(insert(CONTACTS), both), "another account")
    refused(two.mine, lambda c: c.execute(insert(CONTACTS).values(both)), "another account")
    moved = update(CONTACTS).where(CONTACTS.c.account_id == two.own)
    refused(two.mine, lambda c: c.execute(moved.values(account_id=two.other)), "another account")
    homeless = insert(CONTACTS).values(source="shop", external_id="x", created_at=NOW)
    refused(two.mine, lambda c: c.execute(homeless), "without its account")
    looked_up = select(func.min(ACCOUNTS.c.account_id)).where(ACCOUNTS.c.account_id == two.own)
    computed = insert(CONTACTS).values(
        contact(two.own) | {"account_id": looked_up.scalar_subquery()}
    )
    refused(two.mine, lambda c: c.execute(computed), "without its account")


def test_many_rows_at_once_are_looked_at_too(two: Two) -> None:
    def write(connection: Connection, accounts: list[int | None]) -> int:
        rows = [contact(0, f"c{n}") | {"account_id": a} for n, a in enumerate(accounts)]
        return insert_new(connection, CONTACTS, pl.DataFrame(rows))

    with two.mine.write() as connection:
        assert write(connection, [two.own, two.own]) == 2
    refused(two.mine, lambda c: write(c, [two.own, two.other]), "another account")
    refused(two.mine, lambda c: write(c, [two.own, None]), "another account")
    rows = pl.DataFrame([contact(two.own, "x")]).drop("account_id")
    refused(two.mine, lambda c: insert_new(c, CONTACTS, rows), "without its account")
    refused(two.database, lambda c: write(c, [two.own]), "belongs to none")


def test_a_child_hangs_on_a_parent_of_the_account(two: Two) -> None:
    def reject(connection: Connection, batch_id: int) -> int:
        row = {"batch_id": batch_id, "row_number": 0, "reason": "", "table_name": "leads"}
        told = pl.DataFrame([row | {"file_name": "", "column_name": ""}])
        return insert_new(connection, REJECTED, told)

    with two.mine.write() as connection:
        assert reject(connection, two.batch_of(two.own)) == 1
    refused(two.mine, lambda c: reject(c, two.batch_of(two.other)), "another account")
    mark = {"version_id": 1, "forgetting_id": 1, "contact_count": 1}
    refused(two.mine, lambda c: c.execute(insert(MARKS).values(mark)), "on retraining_marks")


def test_who_belongs_to_no_account_sees_no_accounts_table(two: Two) -> None:
    named = select(CONTACTS).where(CONTACTS.c.account_id == two.own)
    refused(two.database, lambda c: c.execute(named), "belongs to none")
    refused(two.database, lambda c: c.execute(select(ACCOUNTS.c.name)), "belongs to none")
    with two.database.write() as connection:
        assert connection.scalar(select(func.length("abc"))) == 3


def test_raw_sql_on_an_accounts_table_is_refused(two: Two) -> None:
    sql = "SELECT count(*) FROM contacts WHERE account_id = 1"
    for database in (two.database, two.mine):
        refused(database, lambda c: c.execute(text(sql)), "on contacts")
        refused(database, lambda c: c.exec_driver_sql(sql), "on contacts")
        with database.read() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_across_accounts_everything_is_seen(two: Two) -> None:
    with two.mine.across_accounts().write() as connection:
        assert connection.scalar(select(func.count(CONTACTS.c.contact_id))) == 2
        assert connection.execute(text("SELECT count(*) FROM contacts")).scalar() == 2
        connection.execute(insert(CONTACTS).values(contact(two.other, "ben")))


def test_a_handle_belongs_to_the_account_named_last(two: Two) -> None:
    with two.mine.of_account(two.other).read() as connection:
        assert account_of(connection) == two.other
    with pytest.raises(NotOfThisAccount), two.database.read() as connection:
        account_of(connection)


def test_a_statement_for_another_driver_is_looked_at(two: Two) -> None:
    own, other = (CONTACTS.c.account_id == account for account in (two.own, two.other))
    with two.mine.read() as connection:
        vouch_for_statement(connection, select(CONTACTS).where(own))
        with pytest.raises(NotOfThisAccount):
            vouch_for_statement(connection, select(CONTACTS))
        with pytest.raises(NotOfThisAccount):
            vouch_for_statement(connection, select(CONTACTS).where(other))


def test_a_refused_statement_tells_no_values(two: Two) -> None:
    secret = select(CONTACTS.c.name).where(CONTACTS.c.phone == "+34600111222")
    with pytest.raises(NotOfThisAccount) as told, two.mine.read() as connection:
        connection.execute(secret)
    assert "34600" not in str(told.value)
