"""One attempt at a run, carried out in the training child: from the job to the run's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatlift.errors import ChatliftError
from chatlift.jobs.training_job import TrainingJob
from chatlift.registry.failures import failure_of
from chatlift.registry.run_rows import RunLost, refuse_lost
from chatlift.registry.workspace import open_workspace
from chatlift.vocabulary import Progress
from chatlift.workflows.train import train_claimed

Tell = Callable[[Mapping[str, Any]], None]
"""Takes a word for the worker, as JSON values."""


def carry_out(line: bytes, tell: Tell) -> None:
    """Train the run of a job, and tell the worker each step and what went wrong.

    What became of the run stands in its row; a run that has not ended there when the child ends is
    taken up again.

    Parameters
    ----------
    line
        As `TrainingJob.to_line` gives it.
    """
    job = TrainingJob.from_line(line)

    def report(step: Progress) -> None:
        tell({"word": "step", "phase": step.phase, "fraction": step.fraction})

    try:
        with open_workspace(job.settings) as workspace:
            run = workspace.runs.get(job.run_id)
            refuse_lost(run, job.attempt)
            train_claimed(workspace, run, clock=workspace.database.now, report=report)
    except RunLost:
        tell({"word": "lost"})
    except ChatliftError as error:
        # Mostly its run has ended as failed or cancelled; where it could not be, the worker reads.
        tell({"word": "broken", "failure": failure_of(error)})
