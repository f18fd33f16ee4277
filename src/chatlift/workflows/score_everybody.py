"""Score everybody: plan what is due, and carry out one shard after the other.

The scores are those that `answer` gives: by the same code, from the same records. What lists show
is read from them (`workflows.listing`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl
import structlog

from chatlift.history import History
from chatlift.learn.arrays import Rows, places_of
from chatlift.learn.scoring import Answer, Scorer, entities_by_end
from chatlift.learn.specs.base import Asked
from chatlift.learn.specs.observing import observed_through
from chatlift.registry.failures import failure_of
from chatlift.registry.scores import COLUMNS, Prediction, frame_of
from chatlift.registry.scoring_jobs import (
    ClaimedShard,
    ScoringJobs,
    ShardLost,
    claim_shard,
    has_shards,
    served_models,
)
from chatlift.registry.workspace import Workspace, workspace_in
from chatlift.settings import Settings
from chatlift.store.accounts import account_numbered
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName
from chatlift.workflows.answer import Answering, curve_of

log = structlog.get_logger(__name__)


def plan_scorings(database: Database, *, now: datetime) -> bool:
    """Make the jobs that are due for all accounts; tell whether any shard waits for a worker."""
    for account_id, model in served_models(database):
        job = ScoringJobs(database, account_id).plan(model, now=now)
        if job is not None:
            log.info(
                "scoring_planned",
                account_id=account_id,
                model=model,
                version=job.version_number,
                shards=job.shard_count,
            )
    return has_shards(database, now=now)


def score_waiting(
    database: Database, settings: Settings, worker: str, *, go_on: Callable[[], bool]
) -> int:
    """Carry out shards until none waits or `go_on` says no; return how many were done."""
    answering = Answering()
    done = 0
    while go_on():
        claimed = claim_shard(database, worker, now=database.now())
        if claimed is None:
            break
        account = account_numbered(database, claimed.account_id)
        done += _carried_out(workspace_in(database, settings, account), answering, claimed)
    return done


def _carried_out(workspace: Workspace, answering: Answering, claimed: ClaimedShard) -> int:
    """Score a shard and keep its scores; tell how many shards that makes done, 1 or 0."""
    jobs = ScoringJobs(workspace.database, claimed.account_id)
    now = workspace.database.now
    try:
        jobs.write(claimed, scores_of(workspace, answering, claimed, now=now()), now=now())
    except ShardLost:
        log.warning("write_refused", scoring_job=claimed.job_id, shard=claimed.shard)
        return 0
    except Exception as error:  # noqa: BLE001 - one broken shard must not keep others from theirs
        failure = failure_of(error)
        jobs.give_up(claimed, error=failure, now=now())
        log.error(
            "scoring_failed",
            scoring_job=claimed.job_id,
            shard=claimed.shard,
            attempt=claimed.attempt,
            error=failure["type"],
        )
        return 0
    return 1


def scores_of(
    workspace: Workspace, answering: Answering, claimed: ClaimedShard, *, now: datetime
) -> pl.DataFrame:
    """Return the scores of a shard's entities as `scores.COLUMNS`."""
    contact_ids = workspace.crm.contact_ids(shard=claimed.shard, of=claimed.shard_count)
    history = workspace.crm.read_history(contact_ids=contact_ids)
    through = observed_through(history)
    if through is None or not contact_ids:
        return COLUMNS.to_frame()
    scorer = answering.versions.numbered(workspace, claimed.model, claimed.version_number).scorer
    # Who is the same person was read as well, and belongs to the shard of the contact that counts.
    asked = _of_shard(entities_by_end(scorer.spec, history, min(now, through)), history, claimed)
    curve = curve_of(workspace, answering.curves, scorer, now)
    return frame_of(_named(scorer, history, scorer.answers_of(history, asked, curve=curve)))


def _of_shard(asked: Asked, history: History, claimed: ClaimedShard) -> Asked:
    contact_ids: Rows = asked.entity_ids
    if claimed.model is ModelName.LEAD_SCORING:
        places = places_of(asked.entity_ids, history.leads["lead_id"])
        contact_ids = history.leads["contact_id"].to_numpy()[places]
    return asked.take(contact_ids % claimed.shard_count == claimed.shard)


def _named(scorer: Scorer, history: History, answers: list[Answer]) -> list[Prediction]:
    is_lead = scorer.spec.model is ModelName.LEAD_SCORING
    frame, key = (history.leads, "lead_id") if is_lead else (history.contacts, "contact_id")
    names = dict(frame.select(key, "external_id").iter_rows())
    return [Prediction(external_id=names[a.entity_id], answer=a) for a in answers]
