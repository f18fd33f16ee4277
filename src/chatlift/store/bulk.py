"""Many rows in and out at once, past the object layer, on both databases.

SQLite takes them through the driver's `executemany`, many rows a statement; PostgreSQL takes them
by COPY into a temporary table. Rows come back as the driver's tuples, turned into columns piece
by piece.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import polars as pl
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    and_,
    any_,
    bindparam,
    func,
    select,
    type_coerce,
    update,
)

from chatlift.records import INSTANT
from chatlift.store.base import Base
from chatlift.store.bound import VOUCHED, account_of, vouch_for_rows

FETCHED_ROWS = 10_000
SPAN_ROWS = 4_000
STATEMENT_ROWS = 50
"""Rows of one INSERT into SQLite, which binds at most 32,766 values by a statement."""

AnySelect = Select[*tuple[Any, ...]]
"""A query, whatever its columns."""


def table_of(row_class: type[Base]) -> Table:
    """Return the table behind a mapped class."""
    return cast("Table", row_class.__table__)


def to_storage(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with instants as microseconds and texts without NUL characters.

    PostgreSQL cannot keep a NUL in a text, and a message means the same without it.
    """
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    instants = [name for name, dtype in frame.schema.items() if dtype == INSTANT]
    return frame.with_columns(
        pl.col(texts).str.replace_all("\0", "", literal=True),
        pl.col(instants).to_physical(),
    )


def insert_new(connection: Connection, table: Table, frame: pl.DataFrame) -> int:
    """Insert the rows that break no unique key, in order; return how many those are.

    Parameters
    ----------
    frame
        One row per row to insert; its columns are columns of `table`.

    Raises
    ------
    NotOfThisAccount
        If a row is not of the account of the connection.
    """
    if frame.is_empty():
        return 0
    vouch_for_rows(connection, table, frame)
    if connection.dialect.name == "sqlite":
        return _insert_into_sqlite(connection, table, to_storage(frame))
    return _copy_into_postgresql(connection, table, to_storage(frame))


def _insert_into_sqlite(connection: Connection, table: Table, stored: pl.DataFrame) -> int:
    """Insert many rows by each statement: what a statement costs is half of the time."""
    rest = stored.height % STATEMENT_ROWS
    parts = ((STATEMENT_ROWS, stored.head(stored.height - rest)), (1, stored.tail(rest)))
    inserted = 0
    for rows_at_once, part in parts:
        if not part.is_empty():
            statement = _insert_statement(table, stored.columns, rows_at_once)
            bound = _values(part, rows_at_once)
            inserted += connection.exec_driver_sql(statement, bound, VOUCHED).rowcount
    return inserted


def _values(frame: pl.DataFrame, rows_at_once: int) -> list[tuple[Any, ...]]:
    """Return the values row after row, those of so many rows in one tuple."""
    values: list[Any] = [None] * (frame.height * frame.width)
    for place, column in enumerate(frame):
        values[place :: frame.width] = column.to_list()
    size = rows_at_once * frame.width
    return [tuple(values[start : start + size]) for start in range(0, len(values), size)]


def _insert_statement(table: Table, columns: Sequence[str], rows: int) -> str:
    # The names are our own tables' and columns', never a user's text.
    names = ", ".join(f'"{name}"' for name in columns)
    row = f"({', '.join('?' * len(columns))})"
    values = ", ".join([row] * rows)
    return f"INSERT INTO {table.name} ({names}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608


def _copy_into_postgresql(connection: Connection, table: Table, stored: pl.DataFrame) -> int:
    # The names below are our own tables' and columns', never a user's text.
    names = ", ".join(f'"{name}"' for name in stored.columns)
    staging = f"staging_{table.name}"
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {staging} AS SELECT {names} FROM {table.name} WITH NO DATA",  # noqa: S608
        execution_options=VOUCHED,
    )
    driver = cast("Any", connection.connection)
    with driver.cursor() as cursor, cursor.copy(f"COPY {staging} ({names}) FROM STDIN") as copy:
        for row in stored.iter_rows():
            copy.write_row(row)
    inserted = connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {staging} ON CONFLICT DO NOTHING",  # noqa: S608
        execution_options=VOUCHED,
    ).rowcount
    connection.exec_driver_sql(f"DROP TABLE {staging}")
    return inserted


