"""The queue: one holder per run, leases by the database's clock, attempts that fence."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatlift.registry.run_queue import Claim, RunQueue
from chatlift.registry.run_rows import LEASE, ModelsBusy, Run, RunLost
from chatlift.registry.runs import Runs
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, RunStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEADS, CHURN, ENGAGEMENT = ModelName
BROKEN = {"type": "ProcessEnded", "kind": "unavailable", "sentence": "", "frames": [], "causes": []}


class Shop:
    """A business, its queue and two workers, at an hour that the test sets."""

    def __init__(self, database_url: str) -> None:
        self.now = NOW
        self.database = Database.open(database_url, clock=lambda: self.now)
        account = ensure_account(self.database, "default", time_zone="UTC")
        self.runs = Runs(self.database, account.account_id)
        self.queue = RunQueue(self.database)

    def enqueue(self, *models: ModelName, **choices: Any) -> Run:
        told = {"requested_model": "all", "request": {"seed": 0}, "requested_by": "a test"}
        return self.runs.enqueue(models, now=self.now, **(told | choices)).run

    def claimed(self, worker: str = "w1") -> Claim:
        found = self.queue.claim_next(worker)
        assert found is not None
        return found

    def status(self, run: Run | Claim) -> RunStatus:
        return self.runs.get(run.run_id).status

    def pass_time(self, span: timedelta) -> None:
        self.now += span


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    opened = Shop(database_url)
    yield opened
    opened.database.close()


def test_runs_are_taken_up_in_the_order_in_which_they_were_asked_for(shop: Shop) -> None:
    first, second = shop.enqueue(LEADS), shop.enqueue(CHURN)
    assert shop.queue.queued() == (first.run_id, second.run_id)
    assert [shop.claimed().run_id, shop.claimed().run_id] == [first.run_id, second.run_id]
    assert shop.queue.claim_next("w1") is None


def test_a_claimed_run_names_its_worker_account_attempt_and_lease(shop: Shop) -> None:
    run = shop.enqueue(LEADS)
    assert (run.status, run.attempt, run.attempts_allowed) == (RunStatus.QUEUED, 0, 2)
    claim = shop.claimed("w1")
    assert (claim.account, claim.worker, claim.attempt) == ("default", "w1", 1)
    now = shop.runs.get(run.run_id)
    assert (now.status, now.claimed_by) == (RunStatus.TRAINING, "w1")
    assert (now.started_at, now.lease_expires_at) == (NOW, NOW + LEASE)


def test_of_many_workers_that_claim_one_run_one_gets_it(shop: Shop) -> None:
    run = shop.enqueue(LEADS)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: shop.queue.claim(run.run_id, f"w{n}"), range(16)))
    assert len([claim for claim in found if claim is not None]) == 1
    assert shop.runs.get(run.run_id).attempt == 1


def test_of_fifty_starts_at_once_one_is_a_run(shop: Shop) -> None:
    def start(_: int) -> bool:
        try:
            shop.enqueue(*ModelName)
        except ModelsBusy:
            return False
        return True

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(start, range(50))) == 1
    assert shop.runs.count() == 1


def test_a_lease_that_is_renewed_does_not_run_out(shop: Shop) -> None:
    shop.enqueue(LEADS)
    claim = shop.claimed()
    for _ in range(3):
        shop.pass_time(LEASE - timedelta(seconds=1))
        assert shop.queue.expire() == ()
        shop.queue.renew(claim)
    shop.pass_time(LEASE)
    (expired,) = shop.queue.expire()
    assert (expired.run_id, expired.status) == (claim.run_id, RunStatus.QUEUED)


def test_a_lost_run_is_queued_again_with_its_models_and_interrupted_when_lost_twice(
    shop: Shop,
) -> None:
    run = shop.enqueue(LEADS)
    first = shop.claimed("w1")
    shop.pass_time(LEASE)
    shop.queue.expire()
    with pytest.raises(ModelsBusy, match=run.run_id):
        shop.enqueue(LEADS)
    second = shop.claimed("w2")
    assert (second.run_id, second.attempt) == (run.run_id, 2)
    for write in (shop.queue.renew, shop.queue.look):
        with pytest.raises(RunLost):
            write(first)
    shop.pass_time(LEASE)
    (expired,) = shop.queue.expire()
    assert expired.status is RunStatus.INTERRUPTED
    with pytest.raises(RunLost):
        shop.queue.renew(second)
    assert shop.enqueue(LEADS).status is RunStatus.QUEUED


def test_a_lost_run_that_was_asked_to_stop_is_not_tried_again(shop: Shop) -> None:
    shop.enqueue(LEADS)
    claim = shop.claimed()
    shop.runs.stop(claim.run_id, now=NOW)
    shop.pass_time(LEASE)
    (expired,) = shop.queue.expire()
    assert expired.status is RunStatus.CANCELLED


def test_a_broken_attempt_is_tried_again_at_once_and_its_error_kept(
    shop: Shop,
) -> None:
    shop.enqueue(LEADS)
    first = shop.queue.give_up(shop.claimed(), message="It broke.", error=BROKEN)
    assert (first.status, first.message, first.error) == (RunStatus.QUEUED, "It broke.", BROKEN)
    assert (first.started_at, first.progress_percent) == (None, 0.0)
    second = shop.queue.give_up(shop.claimed(), message="It broke again.", error=BROKEN)
    assert (second.status, second.error) == (RunStatus.INTERRUPTED, BROKEN)


def test_a_worker_that_ends_in_order_gives_its_run_back_without_losing_an_attempt(
    shop: Shop,
) -> None:
    shop.enqueue(LEADS)
    for attempt in range(1, 5):
        claim = shop.claimed(f"w{attempt}")
        assert claim.attempt == attempt
        assert shop.queue.give_back(claim, message="").status is RunStatus.QUEUED
    shop.queue.give_up(shop.claimed(), message="", error=BROKEN)
    last = shop.queue.give_up(shop.claimed(), message="", error=BROKEN)
    assert last.status is RunStatus.INTERRUPTED


def test_a_queued_run_that_is_stopped_never_begins_and_frees_its_models(shop: Shop) -> None:
    run = shop.enqueue(LEADS)
    assert shop.runs.stop(None, now=NOW).status is RunStatus.CANCELLED
    assert shop.queue.claim(run.run_id, "w1") is None
    assert shop.enqueue(LEADS).status is RunStatus.QUEUED


def test_a_worker_sees_that_its_run_shall_stop(shop: Shop) -> None:
    shop.enqueue(LEADS)
    claim = shop.claimed()
    assert shop.queue.look(claim).cancel_requested_at is None
    shop.runs.stop(None, now=NOW)
    assert shop.queue.look(claim).cancel_requested_at == NOW
    ended = shop.queue.finish(claim, RunStatus.CANCELLED, message="Stopped.")
    assert ended.status is RunStatus.CANCELLED
    with pytest.raises(RunLost):
        shop.queue.look(claim)
