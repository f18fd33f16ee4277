"""Sources that lack a kind of data: each alone still trains, through import and training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.businesses import account_of, assert_at_rest, clock_at, quick
from tests.histories import at, business

from chatlift.history import History
from chatlift.sources.mapping import parse_mapping
from chatlift.sources.tables import TableFiles
from chatlift.vocabulary import ModelName
from chatlift.workflows.ingest import ingest
from chatlift.workflows.train import ModelOutcome, train

DAYS = 100
LOW = {"readiness": {"entities": 30, "examples": 60, "per_class": 5}}
LOW_FLOORS: dict[str, Any] = {model.value: LOW for model in ModelName}
EXPORTED = {"exported_at": at(DAYS).isoformat()}
KNOWN = {"leads": {"known": {"source": "creation"}}}


def written(folder: Path, told: History, *, leave_out: Sequence[str] = ()) -> TableFiles:
    """Write the story as the CSV files of a CRM, without the named columns of messages or leads."""
    who = pl.format("c{}", pl.col("contact_id")).alias("contact_id")
    sources = told.facts.filter(pl.col("name") == "source").select(
        lead_id="subject_id", source="value"
    )
    tables = {
        "contacts": told.contacts.select(who, "created_at"),
        "leads": told.leads.join(sources, on="lead_id", how="left", maintain_order="left").select(
            "lead_id", who, "created_at", "outcome", "closed_at", "source"
        ),
        "messages": told.messages.select(
            "message_id",
            who,
            "direction",
            "text",
            "sent_at",
            conversation_id=pl.format("k{}", pl.col("contact_id")),
        ),
    }
    for name, table in tables.items():
        table.drop(leave_out, strict=False).write_csv(folder / f"{name}.csv")
    return TableFiles(**{name: folder / f"{name}.csv" for name in tables})


def trained_on(folder: Path, told: History, *, leave_out: Sequence[str]) -> list[ModelOutcome]:
    """Import the story without some of its columns, and train all models on what is left."""
    files = written(folder, told, leave_out=leave_out)
    mapping = parse_mapping(EXPORTED if "source" in leave_out else EXPORTED | KNOWN)
    now = clock_at(DAYS)()
    with account_of(folder / "home", settings=LOW_FLOORS) as workspace:
        report = ingest(files, mapping, crm=workspace.crm, imported_at=now)
        assert {t.rejected_count for t in report.tables.values()} == {0}
        outcomes = train(workspace, quick(), clock=clock_at(DAYS)).outcomes
        assert_at_rest(workspace)
        return list(outcomes)


@pytest.mark.parametrize(
    "leave_out",
    [("text",), ("conversation_id",), ("source",), ("text", "conversation_id", "source")],
    ids=["no text", "no conversations", "no attributes", "none of them"],
)
def test_every_model_trains_without_a_kind_of_data(
    leave_out: tuple[str, ...], tmp_path: Path
) -> None:
    outcomes = trained_on(tmp_path, business(5, contacts=60, days=DAYS), leave_out=leave_out)
    assert [(o.model, o.status, o.error) for o in outcomes] == [
        (model, "completed", None) for model in ModelName
    ]
