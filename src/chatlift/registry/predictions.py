"""The log of answers that were served; rows are added, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, select

from chatlift.records import INSTANT
from chatlift.store.bulk import insert_new, own_among, read_columns, stored_number, table_of
from chatlift.store.database import Database
from chatlift.store.registry_tables import PredictionRow
from chatlift.store.tables import ContactRow
from chatlift.vocabulary import ModelName

LOGGED, CONTACTS = table_of(PredictionRow), table_of(ContactRow)
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
SERVED_BY = pl.Schema({**SERVED, "model": pl.String(), "predicted_at": INSTANT})
"""The same of any model, each with the instant at which it was given."""


class Predictions:
    """The served answers of one account; safe across threads and processes."""

    def __init__(self, database: Database, account_id: int) -> None:
        self._database = database.of_account(account_id)
        self._account_id = account_id

    def log(self, model: ModelName, served: pl.DataFrame, *, now: datetime) -> int:
        """Add answers, one row each as `SERVED` says; return how many."""
        return self.log_all(
            served.select(pl.col(n).cast(t) for n, t in SERVED.items()).with_columns(
                model=pl.lit(str(model)), predicted_at=pl.lit(now, dtype=INSTANT)
            )
        )

    def log_all(self, served: pl.DataFrame) -> int:
        """Add answers of any model, as `SERVED_BY` says; return how many.

        One about a contact that was forgotten since it was served is not kept.
        """
        with self._database.write() as connection:
            known = self._known(connection, served["contact_id"].drop_nulls().unique().to_list())
            is_kept = pl.col("contact_id").is_null() | pl.col("contact_id").is_in(known)
            owned = served.filter(is_kept).with_columns(account_id=pl.lit(self._account_id))
            return insert_new(connection, LOGGED, owned)

    def _known(self, connection: Connection, contact_ids: Sequence[int]) -> Sequence[int]:
        """Return which of these contacts there are, and keep them from being forgotten meanwhile.

        Whoever forgets holds their rows to the end, so this waits for it and then misses them.
        """
        there = select(CONTACTS.c.contact_id).where(
            own_among(connection, CONTACTS.c.contact_id, contact_ids)
        )
        return connection.scalars(there.with_for_update(read=True, key_share=True)).all()

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
