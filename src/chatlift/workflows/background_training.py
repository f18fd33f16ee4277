"""Train without blocking an event loop: the awaitable form of `workflows.train`.

The training runs in a thread of its own. Its progress is an asynchronous iterator; awaiting it
gives the report; cancelling the task that awaits it cancels the run, which then ends as
cancelled with the champion untouched.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from typing import Any

from chatlift.errors import Cancelled
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import Progress
from chatlift.workflows.train import Clock, TrainReport, TrainRequest, train


class BackgroundTraining:
    """A training under way; make one inside a running event loop.

    Examples
    --------
    Iterating is optional, awaiting is not::

        training = BackgroundTraining(workspace, request, clock=clock)
        async for step in training:
            print(step.phase, step.fraction)
        report = await training
    """

    def __init__(self, workspace: Workspace, request: TrainRequest, *, clock: Clock) -> None:
        self._loop = asyncio.get_running_loop()
        self._steps: asyncio.Queue[Progress | None] = asyncio.Queue()
        self._is_cancelled = threading.Event()
        self._task = self._loop.create_task(self._run(workspace, request, clock))

    def cancel(self) -> None:
        """Ask the training to stop; awaiting it then raises `Cancelled`."""
        self._is_cancelled.set()

    def __await__(self) -> Generator[Any, None, TrainReport]:
        """Wait for the report; raises what `train` raises."""
        return self._finished().__await__()

    async def __aiter__(self) -> AsyncIterator[Progress]:
        """Yield every step until the training has ended, however it ends."""
        while (step := await self._steps.get()) is not None:
            yield step

    async def _finished(self) -> TrainReport:
        try:
            return await asyncio.shield(self._task)
        except asyncio.CancelledError:
            self.cancel()
            with suppress(Cancelled):
                await self._task
            raise

    async def _run(self, workspace: Workspace, request: TrainRequest, clock: Clock) -> TrainReport:
        def work() -> TrainReport:
            return train(
                workspace,
                request,
                clock=clock,
                report=self._report,
                is_asked_to_stop=self._is_cancelled.is_set,
            )

        try:
            return await asyncio.to_thread(work)
        finally:
            self._steps.put_nowait(None)

    def _report(self, step: Progress) -> None:
        """Hand a step to the loop; called from the training's threads."""
        if self._is_cancelled.is_set():
            raise Cancelled("The training was asked to stop.")
        self._loop.call_soon_threadsafe(self._steps.put_nowait, step)