def update_rows(connection: Connection, table: Table, frame: pl.DataFrame) -> None:
    """Set the columns of `frame` on the account's rows that its primary key column names."""
    if frame.is_empty():
        return
    (key,) = table.primary_key.columns
    changed = [name for name in frame.columns if name != key.name]
    statement = (
        update(table)
        .where(key == bindparam("key_of_row"), table.c.account_id == account_of(connection))
        .values({name: bindparam(f"new_{name}") for name in changed})
    )
    renamed = frame.rename({key.name: "key_of_row"} | {name: f"new_{name}" for name in changed})
    connection.execute(statement, renamed.to_dicts())


def among(
    connection: Connection, column: ColumnElement[Any], values: Sequence[int] | Sequence[str]
) -> ColumnElement[bool]:
    """Return the condition that `column` is one of `values`, of which there may be many."""
    if connection.dialect.name == "sqlite":
        items = func.json_each(json.dumps(list(values))).table_valued("value")
        return column.in_(select(items.c.value))
    kind = String() if isinstance(column.type, String) else BigInteger()
    return column == any_(bindparam(None, list(values), ARRAY(kind)))


def own_among(
    connection: Connection, column: ColumnElement[Any], values: Sequence[int] | Sequence[str]
) -> ColumnElement[bool]:
    """Return the condition that a row is the connection's account's and among the named ones.

    `column` is one of a table with an account, and the primary key or begins an index, by which
    the rows are found however many others the account has.
    """
    # Adding nothing keeps SQLite, which has no statistics at first, from walking all rows of the
    # account to find a few.
    return and_(
        cast("Column[Any]", column).table.c.account_id + 0 == account_of(connection),
        among(connection, column, values),
    )


def stored_number(column: ColumnElement[Any]) -> ColumnElement[int]:
    """Return an instant's column as the number it is stored as, under the same name."""
    return type_coerce(column, BigInteger).label(column.key)


def read_columns(connection: Connection, statement: AnySelect, schema: pl.Schema) -> pl.DataFrame:
    """Return the rows of `statement`, whose columns stand in the order of `schema`.

    Instants come as microseconds and flags as 0 and 1, so that the driver's tuples become
    columns without a Python object per value in between.
    """
    pieces = [to_frame([], schema)]
    with connection.execute(statement) as result:
        cursor = cast("Any", result.cursor)
        while rows := cursor.fetchmany(FETCHED_ROWS):
            pieces.append(to_frame(rows, schema))
    return pl.concat(pieces)


def read_all(
    connection: Connection, statement: AnySelect, key: Column[int], schema: pl.Schema
) -> pl.DataFrame:
    """Return all rows of `statement` from SQLite, a span of the primary key `key` at a time.

    SQLite hands over each column of a span as one JSON array: three times as fast as a
    tuple per row.
    """
    # Adding nothing keeps SQLite on the primary key, from whose end it finds this at once.
    is_own = key.table.c.account_id + 0 == account_of(connection)
    last = connection.scalar(select(func.max(key)).where(is_own)) or 0
    pieces = [to_frame([], schema)]
    for start in range(0, last + 1, SPAN_ROWS):
        rows = statement.where(key.between(start, start + SPAN_ROWS - 1)).subquery()
        arrays = connection.execute(select(*(func.json_group_array(c) for c in rows.c))).one()
        columns = [json.loads(array) for array in arrays]
        pieces.append(_frame_of_columns(columns, schema))
    return pl.concat(pieces)


def to_frame(rows: Sequence[tuple[Any, ...]], schema: pl.Schema) -> pl.DataFrame:
    """Return the driver's tuples as a frame of that schema."""
    if not rows:
        return _nothing(tuple(schema.items()))
    kept = {name: _kept_as(dtype) for name, dtype in schema.items()}
    frame = pl.DataFrame(rows, schema=kept, orient="row")
    columns = zip(frame.get_columns(), schema.values(), strict=True)
    return pl.DataFrame([c if c.dtype == dtype else c.cast(dtype) for c, dtype in columns])


@cache
def _nothing(columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(columns))


def _kept_as(dtype: pl.DataType) -> pl.DataType:
    """Return as what the driver hands over a column: instants and flags come as numbers."""
    return dtype if dtype in (pl.String, pl.Float64) else pl.Int64()


def _frame_of_columns(columns: Sequence[list[Any]], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame(
        [
            _column(name, values, dtype)
            for (name, dtype), values in zip(schema.items(), columns, strict=True)
        ]
    )


def _column(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    return pl.Series(name, values, _kept_as(dtype)).cast(dtype)
