"""Which statements walk through rows that they do not ask for, by the databases' own plans.

An account may have a hundred thousand contacts, so what is done for one looks up that one's rows; a
search by the account alone is a walk through those of all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from chatlift.store.database import Database

GROWING = (
    "contacts|people|contact_links|conversations|messages|message_links|leads|facts|predictions"
)
"""Tables of which an account may have any number of rows, and their other names in statements."""
SCAN = re.compile(rf"SCAN ({GROWING})\b")
WALK = re.compile(rf"SEARCH ({GROWING}) USING .*\(account_id=\?( AND source=\?)?\)( LEFT-JOIN)?$")
WHOLE = re.compile(rf"Seq Scan on ({GROWING})\b")
FIRST_ROW = "SETUP"
"""A recursion starts at the first entry of an index, which says that it is searched as a whole."""
TIES = "ix_facts_ties"
"""Ties are what was told of as the same person; there are few."""


@contextmanager
def walks_of(database: Database) -> Iterator[list[str]]:
    """Collect the steps of all statements in the block that walk an account's rows."""
    executed: dict[str, Any] = {}
    found: list[str] = []

    def note(_: Connection, __: object, sql: str, values: Any, ___: object, many: bool) -> None:
        if sql.startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
            executed[sql] = values[0] if many else values

    engine = database._engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)
    with database.across_accounts().read() as connection:
        if not database.is_sqlite:
            # Few rows are sooner read than looked up; so, only where there is no other way.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for sql, values in executed.items():
            explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
            plan = connection.exec_driver_sql(f"{explain} {sql}", values).all()
            walks = walks_in(plan) if database.is_sqlite else scans_in(plan)
            found += [f"{step} for {sql}" for step in walks]


def scans_in(plan: Sequence[Any]) -> list[str]:
    """Return the lines of PostgreSQL's plan that read a whole table, whoever's rows it holds."""
    return [line for (line,) in plan if WHOLE.search(line)]


def walks_in(plan: Sequence[Any]) -> list[str]:
    """Return the steps of SQLite's plan that walk; its rows are number, parent, unused and step."""
    steps = {number: step for number, _, _, step in plan}
    return [
        step
        for _, parent, _, step in plan
        if (SCAN.match(step) or WALK.match(step))
        and steps.get(parent) != FIRST_ROW
        and TIES not in step
    ]
