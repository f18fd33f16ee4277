"""A worker stopped beyond its lease that wakes: its run is another's, and it writes nothing."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from tests.chaos.storm import members
from tests.fleets import eventually, fleet

from chatlift.jobs.duties import duties_of
from chatlift.vocabulary import RunStatus

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgres
def test_what_a_worker_writes_that_slept_beyond_its_lease_is_refused_and_logged(
    tmp_path: Path, database_url: str
) -> None:
    with fleet(tmp_path / "home", database_url, lease_seconds=2) as business:
        with members(business, [["worker"]], tmp_path / "first") as (sleeper,):
            run = business.enqueue()
            business.await_training(run)
            (child,) = sleeper.children
            for process_id in (sleeper.process.pid, child):
                os.kill(process_id, signal.SIGSTOP)
            duties = duties_of(business.settings, business.database, business.environ)
            with business.worker(duties=duties):
                ended = business.await_end(run)
            assert (ended.status, ended.attempt) == (RunStatus.COMPLETED, 2)
            (version,) = business.workspace.versions.list()
            os.kill(child, signal.SIGCONT)  # It goes on to write, its worker not looking.
            eventually(
                lambda: Path(f"/proc/{child}/stat").read_text("ascii").split()[2], "Z".__eq__
            )
            os.kill(sleeper.process.pid, signal.SIGCONT)
            sleeper.await_event("write_refused")
        assert business.runs.get(run.run_id) == ended
        assert business.workspace.versions.list() == (version,)
