"""How an account's rows become a `History`: straight into columns, on both databases.

SQLite is read through the one SQLite library that the process already has; a second one in
the same process would drop its file locks (`docs/decisions/0002-one-sqlite-library.md`).
PostgreSQL is read by ADBC, except for a few contacts, where a new connection costs more than
the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from adbc_driver_postgresql import dbapi
from sqlalchemy import Connection, Integer, cast, null, select
from sqlalchemy.dialects import postgresql

from chatlift import history
from chatlift.history import History
from chatlift.store.bulk import AnySelect, among, read_columns, stored_number
from chatlift.store.database import Database
from chatlift.store.tables import (
    AccountRow,
    ContactRow,
    FactRow,
    LeadRow,
    MessageRow,
    ObservationGapRow,
    ObservationRow,
)
from chatlift.vocabulary import FactSubject

ReadColumns = Callable[[AnySelect, pl.Schema], pl.DataFrame]

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
MESSAGE_ORDER = ["contact_id", "sent_at", "message_id"]
FACT_ORDER = ["subject", "name", "subject_id", "known_at", "fact_id"]
STORED_FACTS = pl.Schema({**history.FACTS, "fact_id": pl.Int64()})


def read_history(
    database: Database, account_id: int, *, contact_ids: Sequence[int] | None, with_text: bool
) -> History:
    """Return the account's records, all of one state of the database."""
    with database.read() as connection:
        if contact_ids is not None or database.is_sqlite:
            return _history(connection, account_id, contact_ids, with_text, _plain(connection))
        uri = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with dbapi.connect(uri) as arrow:
            read = _by_arrow(arrow)
            return _history(connection, account_id, None, with_text, read)


def _plain(connection: Connection) -> ReadColumns:
    return lambda statement, schema: read_columns(connection, statement, schema)


def _by_arrow(arrow: dbapi.Connection) -> ReadColumns:
    with arrow.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def read(statement: AnySelect, schema: pl.Schema) -> pl.DataFrame:
        compiled = statement.compile(dialect=POSTGRESQL, compile_kwargs={"literal_binds": True})
        with arrow.cursor() as cursor:
            cursor.execute(str(compiled))
            rows = pl.from_arrow(cursor.fetch_arrow_table())
        if not isinstance(rows, pl.DataFrame):
            raise TypeError("ADBC returned no table.")
        return rows.rename(dict(zip(rows.columns, schema, strict=True))).cast(schema)

    return read


def _history(
    connection: Connection,
    account_id: int,
    contact_ids: Sequence[int] | None,
    with_text: bool,
    read: ReadColumns,
) -> History:
    pick = _Pick(connection, account_id, contact_ids)
    zone = connection.scalar(
        select(AccountRow.time_zone).where(AccountRow.account_id == account_id)
    )
    messages = read(pick.messages(with_text=with_text), history.MESSAGES)
    facts = pl.concat(read(statement, STORED_FACTS) for statement in pick.facts())
    return History(
        contacts=read(pick.contacts(), history.CONTACTS).sort("contact_id"),
        messages=messages.sort(MESSAGE_ORDER),
        leads=read(pick.leads(), history.LEADS).sort("lead_id"),
        facts=facts.sort(FACT_ORDER).drop("fact_id"),
        observations=read(pick.observations(), history.OBSERVATIONS).sort("source"),
        gaps=read(pick.gaps(), history.GAPS).sort("source", "gap_from"),
        time_zone=zone or "UTC",
    )


class _Pick:
    """The statements that pick an account's rows, or those of some of its contacts."""

    def __init__(
        self, connection: Connection, account_id: int, contact_ids: Sequence[int] | None
    ) -> None:
        self.connection = connection
        self.account_id = account_id
        self.contact_ids = contact_ids

    def contacts(self) -> AnySelect:
        row = ContactRow
        columns = select(
            row.contact_id,
            row.external_id,
            row.source,
            stored_number(row.created_at.expression),
            stored_number(row.churned_at.expression),
        )
        return self._mine(columns.where(row.account_id == self.account_id), row.contact_id)

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
        return self._mine(columns.where(row.account_id == self.account_id), row.contact_id)

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
        return self._mine(columns.where(row.account_id == self.account_id), row.contact_id)

    def facts(self) -> list[AnySelect]:
        row = FactRow
        columns = select(
            row.subject,
            row.subject_id,
            row.name,
            row.value,
            stored_number(row.known_at.expression),
            row.fact_id,
        ).where(row.account_id == self.account_id)
        if self.contact_ids is None:
            return [columns]
        owners = {
            FactSubject.CONTACT: select(ContactRow.contact_id),
            FactSubject.LEAD: select(LeadRow.lead_id),
            FactSubject.MESSAGE: select(MessageRow.message_id),
        }
        keys = {
            FactSubject.CONTACT: ContactRow.contact_id,
            FactSubject.LEAD: LeadRow.contact_id,
            FactSubject.MESSAGE: MessageRow.contact_id,
        }
        return [
            columns.where(
                row.subject == subject,
                row.subject_id.in_(self._mine(owners[subject], keys[subject])),
            )
            for subject in FactSubject
        ]

    def observations(self) -> AnySelect:
        row = ObservationRow
        return select(
            row.source,
            stored_number(row.observed_from.expression),
            stored_number(row.observed_through.expression),
        ).where(row.account_id == self.account_id)

    def gaps(self) -> AnySelect:
        row = ObservationGapRow
        return select(
            row.source,
            stored_number(row.gap_from.expression),
            stored_number(row.gap_through.expression),
        ).where(row.account_id == self.account_id)

    def _mine(self, statement: AnySelect, contact_id: Any) -> AnySelect:
        if self.contact_ids is None:
            return statement
        return statement.where(among(self.connection, contact_id, self.contact_ids))
