"""Facts that are known since an import only, and their change to the creation of their record.

A file that does not say since when its values are known gives them the instant of the import. A
person who knew them earlier may say so afterwards. Only the first value of a record moves; what an
import told later is a change that came later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import aliased

from chatlift.records import INSTANT
from chatlift.store.bulk import AnySelect, read_columns, stored_number, table_of, update_rows
from chatlift.store.crm import Crm
from chatlift.store.revisions import records_changed
from chatlift.store.settling import take_turn
from chatlift.store.tables import ContactRow, FactRow, ImportBatchRow, LeadRow
from chatlift.vocabulary import FactSubject

CHUNK_FACTS = 5_000
"""Facts changed in one transaction, which lasts well below a second."""
RECORDS = {
    FactSubject.CONTACT: (table_of(ContactRow), "contact_id"),
    FactSubject.LEAD: (table_of(LeadRow), "lead_id"),
}
"""What facts are about: the table of these records and its key."""
CHANGES = pl.Schema({"fact_id": pl.Int64(), "known_at": INSTANT})
"""One row per fact to be changed, with its new instant."""


@dataclass(frozen=True, kw_only=True)
class FactColumn:
    """One column of contacts or leads, as facts."""

    subject: FactSubject
    name: str
    import_known_count: int
    """Records whose first value is known since an import only."""

    @property
    def attribute(self) -> str:
        """Return its name among attributes, such as `lead.source`."""
        return f"{self.subject}.{self.name}"


def fact_columns(crm: Crm) -> list[FactColumn]:
    """Return all columns of contacts and leads that there are facts of, sorted by name."""
    named = (
        select(FactRow.subject, FactRow.name)
        .where(FactRow.account_id == crm.account_id, FactRow.subject.in_([*RECORDS]))
        .distinct()
    )
    late: dict[tuple[str, str], int] = {}
    with crm.database.read() as connection:
        columns = sorted(connection.execute(named).all())
        for subject in RECORDS:
            counted = _import_known(crm, subject, FactRow.name.expression, func.count()).group_by(
                FactRow.name
            )
            late |= {(subject, name): count for name, count in connection.execute(counted)}
    return [
        FactColumn(
            subject=FactSubject(subject),
            name=name,
            import_known_count=late.get((subject, name), 0),
        )
        for subject, name in columns
    ]


def date_to_creation(
    crm: Crm,
    column: FactColumn,
    *,
    tell: Callable[[int], None] = lambda _changed: None,
    chunk: int = CHUNK_FACTS,
) -> int:
    """Let the first value of each record be known since its creation; return how many changed.

    Each chunk is a transaction of its own. After a cut the same call changes the rest; when all is
    done it changes nothing.

    Parameters
    ----------
    tell
        Called after each chunk with the number of facts changed so far.
    """
    created_at = stored_number(RECORDS[column.subject][0].c.created_at)
    wanted = _import_known(crm, column.subject, FactRow.fact_id.expression, created_at).where(
        FactRow.name == column.name
    )
    # Looked for before anything is locked: the column may be a small part of many facts.
    with crm.database.read() as connection:
        fact_ids = read_columns(connection, wanted, CHANGES)["fact_id"].sort()
    changed = 0
    for first in range(0, len(fact_ids), chunk):
        ids = fact_ids[first : first + chunk]
        within = wanted.where(FactRow.fact_id.between(ids[0], ids[-1]))
        with crm.database.write() as connection:
            take_turn(connection, crm.account_id)
            rows = read_columns(connection, within, CHANGES)
            update_rows(connection, table_of(FactRow), rows)
            records_changed(connection, crm.account_id)
        changed += rows.height
        tell(changed)
    return changed


def _import_known(crm: Crm, subject: FactSubject, *columns: ColumnElement[Any]) -> AnySelect:
    """Return these columns of the first facts of records that an import dated."""
    records, key = RECORDS[subject]
    record, fact = records.c, FactRow
    return (
        select(*columns)
        .select_from(fact)
        .join(
            records,
            and_(record[key] == fact.subject_id, record.account_id == crm.account_id),
        )
        .where(
            fact.account_id == crm.account_id,
            fact.subject == subject,
            fact.known_at > record.created_at,
            _is_of_import(crm),
            ~_has_earlier(crm),
        )
    )


def _is_of_import(crm: Crm) -> ColumnElement[bool]:
    batch = ImportBatchRow
    return exists().where(
        batch.account_id == crm.account_id,
        batch.source == FactRow.source,
        batch.imported_at == FactRow.known_at,
    )


def _has_earlier(crm: Crm) -> ColumnElement[bool]:
    earlier = aliased(FactRow)
    return exists().where(
        earlier.account_id == crm.account_id,
        earlier.subject_id == FactRow.subject_id,
        earlier.subject == FactRow.subject,
        earlier.name == FactRow.name,
        earlier.source == FactRow.source,
        earlier.known_at < FactRow.known_at,
    )
