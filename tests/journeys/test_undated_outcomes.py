"""Leads that closed on an unknown day, from the import to the verdict.

Outcomes here follow from nothing that came before; but whoever bought goes on writing, and whoever
did not falls silent. A lead that is taken for open until its import would look as if its messages
foretold what they follow from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.businesses import account_of, assert_at_rest, clock_at, quick
from tests.histories import at

from chatlift.cli.data_report import data_lines
from chatlift.cli.training_report import model_report
from chatlift.sources.mapping import parse_mapping
from chatlift.sources.tables import TableFiles
from chatlift.vocabulary import ModelName, Verdict
from chatlift.workflows.data_check import check_data
from chatlift.workflows.ingest import ingest
from chatlift.workflows.train import ModelOutcome, train

LEADS = ModelName.LEAD_SCORING
COUNT, DAYS = 400, 120
COLUMNS = ("lead_id", "contact_id", "created_at", "outcome", "closed_at")


def written(folder: Path, *, seed: int, is_dated: bool) -> TableFiles:
    """Write 400 leads, closed after 1 to 6 days by a coin; those won write on for a month."""
    rng = np.random.default_rng(seed)
    leads, messages = [], []
    for number in range(COUNT):
        who, created = f"c{number}", float(rng.uniform(5, DAYS - 35))
        is_won, closed = bool(rng.random() < 0.4), created + float(rng.uniform(1, 6))
        before = rng.uniform(created, closed, int(rng.integers(1, 4)))
        after = rng.uniform(closed, closed + 25, 8 if is_won else 0)
        for day in (*before, *after):
            side = str(rng.choice(["in", "out"]))
            messages.append((who, side, at(float(day)), "hello there"))
        closing = at(closed) if is_dated else None
        leads.append((f"l{number}", who, at(created), "won" if is_won else "lost", closing))
    table = pl.DataFrame(leads, orient="row", schema=list(COLUMNS))
    frames = {
        "contacts": table.select("contact_id", "created_at"),
        "leads": table if is_dated else table.drop("closed_at"),
        "messages": pl.DataFrame(
            messages, orient="row", schema=["contact_id", "direction", "sent_at", "text"]
        ),
    }
    for name, frame in frames.items():
        frame.write_csv(folder / f"{name}.csv")
    return TableFiles(**{name: folder / f"{name}.csv" for name in frames})


def outcome_of(
    folder: Path, *, settings: dict[str, Any], seed: int = 1, is_dated: bool = False
) -> tuple[ModelOutcome, str]:
    """Import and train; return what became of lead scoring, and what the data check says."""
    files = written(folder, seed=seed, is_dated=is_dated)
    mapping = parse_mapping({"exported_at": at(DAYS).isoformat()})
    with account_of(folder / "home", settings=settings) as workspace:
        ingest(files, mapping, crm=workspace.crm, imported_at=clock_at(DAYS)())
        checked = "\n".join(data_lines(check_data(workspace, now=clock_at(DAYS)())))
        (outcome,) = train(workspace, quick(LEADS), clock=clock_at(DAYS)).outcomes
        assert_at_rest(workspace)
        return outcome, checked


def test_undated_outcomes_are_left_out_and_the_reason_says_how_to_bring_dates(
    tmp_path: Path,
) -> None:
    outcome, checked = outcome_of(tmp_path, settings={})
    assert outcome.status == "not_ready"
    for words in ("400 of 400 closed leads", 'closed_at = "your column"', "at_creation"):
        assert words in outcome.sentence
    assert "400 of 400 (100.0%) leads are closed without a closing date" in checked


@pytest.mark.parametrize("seed", [1, 2])
def test_what_follows_from_an_undated_outcome_never_foretells_it(seed: int, tmp_path: Path) -> None:
    settings = {"undated_outcomes": "at_creation"}
    outcome, _ = outcome_of(tmp_path, settings=settings, seed=seed)
    assert outcome.decision is not None, outcome.sentence
    assert outcome.decision.verdict is Verdict.REFUSE
    assert outcome.evaluation is not None
    auc = outcome.evaluation["figures"]["roc_auc"]
    assert auc["low"] < 0.5
    assert outcome.evaluation["counts"]["judged_entities"] == COUNT
    assert outcome.evaluation["counts"]["undated"] == COUNT
    told = "\n".join(model_report(outcome))
    assert "400 of 400 closed leads" in told
    assert "judged on what was known at their creation" in told


def test_with_dates_nothing_is_said_of_missing_ones(tmp_path: Path) -> None:
    floors = {"lead_scoring": {"spans": {"leading_age_days": 1}}}
    outcome, checked = outcome_of(tmp_path, settings=floors, is_dated=True)
    assert outcome.decision is not None, outcome.sentence
    assert outcome.decision.verdict is Verdict.REFUSE
    assert outcome.evaluation is not None
    assert outcome.evaluation["counts"]["undated"] == 0
    assert outcome.evaluation["undated"] is None
    assert "leads are closed without a closing date" not in checked
