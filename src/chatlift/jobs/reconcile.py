"""Making right what ended in the middle: leases that ran out, files that nothing owns."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import structlog

from chatlift.registry.artifact_root import ForeignArtifacts
from chatlift.registry.run_events import delete_progress
from chatlift.registry.run_queue import RunQueue
from chatlift.registry.versions import Versions
from chatlift.store.accounts import all_accounts
from chatlift.store.database import Database

PROGRESS_KEPT = timedelta(days=30)
"""So long after its end the single steps of a run can be looked up."""

log = structlog.get_logger(__name__)


def expire_leases(database: Database) -> None:
    """Take runs from processes that died: they are queued again, or end as interrupted."""
    for run in RunQueue(database).expire():
        log.warning("lease_expired", run_id=run.run_id, attempt=run.attempt, status=run.status)


def sweep_orphans(database: Database, artifacts: Path, now: datetime) -> None:
    """Move to the trash what attempts that were cut off left among the artifacts of all accounts.

    Where the folder is another database's nothing is moved, and the log says why.
    """
    try:
        for account in all_accounts(database):
            versions = Versions(database, account.account_id, artifacts)
            for folder in versions.sweep_orphans(now=now):
                log.info("orphan_moved_to_trash", folder=folder)
    except ForeignArtifacts as refused:
        log.error("sweep_refused", reason=str(refused))


def delete_old_progress(database: Database, now: datetime) -> None:
    """Delete the single steps of runs that ended long ago; what became of them stays."""
    delete_progress(database, ended_before=now - PROGRESS_KEPT)
