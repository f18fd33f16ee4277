"""Every statement is bound to an account, here and nowhere else.

A connection belongs to one account, to none, or was opened across all of them; `Database` hands
them out. Before a statement goes to the database it is looked at: one that touches an account's
table (`store.owning` says which those are and what counts as naming the account) must name the
account of its connection. So a query that forgets the account fails wherever it is tried first,
in a test; and one that is handed the id of another account's row finds nothing.

The statement is read once, when it is compiled, and kept with it: each execution costs a look-up
and a comparison of the parameters. What is not looked at: which parent a new row hangs on, beyond
its account (a message may name another account's contact; whoever writes it looks the contact up
first), and statements on a driver's connection: there are two such places, in `bulk` and
`reading`, and each vouches for what it hands over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import polars as pl
from sqlalchemy import Connection, Engine, Table, event, func, select
from sqlalchemy.sql.compiler import Compiled
from sqlalchemy.sql.elements import ClauseElement

from chatlift.store.owning import (
    ACCOUNT_COLUMN,
    OWNED,
    OWNED_BY,
    WRITTEN_ACCOUNT,
    Owning,
    owned_in_text,
    owning_of,
)

ACCOUNT = "chatlift_account"
"""Execution option of a connection: its account, or `ACROSS`; absent, it belongs to none."""
ACROSS = "across accounts"
VOUCHED = {"chatlift_vouched": True}
"""Execution options of a statement whose rows `vouch_for_rows` has looked at."""


class NotOfThisAccount(RuntimeError):
    """A statement does not name the account of its connection: a fault in the program."""

    def __init__(self, tables: Iterable[str], account_id: int | None, why: str) -> None:
        whose = "no account" if account_id is None else f"account {account_id}"
        super().__init__(
            f"A statement on {', '.join(sorted(tables))} was refused on a connection of {whose}: "
            f"{why} See store/bound.py; docs/decisions/0019-every-query-names-its-account.md "
            "tells why."
        )


UNNAMED = (
    "it does not say whose rows it means. Compare `account_id` with the connection's account in "
    "every SELECT, UPDATE and DELETE, or reach the table by a key from one where that is done."
)
OTHERS = "it names another account."
HOMELESS = (
    "the connection belongs to none. Take it from `database.of_account(account_id)`, or from "
    "`database.across_accounts()` where all accounts are meant."
)
UNSAID = (
    "a row is written without its account as a plain value. Give `account_id`; rows of "
    f"{', '.join(OWNED_BY)} are written by `insert_new`, which looks their parents up."
)


def watch(engine: Engine) -> None:
    """Look at every statement of this engine's connections before it is executed."""
    known: WeakKeyDictionary[Compiled, Owning] = WeakKeyDictionary()

    def look(
        connection: Connection, _cursor: Any, sql: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        scope = connection.get_execution_options().get(ACCOUNT)
        if scope == ACROSS or "chatlift_vouched" in context.execution_options:
            return
        if context.compiled is None:
            _check_text(sql, scope)
            return
        owning = known.get(context.compiled)
        if owning is None:
            owning = known[context.compiled] = owning_of(context.compiled)
        if owning.touched:
            _check(owning, context.compiled_parameters, scope)

    event.listen(engine, "before_cursor_execute", look)


def account_of(connection: Connection) -> int:
    """Return the account that a connection belongs to.

    Raises
    ------
    NotOfThisAccount
        If it belongs to none, or was opened across accounts.
    """
    scope = connection.get_execution_options().get(ACCOUNT)
    if not isinstance(scope, int):
        raise NotOfThisAccount(["an account's table"], None, HOMELESS)
    return scope


def vouch_for_rows(connection: Connection, table: Table, rows: pl.DataFrame) -> None:
    """Look whether rows that go to the driver directly are the connection's account's own.

    Raises
    ------
    NotOfThisAccount
        If they are not, or their parents are not.
    """
    scope = connection.get_execution_options().get(ACCOUNT)
    if scope == ACROSS or table.name not in OWNED:
        return
    if not isinstance(scope, int):
        raise NotOfThisAccount([table.name], None, HOMELESS)
    if table.name in OWNED_BY:
        _check_parents(connection, table, rows)
    elif ACCOUNT_COLUMN not in rows.columns:
        raise NotOfThisAccount([table.name], scope, UNSAID)
    elif rows[ACCOUNT_COLUMN].null_count() or rows[ACCOUNT_COLUMN].unique().to_list() != [scope]:
        raise NotOfThisAccount([table.name], scope, OTHERS)


def vouch_for_statement(connection: Connection, statement: ClauseElement) -> None:
    """Look whether a statement that another driver will execute names the connection's account.

    Raises
    ------
    NotOfThisAccount
        If it does not.
    """
    scope = connection.get_execution_options().get(ACCOUNT)
    compiled = statement.compile(dialect=connection.dialect)
    owning = owning_of(compiled)
    if scope != ACROSS and owning.touched:
        _check(owning, [compiled.params], scope)


def _check_parents(connection: Connection, table: Table, rows: pl.DataFrame) -> None:
    key = OWNED_BY[table.name]
    (parent_key,) = (reference.column for reference in table.c[key].foreign_keys)
    parent, account_id = parent_key.table, account_of(connection)
    wanted = rows[key].unique().to_list()
    # Adding nothing keeps SQLite on the primary key; see `bulk.own_among`.
    mine = select(func.count()).where(parent.c.account_id + 0 == account_id, parent_key.in_(wanted))
    if connection.scalar(mine) != len(wanted):
        raise NotOfThisAccount([table.name], account_id, OTHERS)


@lru_cache(maxsize=256)
def _owned_in_text(sql: str) -> frozenset[str]:
    return owned_in_text(sql)


def _check_text(sql: str, scope: int | None) -> None:
    touched = _owned_in_text(sql)
    if touched:
        raise NotOfThisAccount(touched, scope, HOMELESS if scope is None else UNNAMED)


def _check(owning: Owning, executed: Iterable[Mapping[str, Any]], scope: int | None) -> None:
    if scope is None:
        raise NotOfThisAccount(owning.touched, None, HOMELESS)
    if owning.unowned:
        raise NotOfThisAccount(owning.unowned, scope, UNNAMED)
    for parameters in executed:
        if any(parameters[name] != scope for name in owning.accounts):
            raise NotOfThisAccount(owning.touched, scope, OTHERS)
        if any(parameters[name] != 0 for name in owning.zeros):
            raise NotOfThisAccount(owning.touched, scope, UNNAMED)
        if owning.writes_account:
            _check_written(owning, parameters, scope)


def _check_written(owning: Owning, parameters: Mapping[str, Any], scope: int) -> None:
    written = [value for name, value in parameters.items() if WRITTEN_ACCOUNT.fullmatch(name)]
    if owning.inserts and not written:
        raise NotOfThisAccount(owning.touched, scope, UNSAID)
    if any(value != scope for value in written):
        raise NotOfThisAccount(owning.touched, scope, OTHERS)
