"""Making right what ended in the middle: leases that ran out, files that nothing owns."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import structlog

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


def sweep_orphans(database: Database, artifacts: Path) -> None:
    """Delete what attempts that were cut off left among the artifacts of every account."""
    for account in all_accounts(database):
        sweep_account(database, artifacts, account.account_id)


def sweep_account(database: Database, artifacts: Path, account_id: int) -> None:
    """Delete what attempts that were cut off left among one account's artifacts."""
    for folder in Versions(database, account_id, artifacts).sweep_orphans():
        log.info("orphan_deleted", folder=folder)


def delete_old_progress(database: Database, now: datetime) -> None:
    """Delete the single steps of runs that ended long ago; what became of them stays."""
    delete_progress(database, ended_before=now - PROGRESS_KEPT)
