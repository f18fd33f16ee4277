"""Shards of a scoring: each counts once, whoever dies or sleeps in between."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from tests.histories import at

from chatlift.registry import scoring_jobs
from chatlift.registry.scores import COLUMNS, Filters, totals
from chatlift.registry.scoring_jobs import (
    ATTEMPTS,
    SHARD_LEASE,
    ClaimedShard,
    ScoringJobs,
    ShardLost,
    claim_shard,
    has_shards,
)
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName

NOW = at(100)
LATER = NOW + SHARD_LEASE
CHURN = ModelName.CHURN
NOBODY = COLUMNS.to_frame()


@pytest.fixture
def jobs(shop_on: Workspace, monkeypatch: pytest.MonkeyPatch) -> ScoringJobs:
    """A job of four shards waits."""
    monkeypatch.setattr(scoring_jobs, "SHARD_CONTACTS", 20)
    jobs = ScoringJobs(shop_on.database, shop_on.account.account_id)
    job = jobs.plan(CHURN, now=NOW)
    assert job is not None
    assert job.shard_count == 4
    return jobs


def claimed(shop: Workspace) -> ClaimedShard:
    shard = claim_shard(shop.database, "test", now=NOW)
    assert shard is not None
    return shard


def test_planned_at_once_by_many_there_is_one_job(shop_on: Workspace) -> None:
    jobs = ScoringJobs(shop_on.database, shop_on.account.account_id)
    ready = threading.Barrier(8)

    def plan(_: int) -> bool:
        ready.wait()
        return jobs.plan(CHURN, now=NOW) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(plan, range(8))) == 1


def test_claimed_at_once_by_many_each_shard_has_one_worker(
    shop_on: Workspace, jobs: ScoringJobs
) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: claim_shard(shop_on.database, f"w{n}", now=NOW), range(8)))
    assert sorted(shard.shard for shard in found if shard is not None) == [0, 1, 2, 3]
    assert not has_shards(shop_on.database, now=NOW)
    for shard in found:
        if shard is not None:
            assert jobs.latest(CHURN, shard.version_number) is None
            jobs.write(shard, NOBODY, now=NOW)
    assert jobs.latest(CHURN, 2) is not None


def test_who_slept_beyond_the_lease_can_write_nothing(
    shop_on: Workspace, jobs: ScoringJobs
) -> None:
    asleep = claimed(shop_on)
    taken = claim_shard(shop_on.database, "other", now=LATER)
    assert taken is not None
    assert (taken.shard, taken.attempt) == (asleep.shard, asleep.attempt + 1)
    with pytest.raises(ShardLost):
        jobs.write(asleep, NOBODY, now=LATER)
    jobs.give_up(asleep, error={}, now=LATER)
    jobs.write(taken, NOBODY, now=LATER)
    with pytest.raises(ShardLost):
        jobs.write(taken, NOBODY, now=LATER)


def test_a_shard_whose_workers_die_again_and_again_ends_its_job(
    shop_on: Workspace, jobs: ScoringJobs
) -> None:
    now = NOW
    for _ in range(ATTEMPTS):
        assert claimed_first(shop_on, now) == 0
        now += SHARD_LEASE
    assert claim_shard(shop_on.database, "test", now=now) is None
    assert not has_shards(shop_on.database, now=now)
    assert jobs.plan(CHURN, now=now) is None
    assert jobs.plan(CHURN, now=now + timedelta(days=1)) is not None


def claimed_first(shop: Workspace, now: object) -> int:
    shard = claim_shard(shop.database, "test", now=now)  # type: ignore[arg-type]
    assert shard is not None
    return shard.shard


def test_a_promotion_ends_what_was_under_way(shop_on: Workspace, jobs: ScoringJobs) -> None:
    shard = claimed(shop_on)
    shop_on.versions.rollback(CHURN, by="test", reason="to see", now=NOW)
    job = jobs.plan(CHURN, now=NOW)
    assert job is not None
    assert job.version_number == 1
    with pytest.raises(ShardLost):
        jobs.write(shard, NOBODY, now=NOW)


def test_another_account_sees_no_score(shop_on: Workspace, jobs: ScoringJobs) -> None:
    for _ in range(4):
        jobs.write(claimed(shop_on), NOBODY, now=NOW)
    job = jobs.latest(CHURN, 2)
    assert job is not None
    other = shop_on.account.account_id + 1
    assert ScoringJobs(shop_on.database, other).latest(CHURN, 2) is None
    found = totals(shop_on.database.of_account(other), other, job, Filters())
    assert (found.wanted, found.as_of) == (0, None)
