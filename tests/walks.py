"""Which statements walk through an account's rows, by SQLite's own plans.

An account may have a hundred thousand contacts, so what is done for one looks up that one's rows; a
search by the account alone is a walk through those of all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from chatlift.store.database import Database

GROWING = "contacts|contact_links|conversations|messages|message_links|leads|facts|predictions"
WALK = re.compile(rf"(SCAN|SEARCH) ({GROWING})( USING .*\(account_id=\?\))?$")
NO_WALKS = "WITH RECURSIVE sources", "ix_facts_ties"
"""The first source is found at the index's beginning; ties are those told of as the same person."""


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
    yield found
    event.remove(engine, "before_cursor_execute", note)
    with database.across_accounts().read() as connection:
        for sql, values in executed.items():
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", tuple(values))
            steps = [row[3] for row in plan]
            told = [f"{step} for {sql}" for step in steps if WALK.match(step)]
            found += [step for step in told if not any(words in step for words in NO_WALKS)]
