"""Leads that were derived rather than told: put in place of those of an earlier derivation."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from sqlalchemy import delete, func, select

from chatlift.records import INSTANT
from chatlift.store.bulk import (
    among,
    insert_new,
    read_columns,
    stored_number,
    table_of,
    update_rows,
)
from chatlift.store.crm import Crm
from chatlift.store.revisions import records_changed
from chatlift.store.settling import take_turn
from chatlift.store.tables import ContactRow, LeadRow

LEADS = table_of(LeadRow)
TOLD = pl.Schema(
    {
        "external_id": pl.String(),
        "contact_id": pl.Int64(),
        "created_at": INSTANT,
        "outcome": pl.String(),
        "closed_at": INSTANT,
    }
)
"""One row per derived lead."""
STORED = pl.Schema({"lead_id": pl.Int64()} | dict(TOLD))


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """What became of the derived leads."""

    new: int
    changed: int
    unchanged: int
    gone: int
    """Leads of an earlier derivation that are none any more."""


def leads_of_other_sources(crm: Crm, derived: str, *, contact_source: str | None) -> int:
    """Count the leads that were told and not derived, of contacts of one source or of all."""
    statement = (
        select(func.count())
        .select_from(LeadRow)
        .join(ContactRow, ContactRow.contact_id == LeadRow.contact_id)
        .where(LeadRow.account_id == crm.account_id, LeadRow.source != derived)
    )
    if contact_source is not None:
        statement = statement.where(ContactRow.source == contact_source)
    with crm.database.read() as connection:
        return connection.scalar(statement) or 0


def replace_derived(
    crm: Crm, derived: str, leads: pl.DataFrame, *, contact_source: str | None
) -> Replaced:
    """Put these leads, as `TOLD`, in place of all that were derived, in one transaction.

    A lead that stays keeps its number. Doing it again changes nothing.

    Parameters
    ----------
    contact_source
        Replace only the leads of contacts of this source; None means all.
    """
    mine = (LEADS.c.account_id == crm.account_id) & (LEADS.c.source == derived)
    if contact_source is not None:
        theirs = select(ContactRow.contact_id).where(
            ContactRow.account_id == crm.account_id, ContactRow.source == contact_source
        )
        mine &= LEADS.c.contact_id.in_(theirs)
    columns = [
        stored_number(LEADS.c[name]) if dtype == INSTANT else LEADS.c[name]
        for name, dtype in STORED.items()
    ]
    told = leads.select(list(TOLD))
    with crm.database.write() as connection:
        take_turn(connection, crm.account_id)
        known = read_columns(connection, select(*columns).where(mine), STORED)
        gone = known.join(told, on="external_id", how="anti").get_column("lead_id").to_list()
        is_gone = among(connection, LEADS.c.lead_id, gone)
        connection.execute(delete(LEADS).where(mine, is_gone))
        both = told.join(known, on="external_id", how="left", suffix="_known")
        is_new = pl.col("lead_id").is_null()
        parts = [name for name in TOLD if name != "external_id"]
        differs = pl.any_horizontal(pl.col(n).ne_missing(pl.col(f"{n}_known")) for n in parts)
        changed = both.filter(~is_new & differs)
        update_rows(connection, LEADS, changed.select("lead_id", *parts, *_known_from()))
        new = both.filter(is_new).select(list(TOLD)).with_columns(*_known_from())
        owned = new.with_columns(
            pl.lit(crm.account_id).alias("account_id"), pl.lit(derived).alias("source")
        )
        insert_new(connection, LEADS, owned)
        if gone or changed.height or new.height:
            records_changed(connection, crm.account_id)
    return Replaced(
        new=new.height,
        changed=changed.height,
        unchanged=told.height - new.height - changed.height,
        gone=len(gone),
    )


def _known_from() -> list[pl.Expr]:
    """Return since when the outcome is known: since the sign that told it."""
    names = ("outcome_known_at", "outcome_told_at")
    return [pl.col("closed_at").alias(name) for name in names]
