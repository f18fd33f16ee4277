from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatlift.errors import Cancelled
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import Settings
from chatlift.simulate.request import SimulationRequest
from chatlift.vocabulary import ModelName, RunStatus
from chatlift.workflows.background_training import BackgroundTraining
from chatlift.workflows.generate import generate
from chatlift.workflows.train import TrainRequest

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
QUICK = TrainRequest(
    models=(ModelName.LEAD_SCORING,),
    requested_model="lead_scoring",
    cv_folds=2,
    parameters={ModelName.LEAD_SCORING: {"trees": 40}},
)


def clock() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    settings = Settings.from_environment({}, default_home=tmp_path)
    with open_workspace(settings) as opened:
        request = SimulationRequest(until=UNTIL, seed=1, contacts=160)
        generate(request, crm=opened.crm, truth_folder=opened.truth_folder)
        yield opened


def test_progress_comes_while_the_event_loop_stays_free(workspace: Workspace) -> None:
    async def story() -> tuple[list[float], int, RunStatus]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.005)

        ticking = asyncio.create_task(tick())
        training = BackgroundTraining(workspace, QUICK, clock=clock)
        fractions = [step.fraction async for step in training]
        report = await training
        ticking.cancel()
        return fractions, ticks, report.run.status

    fractions, ticks, status = asyncio.run(story())
    assert status is RunStatus.COMPLETED
    assert len(fractions) > 5
    assert max(fractions) <= 1.0
    assert ticks > 5


def test_cancelling_the_task_cancels_the_run(workspace: Workspace) -> None:
    async def story() -> None:
        training = BackgroundTraining(workspace, QUICK, clock=clock)

        async def wait() -> None:
            await training

        waiting = asyncio.create_task(wait())
        async for _ in training:
            waiting.cancel()
            break
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(story())
    run = workspace.runs.latest()
    assert run is not None
    assert run.status is RunStatus.CANCELLED
    assert workspace.versions.list() == ()
    # The lock is free again: another run may start at once.
    again = workspace.runs.start(
        QUICK.models, requested_model="lead_scoring", request={}, now=clock() + timedelta(seconds=1)
    )
    assert not again.is_final


def test_a_training_that_was_stopped_by_hand_raises_cancelled(workspace: Workspace) -> None:
    async def story() -> None:
        training = BackgroundTraining(workspace, QUICK, clock=clock)
        training.cancel()
        await training

    with pytest.raises(Cancelled):
        asyncio.run(story())
