"""How an account's rows become a `History`: straight into columns, on both databases.

SQLite is read through the one SQLite library that the process already has; a second one in
the same process would drop its file locks (`docs/decisions/0002-one-sqlite-library.md`).
PostgreSQL is read by ADBC, except for a few contacts (`reading_contacts`), where a new connection
costs more than the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from sqlalchemy import Column, Connection, Integer, Select, Table, cast, null, select
from sqlalchemy.dialects import postgresql

from chatlift import history
from chatlift.history import History
from chatlift.store.base import Base
from chatlift.store.bound import vouch_for_statement
from chatlift.store.bulk import AnySelect, read_all, read_columns, stored_number, table_of
from chatlift.store.database import Database
from chatlift.store.linking import linked
from chatlift.store.reading_contacts import read_contacts
from chatlift.store.tables import (
    AccountRow,
    ContactRow,
    FactRow,
    LeadRow,
    MessageRow,
    ObservationGapRow,
    ObservationRow,
)

ReadColumns = Callable[[AnySelect, pl.Schema], pl.DataFrame]

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
MESSAGE_ORDER = ["contact_id", "sent_at", "message_id"]
FACT_ORDER = ["subject", "name", "subject_id", "known_at", "fact_id"]
STORED_FACTS = pl.Schema({**history.FACTS, "fact_id": pl.Int64()})


def read_history(
    database: Database, account_id: int, *, contact_ids: Sequence[int] | None, with_text: bool
) -> History:
    """Return the account's records, all of one state of the database."""
    with database.of_account(account_id).read() as connection:
        if contact_ids is not None:
            return read_contacts(connection, contact_ids, with_text=with_text)
        pick = _Pick(account_id)
        if database.is_sqlite:
            return _history(connection, pick, with_text, _by_driver(connection))
        from adbc_driver_postgresql import dbapi

        uri = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with dbapi.connect(uri) as arrow:
            return _history(connection, pick, with_text, _by_arrow(connection, arrow))


def _by_driver(connection: Connection) -> ReadColumns:
    def read(statement: AnySelect, schema: pl.Schema) -> pl.DataFrame:
        key = _primary_key(statement)
        if key is None:
            return read_columns(connection, statement, schema)
        return read_all(connection, statement, key, schema)

    return read


def _primary_key(statement: AnySelect) -> Column[int] | None:
    """Return the number that the rows of the only table behind `statement` go by."""
    (table,) = statement.get_final_froms()
    keys = list(table.primary_key) if isinstance(table, Table) else []
    return keys[0] if len(keys) == 1 else None


def _by_arrow(connection: Connection, arrow: Any) -> ReadColumns:
    with arrow.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def read(statement: AnySelect, schema: pl.Schema) -> pl.DataFrame:
        vouch_for_statement(connection, statement)
        compiled = statement.compile(dialect=POSTGRESQL, compile_kwargs={"literal_binds": True})
        with arrow.cursor() as cursor:
            cursor.execute(str(compiled))
            rows = pl.from_arrow(cursor.fetch_arrow_table())
        if not isinstance(rows, pl.DataFrame):
            raise TypeError("ADBC returned no table.")
        return rows.rename(dict(zip(rows.columns, schema, strict=True))).cast(schema)

    return read


def _history(connection: Connection, pick: _Pick, with_text: bool, read: ReadColumns) -> History:
    facts = read(pick.facts(), STORED_FACTS)
    told = History(
        contacts=read(pick.contacts(), history.CONTACTS).sort("contact_id"),
        messages=read(pick.messages(with_text=with_text), history.MESSAGES).sort(MESSAGE_ORDER),
        leads=read(pick.leads(), history.LEADS).sort("lead_id"),
        facts=facts.sort(FACT_ORDER).drop("fact_id"),
        observations=read(pick.observations(), history.OBSERVATIONS).sort("source"),
        contact_observations=read(pick.contact_observations(), history.CONTACT_OBSERVATIONS).sort(
            "contact_id"
        ),
        gaps=read(pick.gaps(), history.GAPS).sort("source", "gap_from"),
        time_zone=connection.scalar(pick.time_zone()) or "UTC",
    )
    return linked(connection, pick.account_id, told, is_whole=True)


class _Pick:
    """The statements that pick an account's rows."""

    def __init__(self, account_id: int) -> None:
        self.account_id = account_id

    def contacts(self) -> AnySelect:
        row = ContactRow
        columns = select(
            row.contact_id,
            row.external_id,
            row.source,
            stored_number(row.created_at.expression),
            stored_number(row.churned_at.expression),
        )
        return self._mine(columns, row)

    def messages(self, *, with_text: bool) -> AnySelect:
        row = MessageRow
        columns = select(
            row.message_id,
            row.contact_id,
            row.conversation_id,
            row.direction,
            row.kind,
            row.text if with_text else null().label("text"),
            stored_number(row.sent_at.expression),
            cast(row.is_automatic, Integer).label("is_automatic"),
        )
        return self._mine(columns, row)

    def leads(self) -> AnySelect:
        row = LeadRow
        columns = select(
            row.lead_id,
            row.external_id,
            row.contact_id,
            stored_number(row.created_at.expression),
            row.outcome,
            stored_number(row.closed_at.expression),
            stored_number(row.outcome_known_at.expression),
        )
        return self._mine(columns, row)

    def facts(self) -> AnySelect:
        row = FactRow
        columns = select(
            row.subject,
            row.subject_id,
            row.name,
            row.value,
            stored_number(row.known_at.expression),
            row.fact_id,
        )
        return self._mine(columns, row)

    def observations(self) -> AnySelect:
        row = ObservationRow
        return select(
            row.source,
            stored_number(row.observed_from.expression),
            stored_number(row.observed_through.expression),
        ).where(row.account_id == self.account_id)

    def contact_observations(self) -> AnySelect:
        row = ContactRow
        columns = select(row.contact_id, stored_number(row.observed_through.expression))
        return self._mine(columns.where(row.observed_through.is_not(None)), row)

    def gaps(self) -> AnySelect:
        row = ObservationGapRow
        return select(
            row.source,
            stored_number(row.gap_from.expression),
            stored_number(row.gap_through.expression),
        ).where(row.account_id == self.account_id)

    def time_zone(self) -> Select[str]:
        return select(AccountRow.time_zone).where(AccountRow.account_id == self.account_id)

    def _mine(self, statement: AnySelect, row: type[Base]) -> AnySelect:
        """Keep the account's rows.

        Adding nothing keeps SQLite from walking an index where it should walk the table.
        """
        return statement.where(table_of(row).c.account_id + 0 == self.account_id)
