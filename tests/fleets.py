"""A business on either database whose trainings are carried out by workers and their children."""

from __future__ import annotations

import getpass
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from tests.businesses import quick, write
from tests.histories import business
from tests.unit.workflows.conftest import FLOORS

from chatlift.jobs.worker import Worker
from chatlift.registry.run_queue import RunQueue
from chatlift.registry.run_rows import Run
from chatlift.registry.schedules import Schedules
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import JobSettings, Settings
from chatlift.store.accounts import save_settings
from chatlift.vocabulary import ModelName, RunStatus

Found = TypeVar("Found")

BYTECODE = Path(tempfile.gettempdir()) / f"chatlift-bytecode-{getpass.getuser()}"
ENOUGH_SECONDS = 120
"""After so long a test gives up waiting for what surely comes, however busy the machine is."""


@contextmanager
def fleet(home: Path, database_url: str, **jobs: Any) -> Iterator[Fleet]:
    """Open a new business with a story, at the address of an empty database."""
    settings = replace(
        Settings.from_environment({}, default_home=home),
        database_url=database_url,
        jobs=JobSettings(**jobs),
    )
    with open_workspace(settings) as workspace:
        write(workspace, business(7, contacts=45, days=61))
        save_settings(workspace.database, workspace.account.account_id, FLOORS)
        account = replace(workspace.account, settings=FLOORS)
        yield Fleet(replace(workspace, account=account))


class Fleet:
    """A business and the workers that train for it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.settings = workspace.settings
        self.database = workspace.database
        self.runs = workspace.runs
        self.queue = RunQueue(workspace.database, lease=self.settings.jobs.lease)

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which commands and workers find the business."""
        inherited = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
        return inherited | {
            "PYTHONPYCACHEPREFIX": str(BYTECODE),  # A child starts in a third of the time.
            "CHATLIFT_HOME": str(self.settings.home),
            "CHATLIFT_DATABASE_URL": self.settings.database_url,
            "CHATLIFT_LEASE_SECONDS": str(self.settings.jobs.lease_seconds),
            "CHATLIFT_STEP_LIMIT_SECONDS": str(self.settings.jobs.step_limit_seconds),
        }

    def enqueue(self, *models: ModelName, **choices: Any) -> Run:
        """Ask for a training that takes a moment; of lead scoring by default."""
        request = quick(*(models or (ModelName.LEAD_SCORING,)), **choices)
        asked = {"requested_model": "all", "requested_by": "a test"}
        return self.runs.enqueue(
            request.models, request=request.to_json(), now=self.database.now(), **asked
        ).run

    @contextmanager
    def worker(self, **choices: Any) -> Iterator[Worker]:
        """Let a worker work in threads of this process, and end it in order."""
        worker = Worker(self.settings, self.database, environ=self.environ, **choices)
        until = threading.Event()
        thread = threading.Thread(target=worker.run, args=(until,))
        thread.start()
        try:
            yield worker
        finally:
            until.set()
            thread.join()

    def await_run(self, run: Run, is_reached: Callable[[Run], bool]) -> Run:
        """Wait until the run has come so far."""
        return eventually(lambda: self.runs.get(run.run_id), is_reached)

    def await_end(self, run: Run) -> Run:
        """Wait until the run has ended."""
        return self.await_run(run, lambda found: found.is_final)

    def await_scheduled_run(self) -> Run:
        """Make a schedule that is due and wait for its run."""
        schedules = Schedules(self.database, self.workspace.account.account_id)
        before = self.runs.count()
        schedules.put(
            ModelName.ENGAGEMENT,
            rhythm="daily",
            time_zone="UTC",
            request=quick(ModelName.ENGAGEMENT).to_json(),
            now=self.database.now() - timedelta(days=2),
        )
        eventually(self.runs.count, lambda count: count > before)
        return self.runs.list(limit=1)[0]

    def await_training(self, run: Run) -> Run:
        """Wait until a child has told the run's first step."""
        return self.await_run(
            run, lambda found: found.status is RunStatus.TRAINING and found.phase != "start"
        )


def eventually(look: Callable[[], Found], is_reached: Callable[[Found], bool]) -> Found:
    """Look again and again until it is so; a test that waits in vain fails."""
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not is_reached(found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"It did not come to pass: {found}")
        time.sleep(0.05)
    return found


def training_children(parent: int) -> list[int]:
    """Return the process ids of a process's training children."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            told = (folder / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"chatlift.jobs.training_child" in words and int(told[1]) == parent and told[0] != "Z":
            found.append(int(folder.name))
    return found
