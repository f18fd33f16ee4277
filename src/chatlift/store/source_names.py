"""Which sources an account has, found without a walk through all that they told."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Table, func, select


def source_names(table: Table, account: int | ColumnElement[int]) -> Any:
    """Return the statement that selects the sources of an account's rows in `table`.

    Each is found in the index on account and source by the one before it.
    """
    first = select(func.min(table.c.source).label("source")).where(table.c.account_id == account)
    found = first.cte("sources", recursive=True)
    others = table.alias("others")
    following = (
        select(func.min(others.c.source))
        .where(others.c.account_id == account, others.c.source > found.c.source)
        .scalar_subquery()
    )
    found = found.union_all(select(following).where(found.c.source.is_not(None)))
    return select(found.c.source).where(found.c.source.is_not(None))
