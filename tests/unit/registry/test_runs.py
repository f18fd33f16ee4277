from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from chatlift.errors import Cancelled, Conflict
from chatlift.registry.runs import LEASE, TRANSITIONS, ModelsBusy, Run, RunLost, Runs
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import FINAL_STATUSES, ModelName, RunStatus, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEADS, CHURN = ModelName.LEAD_SCORING, ModelName.CHURN


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database, ensure_account(database, "default", time_zone="UTC").account_id)


def start(runs: Runs, *models: ModelName, now: datetime = NOW) -> Run:
    return runs.start(models, requested_model="all", request={"seed": 0}, now=now)


def tell(runs: Runs, run: Run, percent: float, now: datetime = NOW) -> None:
    runs.progress(run.run_id, 1, phase="folds", percent=percent, message="", now=now)


def test_a_run_takes_all_its_models_or_none(runs: Runs) -> None:
    holder = start(runs, CHURN)
    with pytest.raises(ModelsBusy, match=holder.run_id):
        start(runs, LEADS, CHURN)
    assert len(runs.list()) == 1
    assert start(runs, LEADS).status is RunStatus.TRAINING


def test_of_two_threads_that_start_the_same_model_one_wins(runs: Runs) -> None:
    def attempt(_: int) -> bool:
        try:
            start(runs, *ModelName)
        except ModelsBusy:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, range(2))) == [False, True]


def test_a_dead_process_does_not_block_the_next_training(runs: Runs) -> None:
    dead = start(runs, LEADS)
    tell(runs, dead, 10, NOW + LEASE / 2)
    with pytest.raises(ModelsBusy):
        start(runs, LEADS, now=NOW + LEASE)  # The report renewed the lease.
    start(runs, LEADS, now=NOW + 2 * LEASE)
    assert runs.get(dead.run_id).status is RunStatus.INTERRUPTED
    with pytest.raises(RunLost):
        tell(runs, dead, 20, NOW + 2 * LEASE)


def test_finishing_frees_the_models_and_is_final(runs: Runs) -> None:
    run = start(runs, LEADS)
    values = {"now": NOW + timedelta(seconds=1), "message": "done"}
    assert runs.finish(run.run_id, 1, RunStatus.COMPLETED, **values).progress_percent == 100
    with pytest.raises(RunLost):
        runs.finish(run.run_id, 1, RunStatus.FAILED, **values)
    start(runs, LEADS)


def test_a_run_that_was_asked_to_stop_hears_it_at_its_next_report(runs: Runs) -> None:
    run = start(runs, LEADS)
    runs.ask_to_cancel(run.run_id, now=NOW)
    with pytest.raises(Cancelled):
        tell(runs, run, 50)


def test_a_run_that_does_not_answer_is_ended_and_can_write_no_more(runs: Runs) -> None:
    run = start(runs, LEADS)
    runs.ask_to_cancel(run.run_id, now=NOW)
    ended = runs.end_unanswered(run.run_id, now=NOW + timedelta(seconds=5))
    assert ended.status is RunStatus.CANCELLED
    with pytest.raises(RunLost):
        tell(runs, run, 50)
    assert start(runs, LEADS).status is RunStatus.TRAINING
    assert runs.end_unanswered(run.run_id, now=NOW + timedelta(seconds=9)) == ended
    with pytest.raises(Conflict, match="nothing to stop"):
        runs.ask_to_cancel(run.run_id, now=NOW)


def test_progress_never_goes_back_and_metrics_gather(runs: Runs) -> None:
    run = start(runs, LEADS, CHURN)
    tell(runs, run, 50)
    tell(runs, run, 40)
    for model in (LEADS, CHURN):
        runs.record_model(
            run.run_id,
            1,
            model,
            metrics={"mae": 8.0},
            verdict=Verdict.PROMOTE,
            sentence="",
            version_number=1,
            now=NOW,
        )
    latest = runs.latest()
    assert latest is not None
    assert latest.progress_percent == 50
    assert set(latest.metrics) == set(latest.verdicts) == {LEADS, CHURN}


def test_nothing_leaves_a_final_status() -> None:
    assert {status for status, following in TRANSITIONS.items() if not following} == FINAL_STATUSES
