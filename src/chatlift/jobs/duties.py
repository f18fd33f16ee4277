"""What workers and servers see to beside their trainings, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chatlift.jobs.processes import child_environment, worker_name
from chatlift.jobs.reconcile import (
    delete_old_progress,
    expire_leases,
    sweep_orphans,
)
from chatlift.jobs.scheduler import tick
from chatlift.jobs.scoring import Scoring
from chatlift.registry.sessions import delete_ended
from chatlift.registry.upload_folders import sweep_uploads
from chatlift.settings import Settings
from chatlift.store.database import Database
from chatlift.workflows.receive import read_all_deliveries


def _nothing() -> None:
    """End nothing: a run of most duties takes a moment."""


@dataclass(frozen=True, kw_only=True)
class Duty:
    """Something to be done again and again; several processes may do it at the same time."""

    name: str
    run: Callable[[datetime], object]
    """Takes the present instant of the database's clock. An error is logged and it is tried again
    the next time."""
    every: timedelta
    is_reconciling: bool = False
    """Whether it mends what ended in the middle: every worker does that, also one that otherwise
    leaves its duties to Beat."""
    is_woken: bool = False
    """Whether it is also done at once whenever there is new work."""
    is_heavy: bool = False
    """Whether it keeps a processor busy: a server leaves it to the workers that a broker wakes."""
    end: Callable[[], None] = _nothing
    """Called when the process is to end: a run of it under way shall not go on for long."""


# Long because every duty is declared here, one after the other.
def duties_of(
    settings: Settings, database: Database, environ: Mapping[str, str]
) -> tuple[Duty, ...]:
    """Return all duties of an installation.

    Parameters
    ----------
    environ
        Environment that the children of a duty inherit.
    """
    scoring = Scoring(
        worker_name(), settings, database, child_environment(environ, settings.threads)
    )
    return (
        Duty(
            name="score_everybody",
            run=scoring.run,
            every=timedelta(seconds=5),
            is_heavy=True,
            end=scoring.end,
        ),
        Duty(
            name="expire_leases",
            run=lambda _now: expire_leases(database),
            every=timedelta(seconds=2),
            is_reconciling=True,
        ),
        Duty(
            name="tick_schedules",
            run=lambda now: tick(database, now),
            every=timedelta(seconds=5),
        ),
        Duty(
            name="read_deliveries",
            run=lambda now: read_all_deliveries(database, settings, now=now),
            every=timedelta(seconds=1),
        ),
        Duty(
            name="sweep_uploads",
            run=lambda _now: sweep_uploads(settings.home),
            every=timedelta(minutes=10),
        ),
        Duty(
            name="sweep_orphans",
            run=lambda now: sweep_orphans(database, settings.artifacts, now),
            every=timedelta(minutes=10),
        ),
        Duty(
            name="delete_ended_sessions",
            run=lambda now: delete_ended(database, now=now),
            every=timedelta(hours=6),
        ),
        Duty(
            name="delete_old_progress",
            run=lambda now: delete_old_progress(database, now),
            every=timedelta(hours=6),
        ),
    )
