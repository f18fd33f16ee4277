"""What a worker hands its training child: which attempt at which run, and where the data lies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from chatlift.registry.run_queue import Claim
from chatlift.settings import Settings


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One attempt at a run. It goes through a pipe, since its address may hold a password."""

    run_id: str
    attempt: int
    account: str
    home: str
    artifacts: str
    database_url: str
    threads: int

    @classmethod
    def of(cls, claimed: Claim, settings: Settings) -> TrainingJob:
        """Return the job of a claimed run."""
        return cls(
            run_id=claimed.run_id,
            attempt=claimed.attempt,
            account=claimed.account,
            home=str(settings.home),
            artifacts=str(settings.artifacts),
            database_url=settings.database_url,
            threads=settings.threads,
        )

    @classmethod
    def from_line(cls, line: bytes) -> TrainingJob:
        """Read what `to_line` wrote."""
        return cls(**json.loads(line))

    def to_line(self) -> bytes:
        """Return the job as one line."""
        return json.dumps(self.__dict__).encode() + b"\n"

    @property
    def settings(self) -> Settings:
        """The settings to train by."""
        return Settings(
            home=Path(self.home),
            artifacts=Path(self.artifacts),
            database_url=self.database_url,
            account=self.account,
            threads=self.threads,
        )
