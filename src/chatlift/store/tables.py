"""The tables of the CRM: who wrote what to whom, and when each thing became known.

Every record has `(account_id, source, external_id)` unique, so that the same file, row or
webhook delivered twice changes nothing. Instants are UTC. Deleting an account, contact or
lead deletes what hangs on it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from chatlift.store.base import BIG_INTEGER, Base, BigInt, PrimaryId


def _owner(column: str) -> Any:
    return mapped_column(BIG_INTEGER, ForeignKey(column, ondelete="CASCADE"))


AccountRef = Annotated[int, _owner("accounts.account_id")]
ContactRef = Annotated[int, _owner("contacts.contact_id")]
LongText = Annotated[str, mapped_column(Text)]

NUMBERS_ARE_NEVER_REUSED = {"sqlite_autoincrement": True}
"""A deleted record's number must not come back as another's: predictions name it."""


class InstallationRow(Base):
    """The one row that tells which installation the database belongs to."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("row_number = 1", name="one_row"),)

    row_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    installation_id: Mapped[str]
    """Random, made with the tables; the folder of artifacts carries the same."""
    secret_fingerprint: Mapped[str | None]
    """Of the secret that keys its words and tombstones; null: none was used yet."""


class AccountRow(Base):
    """One row per business."""

    __tablename__ = "accounts"
    __table_args__ = NUMBERS_ARE_NEVER_REUSED

    account_id: Mapped[PrimaryId]
    name: Mapped[str] = mapped_column(unique=True)
    time_zone: Mapped[str]
    settings: Mapped[dict[str, Any]]
    records_revision: Mapped[BigInt] = mapped_column(server_default="0")
    """Counts the changes of the account's records: scores of an earlier count are out of date."""


class ContactRow(Base):
    """One row per contact; null `churned_at`: no explicit cancellation is known."""

    __tablename__ = "contacts"
    __table_args__ = (
        UniqueConstraint("account_id", "source", "external_id"),
        NUMBERS_ARE_NEVER_REUSED,
    )

    contact_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    source: Mapped[str]
    external_id: Mapped[str]
    name: Mapped[LongText | None]
    phone: Mapped[str | None]
    created_at: Mapped[datetime]
    churned_at: Mapped[datetime | None]
    name_told_at: Mapped[datetime | None]
    phone_told_at: Mapped[datetime | None]
    """Dates of the files that name and phone come from: the newest file's word counts, whatever
    the order of the imports."""
    observed_through: Mapped[datetime | None]
    """The last instant for which this contact's chat is known to be complete, where chats are
    exported one by one; null: its source's."""


class ConversationRow(Base):
    """One row per conversation of a contact."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("account_id", "source", "external_id"),
        NUMBERS_ARE_NEVER_REUSED,
    )

    conversation_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    source: Mapped[str]
    external_id: Mapped[str]
    contact_id: Mapped[ContactRef] = mapped_column(index=True)
    started_at: Mapped[datetime]


class MessageRow(Base):
    """One row per message, as it was first told; what becomes of it later are facts.

    `conversation_id` is no foreign key: a conversation goes only together with its contact or
    source, and so do its messages; checking would need one more index on the largest table.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("account_id", "source", "external_id"),
        Index(None, "contact_id"),
        NUMBERS_ARE_NEVER_REUSED,
    )

    message_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    source: Mapped[str]
    external_id: Mapped[str]
    contact_id: Mapped[ContactRef]
    conversation_id: Mapped[BigInt | None]
    direction: Mapped[str]
    kind: Mapped[str]
    text: Mapped[LongText | None]
    sent_at: Mapped[datetime]
    is_automatic: Mapped[bool]


class LeadRow(Base):
    """One row per lead with its newest outcome; null `outcome_known_at`: still open."""

    __tablename__ = "leads"
    __table_args__ = (
        UniqueConstraint("account_id", "source", "external_id"),
        NUMBERS_ARE_NEVER_REUSED,
    )

    lead_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    source: Mapped[str]
    external_id: Mapped[str]
    contact_id: Mapped[ContactRef] = mapped_column(index=True)
    created_at: Mapped[datetime]
    outcome: Mapped[str]
    closed_at: Mapped[datetime | None]
    outcome_known_at: Mapped[datetime | None]
    outcome_told_at: Mapped[datetime | None]
    """When the outcome came to be, as far as told: its closing, else the date of its file."""


