"""What imports did, read back: a list of them, one of them, and the rows that they refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from sqlalchemy import JSON, Column, ColumnElement, Text, cast, func, select

from chatlift.errors import NotFound
from chatlift.store.bulk import AnySelect, among, read_columns
from chatlift.store.database import Database
from chatlift.store.imports import BATCHES, REJECTED, REJECTIONS_KEPT, Batch, batch_from

REJECTED_PAGE = pl.Schema({"rejected_row_id": pl.Int64(), **dict(REJECTED.items())})
"""As `REJECTED`, with the number of each row in the database."""


def batches(
    database: Database,
    account_id: int,
    *,
    most: int | None = None,
    before: int | None = None,
) -> list[Batch]:
    """Return the account's imports, the newest first.

    Parameters
    ----------
    most
        At most so many; None: all.
    before
        Only those with a smaller number; None: from the newest on.
    """
    mine = select(BATCHES).where(BATCHES.c.account_id == account_id)
    if before is not None:
        mine = mine.where(BATCHES.c.batch_id < before)
    with database.of_account(account_id).read() as connection:
        rows = connection.execute(mine.order_by(BATCHES.c.batch_id.desc()).limit(most))
        return [batch_from(row._mapping) for row in rows]


def batch_of(database: Database, account_id: int, batch_id: int) -> Batch:
    """Return one import of the account.

    Raises
    ------
    NotFound
        If the account has none of this number.
    """
    wanted = (BATCHES.c.account_id == account_id) & (BATCHES.c.batch_id == batch_id)
    with database.of_account(account_id).read() as connection:
        row = connection.execute(select(BATCHES).where(wanted)).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no import batch {batch_id}. List them with: chatlift import rejected list"
        )
    return batch_from(row._mapping)


def rejected_rows(database: Database, account_id: int, batch_id: int) -> pl.DataFrame:
    """Return the refused rows of one import of the account as `REJECTED`, in file order."""
    statement = _rejected_of(account_id, batch_id, REJECTED)
    with database.of_account(account_id).read() as connection:
        return read_columns(connection, statement, REJECTED)


def rejected_page(
    database: Database, account_id: int, batch_id: int, *, most: int, after: int = 0
) -> pl.DataFrame:
    """Return at most so many refused rows behind the one numbered `after`, as `REJECTED_PAGE`."""
    statement = _rejected_of(account_id, batch_id, REJECTED_PAGE)
    later = statement.where(REJECTIONS_KEPT.c.rejected_row_id > after).limit(most)
    with database.of_account(account_id).read() as connection:
        return read_columns(connection, later, REJECTED_PAGE)


def rejected_counts(
    database: Database, account_id: int, batch_ids: Sequence[int]
) -> dict[int, int]:
    """Return how many rows these imports of the account refused; those without any are absent."""
    row = REJECTIONS_KEPT.c
    with database.of_account(account_id).read() as connection:
        counted = (
            select(row.batch_id, func.count())
            .join(BATCHES, BATCHES.c.batch_id == row.batch_id)
            .where(BATCHES.c.account_id == account_id)
            .where(among(connection, row.batch_id, batch_ids))
            .group_by(row.batch_id)
        )
        return {found[0]: found[1] for found in connection.execute(counted)}


def _rejected_of(account_id: int, batch_id: int, schema: pl.Schema) -> AnySelect:
    row = REJECTIONS_KEPT.c
    return (
        select(*(_as_text(row[name]) for name in schema))
        .join(BATCHES, BATCHES.c.batch_id == row.batch_id)
        .where(BATCHES.c.account_id == account_id, row.batch_id == batch_id)
        .order_by(row.rejected_row_id)
    )


def _as_text(column: Column[Any]) -> ColumnElement[Any]:
    return cast(column, Text) if isinstance(column.type, JSON) else column
