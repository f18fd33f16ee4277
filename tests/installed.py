"""An installation with a version in it that nothing had to be trained for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from chatlift.registry.versions import EVALUATION_PREDICTIONS, Version
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import Settings
from chatlift.vocabulary import ModelName, RunStatus, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEADS = ModelName.LEAD_SCORING


def settings_of(home: Path, **environ: str) -> Settings:
    """Return the settings of a data folder, with `CHATLIFT_*` variables."""
    return Settings.from_environment(environ, default_home=home)


def registered(workspace: Workspace) -> Version:
    """Register a version of lead scoring, which serves from then on."""
    run = workspace.runs.start([LEADS], requested_model=LEADS, request={}, now=NOW)
    version = workspace.versions.register(
        run_id=run.run_id,
        attempt=run.attempt,
        model=LEADS,
        files={"lead_scoring_model.ubj": b"{Lmodel"},
        manifest={"model": LEADS},
        recipe_fingerprint="r",
        data_fingerprint="d",
        metrics={},
        evaluation={},
        gate={"checks": []},
        verdict=Verdict.PROMOTE,
        promote=True,
        expected_champion=None,
        predictions=EVALUATION_PREDICTIONS.to_frame(),
        now=NOW,
    )
    workspace.runs.finish(run.run_id, run.attempt, RunStatus.COMPLETED, now=NOW, message="")
    return version


def installed(settings: Settings) -> Version:
    """Make an installation with one version, and close it."""
    with open_workspace(settings) as workspace:
        return registered(workspace)
