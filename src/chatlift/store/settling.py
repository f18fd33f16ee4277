"""What is put right after a feed's records are written, so that their order does not matter.

Writing keeps what was told first. Two things that a feed tells must not depend on that: a message
takes the place of its placeholder, and a contact or conversation begins with the earliest instant
at which it was seen.
"""

from __future__ import annotations

import polars as pl
from sqlalchemy import Connection, select

from chatlift.records import PROVISIONAL_KINDS, Records
from chatlift.store.base import Base
from chatlift.store.bulk import table_of, update_rows
from chatlift.store.revisions import records_changed
from chatlift.store.tables import AccountRow, ContactRow, ConversationRow, MessageRow
from chatlift.store.writing import Scope, external_ids

RANKS = {kind: rank for rank, kind in enumerate(PROVISIONAL_KINDS)}
TOLD = len(RANKS)
"""Rank of a message that is told itself; lower ones are placeholders."""


def settle(scope: Scope, told: Records) -> int:
    """Put right what these records tell better than those that came before them.

    Returns
    -------
    int
        Messages that took the place of their placeholder, or moved it to an earlier instant.
    """
    take_turn(scope.connection, scope.account_id)
    contacts, conversations = told.contacts, told.conversations
    earlier = _begin_earlier(scope, ContactRow, "contact_id", "created_at", contacts)
    earlier += _begin_earlier(
        scope, ConversationRow, "conversation_id", "started_at", conversations
    )
    completed = _complete_messages(scope, told.messages)
    if earlier + completed:
        records_changed(scope.connection, scope.account_id)
    return completed


def take_turn(connection: Connection, account_id: int) -> None:
    """Wait for others who settle or link this account's records; SQLite's lock sees to that."""
    mine = select(AccountRow.account_id).where(AccountRow.account_id == account_id)
    connection.execute(mine.with_for_update(key_share=True))


def rank_of(kind: pl.Expr) -> pl.Expr:
    """Return how well messages of these kinds are known: placeholders first, told ones last."""
    return kind.replace_strict(RANKS, default=TOLD, return_dtype=pl.Int64)


def _begin_earlier(
    scope: Scope, row_class: type[Base], key: str, column: str, told: pl.DataFrame
) -> int:
    earliest = told.group_by("external_id").agg(pl.col(column).min())
    known = external_ids(scope, row_class, key, earliest["external_id"], [column])
    both = earliest.join(known, on="external_id", suffix="_known")
    earlier = both.filter(pl.col(column) < pl.col(f"{column}_known"))
    update_rows(scope.connection, table_of(row_class), earlier.select(key, column))
    return earlier.height


def _complete_messages(scope: Scope, told: pl.DataFrame) -> int:
    best = (
        told.with_columns(rank=rank_of(pl.col("kind")))
        .sort("rank", "sent_at", descending=[True, False], maintain_order=True)
        .unique("external_id", keep="first", maintain_order=True)
    )
    known = external_ids(
        scope, MessageRow, "message_id", best["external_id"], ["kind", "sent_at"]
    ).filter(pl.col("kind").is_in(PROVISIONAL_KINDS))
    both = best.join(known, on="external_id", suffix="_known")
    stored = rank_of(pl.col("kind_known"))
    is_earlier = (pl.col("rank") == stored) & (pl.col("sent_at") < pl.col("sent_at_known"))
    better = both.filter((pl.col("rank") > stored) | is_earlier)
    columns = ["message_id", "direction", "kind", "text", "sent_at", "is_automatic"]
    update_rows(scope.connection, table_of(MessageRow), better.select(columns))
    return better.height
