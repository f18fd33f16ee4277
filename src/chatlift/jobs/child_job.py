"""What a worker hands a child of it: where the data lies. It goes through a pipe, as one line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from chatlift.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ChildJob:
    """Where a child finds its work; no argument or variable, since an address may hold a password.

    Each kind of child adds what it has to do.
    """

    account: str
    home: str
    artifacts: str
    database_url: str
    threads: int

    @staticmethod
    def places(settings: Settings) -> dict[str, Any]:
        """Return the fields that the settings tell, but for the account."""
        return {
            "home": str(settings.home),
            "artifacts": str(settings.artifacts),
            "database_url": settings.database_url,
            "threads": settings.threads,
        }

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Read what `to_line` wrote."""
        return cls(**json.loads(line))

    def to_line(self) -> bytes:
        """Return the job as one line."""
        return json.dumps(self.__dict__).encode() + b"\n"

    @property
    def settings(self) -> Settings:
        """The settings to work by."""
        return Settings(
            home=Path(self.home),
            artifacts=Path(self.artifacts),
            database_url=self.database_url,
            account=self.account,
            threads=self.threads,
        )
