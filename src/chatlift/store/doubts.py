"""Counts of doubtful records that no history shows: shared phones, refused directions."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Text, cast, func, select

from chatlift.store.crm import Crm
from chatlift.store.known_contacts import all_contacts
from chatlift.store.tables import ImportBatchRow, RejectionRow
from chatlift.store.tombstones import phone_key


def contacts_sharing_a_phone(crm: Crm) -> int:
    """Count the contacts that have the phone of another contact of the same source."""
    told = [(contact.source, phone_key(contact.phone)) for contact in all_contacts(crm)]
    counts = Counter((source, digits) for source, digits in told if digits)
    return sum(count for count in counts.values() if count > 1)


def messages_of_unknown_direction(crm: Crm) -> int:
    """Count the messages that imports refused because nobody could tell who wrote them.

    The same row of the same file counts once, however often it was imported.
    """
    row = (ImportBatchRow.source, RejectionRow.file_name, RejectionRow.row_number)
    refused = (
        select(*row, cast(RejectionRow.cells, Text))
        .distinct()
        .select_from(RejectionRow)
        .join(ImportBatchRow, ImportBatchRow.batch_id == RejectionRow.batch_id)
        .where(
            ImportBatchRow.account_id == crm.account_id,
            RejectionRow.table_name == "messages",
            RejectionRow.column_name == "direction",
        )
    )
    with crm.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(refused.subquery())) or 0
