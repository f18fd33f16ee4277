"""What a worker hands its training child: which attempt at which run, and where the data lies."""

from __future__ import annotations

from dataclasses import dataclass

from chatlift.jobs.child_job import ChildJob
from chatlift.registry.run_queue import Claim
from chatlift.settings import Settings


@dataclass(frozen=True, kw_only=True)
class TrainingJob(ChildJob):
    """One attempt at a run."""

    run_id: str
    attempt: int

    @classmethod
    def of(cls, claimed: Claim, settings: Settings) -> TrainingJob:
        """Return the job of a claimed run."""
        return cls(
            run_id=claimed.run_id,
            attempt=claimed.attempt,
            account=claimed.account,
            **cls.places(settings),
        )
