"""What imports did: a batch per import, and the rows that it could not take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import insert, select

from chatlift.store.bulk import insert_new, read_columns, table_of
from chatlift.store.database import Database
from chatlift.store.tables import ImportBatchRow, RejectionRow

REJECTED = pl.Schema(
    {
        "table_name": pl.String,
        "file_name": pl.String,
        "row_number": pl.Int64,
        "line_number": pl.Int64,
        "column_name": pl.String,
        "value": pl.String,
        "reason": pl.String,
    }
)
"""One row per row that an import refused. `row_number` counts data rows from 0; null
`line_number`: the file has no lines; null `value`: the cell was empty."""


def record_batch(
    database: Database,
    account_id: int,
    *,
    source: str,
    imported_at: datetime,
    summary: Mapping[str, Any],
    rejected: pl.DataFrame,
) -> int:
    """Keep what an import did, with its refused rows as `REJECTED`; return the batch's number."""
    table = table_of(ImportBatchRow)
    batch = {
        "account_id": account_id,
        "source": source,
        "imported_at": imported_at,
        "summary": dict(summary),
        "finished_at": imported_at,
    }
    with database.write() as connection:
        batch_id: int = connection.execute(
            insert(table).values(batch).returning(table.c.batch_id)
        ).scalar_one()
        owned = rejected.select(list(REJECTED)).with_columns(pl.lit(batch_id).alias("batch_id"))
        insert_new(connection, table_of(RejectionRow), owned)
    return batch_id


def rejected_rows(database: Database, account_id: int, batch_id: int) -> pl.DataFrame:
    """Return the refused rows of one import of the account as `REJECTED`, in file order."""
    row, batch = RejectionRow, ImportBatchRow
    statement = (
        select(
            row.table_name,
            row.file_name,
            row.row_number,
            row.line_number,
            row.column_name,
            row.value,
            row.reason,
        )
        .join(batch, batch.batch_id == row.batch_id)
        .where(batch.account_id == account_id, row.batch_id == batch_id)
        .order_by(row.rejected_row_id)
    )
    with database.read() as connection:
        return read_columns(connection, statement, REJECTED)
