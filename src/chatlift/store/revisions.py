"""Counting the changes of an account's records: scores of an earlier count are out of date."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update

from chatlift.store.bulk import table_of
from chatlift.store.tables import AccountRow

ACCOUNTS = table_of(AccountRow)
REVISION = select(ACCOUNTS.c.records_revision).where(ACCOUNTS.c.account_id == bindparam("account"))
"""Built once, since every list asks it."""


def records_revision(connection: Connection, account_id: int) -> int:
    """Return how often the account's records have changed."""
    return connection.scalar(REVISION, {"account": account_id}) or 0


def records_changed(connection: Connection, account_id: int) -> None:
    """Count a change of the account's records, in the transaction that makes it.

    On PostgreSQL the account's row is locked by it until the transaction ends. So a transaction
    that may change records takes its turn first (`settling.take_turn`): two that had rows of each
    other's and then wanted this one would wait for each other.
    """
    mine = update(ACCOUNTS).where(ACCOUNTS.c.account_id == account_id)
    connection.execute(mine.values(records_revision=ACCOUNTS.c.records_revision + 1))
