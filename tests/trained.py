"""A business with two fits of each model, brought onto any database without training again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
from tests.businesses import account_of, clock_at, quick, write
from tests.histories import at
from tests.unit.workflows.conftest import FLOORS, shop

from chatlift.registry.versions import EVALUATION_PREDICTIONS
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import Settings
from chatlift.store.accounts import save_settings
from chatlift.vocabulary import ModelName, RunStatus, Verdict
from chatlift.workflows.train import train

ADDED = ("schema_version", "files")
"""What a manifest gets when it is written."""
FIRST_SERVES_ON_DAY, SECOND_SERVES_ON_DAY = 80.0, 90.0


def train_twice(home: Path) -> None:
    """Train two versions of each model, on SQLite; none serves."""
    with account_of(home, shop(), settings=FLOORS) as workspace:
        for day, seed in ((FIRST_SERVES_ON_DAY, 0), (SECOND_SERVES_ON_DAY, 1)):
            request = quick(seed=seed, promote=False)
            for outcome in train(workspace, request, clock=clock_at(day - 1)).outcomes:
                assert outcome.version is not None, outcome.sentence


@contextmanager
def business_on(database_url: str, home: Path, trained_home: Path) -> Iterator[Workspace]:
    """Open the business at an empty database: v1 served from day 80 on, v2 serves from day 90."""
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(trained_home / "secret.key", home)  # It keys the words that the fits know.
    settings = replace(Settings.from_environment({}, default_home=home), database_url=database_url)
    with (
        open_workspace(Settings.from_environment({}, default_home=trained_home)) as before,
        open_workspace(settings) as workspace,
    ):
        write(workspace, shop())
        save_settings(workspace.database, workspace.account.account_id, FLOORS)
        for number, day in ((1, FIRST_SERVES_ON_DAY), (2, SECOND_SERVES_ON_DAY)):
            for model in ModelName:
                _register(workspace, before, model, number, day)
        yield workspace


def _register(
    workspace: Workspace, before: Workspace, model: ModelName, number: int, day: float
) -> None:
    """Register a version of another database here, and let it serve from that day on."""
    version = before.versions.get(model, number)
    artifact = before.versions.load(version)
    run = workspace.runs.start((model,), requested_model=model, request={}, now=at(day - 0.5))
    workspace.versions.register(
        run_id=run.run_id,
        attempt=run.attempt,
        model=model,
        files=artifact.files,
        manifest={name: value for name, value in artifact.manifest.items() if name not in ADDED},
        recipe_fingerprint=version.recipe_fingerprint,
        data_fingerprint=version.data_fingerprint,
        metrics=version.metrics,
        evaluation=version.evaluation,
        gate=version.gate,
        verdict=Verdict.PROMOTE,
        promote=True,
        expected_champion=number - 1 or None,
        predictions=pl.DataFrame(schema=EVALUATION_PREDICTIONS),
        now=at(day),
    )
    workspace.runs.finish(
        run.run_id, run.attempt, RunStatus.COMPLETED, now=at(day), message="as it was"
    )
