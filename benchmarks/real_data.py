"""Real data sets as files that Chatlift imports, each with its mapping.

The sets lie in a shared folder beside the repository (`CHATLIFT_REAL_DATA` names another) and
never enter it. Each function reads one set, writes CSV files and a mapping into a folder, and
says by which settings the account reads it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from chatlift.records import INSTANT
from chatlift.sources.mapping import SourceMapping, parse_mapping
from chatlift.sources.tables import TableFiles
from chatlift.vocabulary import ModelName

DEFAULT_FOLDER = Path(__file__).resolve().parents[1].parent / "shared" / "data"
START = datetime(2018, 5, 1, tzinfo=UTC)
EXPORTED_AT = datetime(2026, 1, 31, tzinfo=UTC)
DAYS_A_MONTH = 30.4375
PERSON_PAUSE = timedelta(days=41)


@dataclass(frozen=True, kw_only=True)
class RealData:
    """One data set, ready for import."""

    name: str
    model: ModelName
    files: TableFiles
    mapping: SourceMapping
    settings: dict[str, Any] = field(default_factory=dict)
    """Account settings: how this set has to be read."""


def folder() -> Path:
    """Return where the data sets lie; it may not exist."""
    named = os.environ.get("CHATLIFT_REAL_DATA")
    return Path(named) if named else DEFAULT_FOLDER


def persuasion_for_good(target: Path) -> RealData:
    """1,017 talks in which one side asks the other to donate; outcome: donated or not.

    The persuader is the business; the persuadee is the contact (one per person, who may come
    back) and every talk is a lead. The talks have turns but no times, so turn k is given day k:
    the snapshot at the age of 5 days is after 5 exchanges. The outcome is known on day 35, when
    the longest talk has ended.
    """
    source = folder() / "persuasionforgood"
    said = pl.read_csv(source / "full_dialog.csv.gz")
    people = pl.read_csv(source / "full_info.csv.gz", infer_schema_length=None)
    asked = people.filter(pl.col("B4") == 1).select(
        talk="B2", person="B3", donated=pl.col("B6") > 0
    )
    leads = asked.with_columns(created_at=_one_a_day(asked))
    turns = said.filter(pl.col("Unit").is_not_null()).join(
        leads, left_on="B2", right_on="talk", how="inner", maintain_order="left"
    )
    messages = turns.select(
        external_id=pl.format("{}-{}", "B2", ""),
        contact_external_id="person",
        conversation_external_id="B2",
        direction=pl.when(pl.col("B4") == 1).then(pl.lit("in")).otherwise(pl.lit("out")),
        text="Unit",
        sent_at=pl.col("created_at")
        + pl.duration(
            days=pl.col("Turn"), minutes=1 + pl.int_range(pl.len()).over("B2", order_by="")
        ),
    )
    rows = leads.select(
        external_id="talk",
        contact_external_id="person",
        created_at="created_at",
        outcome=pl.when("donated").then(pl.lit("won")).otherwise(pl.lit("lost")),
        closed_at=pl.col("created_at") + pl.duration(days=35),
    )
    # In the order of persons: the store numbers contacts as they come, and folds go by numbers.
    contacts = leads.group_by("person").agg(created_at=pl.col("created_at").min()).sort("person")
    return RealData(
        name="PersuasionForGood",
        model=ModelName.LEAD_SCORING,
        files=TableFiles(
            contacts=_written(
                contacts.select(external_id="person", created_at="created_at"),
                target / "contacts.csv",
            ),
            leads=_written(rows, target / "leads.csv"),
            messages=_written(messages, target / "messages.csv"),
        ),
        mapping=parse_mapping({"exported_at": "2022-12-31T00:00:00Z"}),
        settings={"spans": {"ages_days": [5], "leading_age_days": 5, "horizon_days": 40}},
    )


def _one_a_day(asked: pl.DataFrame) -> pl.Series:
    """Return the instant at which each talk begins: one talk a day, in the order they were held.

    A person's next talk begins at the earliest 41 days after the one before, when that is over.
    """
    order = asked.with_row_index("row").with_columns(
        held=pl.col("talk").str.extract(r"(2018\d{4}.*)")
    )
    begins: dict[int, datetime] = {}
    last: dict[str, datetime] = {}
    for day, (row, person) in enumerate(order.sort("held").select("row", "person").iter_rows()):
        earliest = last.get(person, START - PERSON_PAUSE) + PERSON_PAUSE
        last[person] = begins[row] = max(START + timedelta(days=day), earliest)
    return pl.Series([begins[row] for row in range(asked.height)], dtype=INSTANT)


def telco_churn(target: Path) -> RealData:
    """7,043 contracts with attributes and a churn flag; one snapshot, no messages.

    Created so many months before the export as the tenure says; who churned did so in the last
    30 days. A tenure of 0 means that the contact came within the last month, after the only
    cutoff there can be: those 11 rows take no part.
    """
    source = folder() / "telco_churn" / "Telco-Customer-Churn.csv.gz"
    rows = pl.read_csv(source, infer_schema_length=0).with_columns(
        created_at=pl.lit(EXPORTED_AT)
        - pl.duration(
            seconds=((pl.col("tenure").cast(pl.Float64)) * DAYS_A_MONTH * 86_400).cast(pl.Int64)
        ),
        churned_at=pl.when(pl.col("Churn") == "Yes").then(pl.lit(EXPORTED_AT - timedelta(days=10))),
    )
    attributes = [
        name
        for name in rows.columns
        if name not in {"customerID", "Churn", "tenure", "created_at", "churned_at"}
    ]
    return RealData(
        name="Telco churn",
        model=ModelName.CHURN,
        files=TableFiles(contacts=_written(rows.drop("Churn", "tenure"), target / "contacts.csv")),
        mapping=parse_mapping(
            {
                "exported_at": EXPORTED_AT.isoformat(),
                "contacts": {
                    "external_id": "customerID",
                    "created_at": "created_at",
                    "churned_at": "churned_at",
                    "known": dict.fromkeys(attributes, "creation"),
                },
            }
        ),
        settings={},
    )


def crm_sales_opportunities(target: Path, *, only_closed: bool = True) -> RealData:
    """8,800 opportunities of a made-up company: a negative control without any signal.

    Agent, product and account are vouched for as known from the engagement on; the close value
    is left out. With `only_closed` the deals that were decided, of which nobody can tell the won
    ones; without it also the open ones, among which the account is mostly missing: a column that
    is filled in when a deal closes, and gives it away.
    """
    source = folder() / "crm_sales_opportunities" / "sales_pipeline.csv.gz"
    rows = pl.read_csv(source, infer_schema_length=0).filter(pl.col("engage_date").is_not_null())
    if only_closed:
        rows = rows.filter(pl.col("close_date").is_not_null())

    deals = rows.with_columns(
        pl.col("engage_date").str.to_datetime("%m/%d/%Y", time_zone="UTC"),
        pl.col("close_date").str.to_datetime("%m/%d/%Y", time_zone="UTC"),
    )
    leads = deals.select(
        external_id="opportunity_id",
        contact_external_id=pl.format("buyer-{}", "opportunity_id"),
        created_at="engage_date",
        outcome=pl.col("deal_stage").replace_strict({"Won": "won", "Lost": "lost"}, default="open"),
        closed_at="close_date",
        agent="sales_agent",
        product="product",
        buyer="account",
    )
    contacts = leads.select(external_id="contact_external_id", created_at="created_at")
    return RealData(
        name="CRM sales opportunities",
        model=ModelName.LEAD_SCORING,
        files=TableFiles(
            contacts=_written(contacts, target / "contacts.csv"),
            leads=_written(leads, target / "leads.csv"),
        ),
        mapping=parse_mapping(
            {
                "exported_at": "2017-12-31T00:00:00Z",
                "leads": {
                    "known": dict.fromkeys(("agent", "product", "buyer"), "creation"),
                },
            }
        ),
        settings={"spans": {"horizon_days": 138}},
    )


def _written(rows: pl.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    return path