class FactRow(Base):
    """One row per dated value of a contact, lead or message; rows are added, their values stay.

    The one date that may change is that of an import, to the creation of the record (`vouching`).

    Null `value`: known to be empty from then on. The digest of the value stands in the
    unique key for the value itself, which may be longer than an index entry can be.
    """

    __tablename__ = "facts"
    __table_args__ = (
        UniqueConstraint(
            "account_id", "subject_id", "subject", "name", "known_at", "value_digest", "source"
        ),
        Index(
            "ix_facts_ties",
            "account_id",
            sqlite_where=text("name = 'same_person_as'"),
            postgresql_where=text("name = 'same_person_as'"),
        ),
        NUMBERS_ARE_NEVER_REUSED,
    )

    fact_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef]
    source: Mapped[str]
    subject: Mapped[str]
    subject_id: Mapped[BigInt]
    name: Mapped[str]
    value: Mapped[LongText | None]
    value_digest: Mapped[str]
    known_at: Mapped[datetime]


class ObservationRow(Base):
    """One row per account and source: the span for which the source is known to be complete."""

    __tablename__ = "observations"

    account_id: Mapped[AccountRef] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    observed_from: Mapped[datetime]
    observed_through: Mapped[datetime]


class ObservationGapRow(Base):
    """One row per span inside an observation in which the source was not listening."""

    __tablename__ = "observation_gaps"

    account_id: Mapped[AccountRef] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    gap_from: Mapped[datetime] = mapped_column(primary_key=True)
    gap_through: Mapped[datetime]


class ImportBatchRow(Base):
    """One row per import, with what became of the rows of each file.

    Null `finished_at`: it was interrupted, and the same import goes on where `progress` says.
    """

    __tablename__ = "import_batches"
    __table_args__ = NUMBERS_ARE_NEVER_REUSED

    batch_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    source: Mapped[str]
    imported_at: Mapped[datetime]
    summary: Mapped[dict[str, Any]]
    fingerprint: Mapped[str | None] = mapped_column(index=True)
    """Names what was imported and how: the same files and mapping give the same."""
    mapping: Mapped[dict[str, Any] | None]
    progress: Mapped[dict[str, Any] | None]
    finished_at: Mapped[datetime | None]


class RejectionRow(Base):
    """One row per row that an import could not take: where it stood and why it was refused.

    Null `line_number`: the file has no lines, such as Parquet, and `row_number` tells.
    """

    __tablename__ = "rejected_rows"
    __table_args__ = NUMBERS_ARE_NEVER_REUSED

    rejected_row_id: Mapped[PrimaryId]
    batch_id: Mapped[int] = mapped_column(
        BIG_INTEGER, ForeignKey("import_batches.batch_id", ondelete="CASCADE"), index=True
    )
    table_name: Mapped[str]
    file_name: Mapped[str]
    row_number: Mapped[int]
    line_number: Mapped[int | None]
    column_name: Mapped[str]
    value: Mapped[LongText | None]
    reason: Mapped[LongText]
    cells: Mapped[list[Any] | None]
    """All cells of the row as they stood in the file, so that it can be mended."""


class ForgottenRow(Base):
    """One row per id or phone that must not come back: its HMAC, and nothing it could be read from.

    The key lies outside the database (`store.tombstones`), so that neither tells who it was.
    """

    __tablename__ = "forgotten"

    account_id: Mapped[AccountRef] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    forgotten_at: Mapped[datetime]


class ForgettingRow(Base):
    """One row per forgetting: what went from where, in numbers, and nothing of who it was.

    Null `completed_at`: under way, or cut off; `contact_ids` is empty once the contacts are gone.
    """

    __tablename__ = "forgettings"
    __table_args__ = NUMBERS_ARE_NEVER_REUSED

    forgetting_id: Mapped[PrimaryId]
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    begun_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    contact_ids: Mapped[list[Any]]
    counts: Mapped[dict[str, Any]]


class ContactLinkRow(Base):
    """One row per contact that is the same person as a contact written before it.

    Links are derived from phones and ids (`store.linking`); records keep their own contact.
    """

    __tablename__ = "contact_links"

    contact_id: Mapped[int] = mapped_column(
        BIG_INTEGER, ForeignKey("contacts.contact_id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    same_as_contact_id: Mapped[ContactRef] = mapped_column(index=True)


class MessageLinkRow(Base):
    """One row per message that another source tells too; the other is the one that counts.

    `same_as_message_id` is no foreign key, which would need one more index: a link to a message
    that is gone is ignored.
    """

    __tablename__ = "message_links"

    message_id: Mapped[int] = mapped_column(
        BIG_INTEGER, ForeignKey("messages.message_id", ondelete="CASCADE"), primary_key=True
    )
    account_id: Mapped[AccountRef] = mapped_column(index=True)
    same_as_message_id: Mapped[BigInt]
