"""Accounts: the businesses whose records an installation keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import Column, Connection, Row, select, update

from chatlift.errors import Conflict, InvalidInput, NotFound
from chatlift.store.bulk import insert_new, table_of
from chatlift.store.database import Database
from chatlift.store.tables import AccountRow

LONGEST_NAME = 63
NAME = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST_NAME - 1}}}")


@dataclass(frozen=True, kw_only=True)
class Account:
    """One business."""

    account_id: int
    name: str
    time_zone: str
    """IANA name of the zone in which its hours and weekdays are read."""
    settings: Mapping[str, Any]
    """Its own choices, such as targets and readiness floors; empty means the defaults."""


def ensure_account(database: Database, name: str, *, time_zone: str) -> Account:
    """Return the account called `name`, made on first use with `time_zone`.

    An account that exists keeps the zone it has.
    """
    everything = database.across_accounts()
    with everything.read() as connection:
        found = _find(connection, name)
    if found is None:
        new = pl.DataFrame({"name": [name], "time_zone": [time_zone], "settings": ["{}"]})
        with everything.write() as connection:
            insert_new(connection, table_of(AccountRow), new)
            found = _find(connection, name)
    if found is None:
        raise RuntimeError(f"The account {name!r} was written and is not there.")
    return found


def account_numbered(database: Database, account_id: int) -> Account:
    """Return the account of this number.

    Raises
    ------
    NotFound
        If there is none.
    """
    with database.of_account(account_id).read() as connection:
        wanted = select(*_shown()).where(AccountRow.account_id == account_id)
        row: Row[Any] | None = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotFound(f"No account has the number {account_id}.")
    return Account(**row._mapping)


def create_account(database: Database, name: str, *, time_zone: str) -> Account:
    """Make a new account.

    Raises
    ------
    InvalidInput
        If the name cannot be one: it stands in commands, tokens and paths.
    Conflict
        If there is one of that name.
    """
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"An account cannot be called {name!r}. Use up to {LONGEST_NAME} small letters, "
            "digits, hyphens and underscores, the first a letter or digit, such as corner-shop."
        )
    if find_account(database, name) is not None:
        raise Conflict(f"There is an account called {name!r} already. See `chatlift account list`.")
    return ensure_account(database, name, time_zone=time_zone)


def find_account(database: Database, name: str) -> Account | None:
    """Return the account called `name`; None if there is none."""
    with database.across_accounts().read() as connection:
        return _find(connection, name)


def all_accounts(database: Database) -> tuple[Account, ...]:
    """Return every account, by name."""
    with database.across_accounts().read() as connection:
        found = connection.execute(select(*_shown()).order_by(AccountRow.name))
        return tuple(Account(**row._mapping) for row in found)


def save_settings(database: Database, account_id: int, settings: Mapping[str, Any]) -> None:
    """Put an account's own choices in place of those it had.

    An `Account` read before keeps the old ones; open the workspace again to see the new.

    Raises
    ------
    NotFound
        If there is no such account.
    """
    _update(database, account_id, settings=dict(settings))


def save_time_zone(database: Database, account_id: int, time_zone: str) -> None:
    """Let an account's hours and weekdays be read in another zone, by its IANA name.

    What is known of its records changes with that, so it counts as a change of them.

    Raises
    ------
    NotFound
        If there is no such account.
    """
    revision = table_of(AccountRow).c.records_revision
    _update(database, account_id, time_zone=time_zone, records_revision=revision + 1)


def _update(database: Database, account_id: int, **values: Any) -> None:
    chosen = update(table_of(AccountRow)).where(AccountRow.account_id == account_id)
    with database.of_account(account_id).write() as connection:
        if not connection.execute(chosen.values(values)).rowcount:
            raise NotFound(f"No account has the number {account_id}; settings were not saved.")


def _find(connection: Connection, name: str) -> Account | None:
    statement = select(*_shown()).where(AccountRow.name == name)
    row: Row[Any] | None = connection.execute(statement).one_or_none()
    return None if row is None else Account(**row._mapping)


def _shown() -> list[Column[Any]]:
    columns = table_of(AccountRow).c
    return [columns[field] for field in Account.__dataclass_fields__]
