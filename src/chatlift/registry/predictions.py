"""The log of answers that were served; rows are added, never changed."""

from __future__ import annotations

from datetime import datetime

import polars as pl
from sqlalchemy import select

from chatlift.records import INSTANT
from chatlift.store.bulk import insert_new, read_columns, stored_number, table_of
from chatlift.store.database import Database
from chatlift.store.registry_tables import PredictionRow
from chatlift.vocabulary import ModelName

LOGGED = table_of(PredictionRow)
SERVED = pl.Schema(
    {
        "version_number": pl.Int64(),
        "entity_id": pl.Int64(),
        "contact_id": pl.Int64(),
        "features_fingerprint": pl.String(),
        "probability": pl.Float64(),
        "as_of": INSTANT,
    }
)
"""One row per answer. `probability` 0 to 1; null `contact_id`: the entity belongs to none."""


class Predictions:
    """The served answers of one account; safe across threads and processes."""

    def __init__(self, database: Database, account_id: int) -> None:
        self._database = database.of_account(account_id)
        self._account_id = account_id

    def log(self, model: ModelName, served: pl.DataFrame, *, now: datetime) -> int:
        """Add answers, one row each as `SERVED` says; return how many."""
        rows = served.select(pl.col(n).cast(t) for n, t in SERVED.items()).with_columns(
            account_id=pl.lit(self._account_id),
            model=pl.lit(str(model)),
            predicted_at=pl.lit(now, dtype=INSTANT),
        )
        with self._database.write() as connection:
            return insert_new(connection, LOGGED, rows)

    def list(self, model: ModelName, *, limit: int = 1000) -> pl.DataFrame:
        """Return the newest answers, newest first: `SERVED` and `predicted_at`."""
        schema = pl.Schema({**SERVED, "predicted_at": INSTANT})
        columns = [
            stored_number(LOGGED.c[n]) if t == INSTANT else LOGGED.c[n] for n, t in schema.items()
        ]
        statement = (
            select(*columns)
            .where(LOGGED.c.account_id == self._account_id, LOGGED.c.model == model)
            .order_by(LOGGED.c.prediction_id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return read_columns(connection, statement, schema)
