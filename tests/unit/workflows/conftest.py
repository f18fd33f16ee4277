"""A business on SQLite with two versions of two models, trained once and copied per test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from tests.businesses import account_of, clock_at, quick
from tests.histories import at, business

from chatlift.history import LEADS, History
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import LeadOutcome, ModelName, Verdict
from chatlift.workflows.train import train

DAYS = 100
FIRST_SERVES_ON_DAY, SECOND_SERVES_ON_DAY = 80.0, 90.0
TRAINED = (ModelName.LEAD_SCORING, ModelName.ENGAGEMENT)
FLOORS = {
    "lead_scoring": {"readiness": {"entities": 40, "examples": 80, "per_class": 10}},
    "engagement": {
        "readiness": {"entities": 30, "examples": 100, "per_class": 10},
        "spans": {"silence_hours": 96},
    },
    "churn": {"readiness": {"entities": 30, "examples": 100, "per_class": 10}},
}


def shop() -> History:
    """70 contacts; every fifth lead is open past its horizon, ten contacts came back lately."""
    told = business(7, contacts=70, days=DAYS)
    is_open = pl.col("lead_id") % 5 == 0
    outcome = pl.when(is_open).then(pl.lit(str(LeadOutcome.OPEN))).otherwise("outcome")
    dates = [pl.when(~is_open).then(name).alias(name) for name in ("closed_at", "outcome_known_at")]
    old = told.leads.with_columns(outcome.alias("outcome"), *dates)
    asked = [
        [100 + c, f"l{100 + c}", c, at(72 + 2 * c), str(LeadOutcome.OPEN), None, None]
        for c in range(1, 11)
    ]
    new = pl.DataFrame(asked, schema=LEADS, orient="row")
    return replace(told, leads=pl.concat([old, new]))


@pytest.fixture(scope="session")
def trained_twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder: v1 served from day 80 on, v2 from day 90; the data ends on day 100."""
    home = tmp_path_factory.mktemp("trained")
    with account_of(home, shop(), settings=FLOORS) as workspace:
        for day, seed in ((FIRST_SERVES_ON_DAY, 0), (SECOND_SERVES_ON_DAY, 1)):
            request = quick(*TRAINED, seed=seed, promote=False)
            for outcome in train(workspace, request, clock=clock_at(day - 1)).outcomes:
                assert outcome.version is not None, outcome.sentence
                workspace.versions.promote(
                    outcome.model,
                    outcome.version.number,
                    by="a test",
                    reason="the story wants it to serve",
                    now=clock_at(day)(),
                )
    return home


@pytest.fixture
def trained(trained_twice: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the trained account that the test may spoil."""
    home = tmp_path / "home"
    shutil.copytree(trained_twice, home)
    with account_of(home, settings=FLOORS) as workspace:
        assert {version.verdict for version in workspace.versions.list()} <= set(Verdict)
        yield workspace
