from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.businesses import let_leases_run_out

from chatlift.errors import Cancelled, Conflict
from chatlift.registry.run_changes import enqueue_in
from chatlift.registry.run_events import RunEvents
from chatlift.registry.run_rows import LOCKS, ModelsBusy, Run, RunLost, RunNotFound
from chatlift.registry.runs import Runs
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.vocabulary import ModelName, RunStatus, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEADS, CHURN = ModelName.LEAD_SCORING, ModelName.CHURN
ASKED: dict[str, Any] = {"requested_model": "all", "request": {"seed": 0}}


@pytest.fixture
def account_id(database: Database) -> int:
    return ensure_account(database, "default", time_zone="UTC").account_id


@pytest.fixture
def runs(database: Database, account_id: int) -> Runs:
    return Runs(database, account_id)


def start(runs: Runs, *models: ModelName) -> Run:
    return runs.start(models, now=NOW, **ASKED)


def enqueue(runs: Runs, *models: ModelName, key: str | None = None, **other: Any) -> Run:
    told = ASKED | {"requested_by": "a test"} | other
    return runs.enqueue(models, now=NOW, idempotency_key=key, **told).run


def tell(runs: Runs, run: Run, percent: float) -> None:
    runs.progress(run.run_id, 1, phase="folds", percent=percent, message="", now=NOW)


@pytest.mark.parametrize("ask", [start, enqueue])
def test_a_run_takes_all_its_models_or_none(runs: Runs, ask: Callable[..., Run]) -> None:
    holder = ask(runs, CHURN)
    with pytest.raises(ModelsBusy, match=holder.run_id):
        ask(runs, LEADS, CHURN)
    assert len(runs.list()) == 1
    assert not ask(runs, LEADS).is_final


def test_of_two_threads_that_start_the_same_model_one_wins(runs: Runs) -> None:
    def attempt(_: int) -> bool:
        try:
            start(runs, *ModelName)
        except ModelsBusy:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, range(2))) == [False, True]


def test_a_dead_process_does_not_block_the_next_training(runs: Runs, database: Database) -> None:
    dead = start(runs, LEADS)
    let_leases_run_out(database)
    assert runs.renew(dead.run_id, 1).status is RunStatus.TRAINING
    with pytest.raises(ModelsBusy):
        start(runs, LEADS)  # Its process was only slow: it renewed the lease.
    let_leases_run_out(database)
    start(runs, LEADS)
    assert runs.get(dead.run_id).status is RunStatus.INTERRUPTED
    with pytest.raises(RunLost):
        tell(runs, dead, 20)


def test_a_clock_that_is_set_forward_takes_no_live_lease(runs: Runs, database: Database) -> None:
    run = start(runs, LEADS)
    let_leases_run_out(database)  # So all leases look, to a clock that is an hour ahead.
    database._shared.clock.note(database.now() + timedelta(hours=1))
    assert runs.expire() == ()
    runs.renew(run.run_id, 1)
    assert runs.get(run.run_id).status is RunStatus.TRAINING


def test_finishing_frees_the_models_and_is_final(runs: Runs) -> None:
    run = start(runs, LEADS)
    values = {"now": NOW + timedelta(seconds=1), "message": "done"}
    assert runs.finish(run.run_id, 1, RunStatus.COMPLETED, **values).progress_percent == 100
    with pytest.raises(RunLost):
        runs.finish(run.run_id, 1, RunStatus.FAILED, **values)
    start(runs, LEADS)


def test_a_run_that_was_asked_to_stop_hears_it_at_its_next_report(runs: Runs) -> None:
    run = start(runs, LEADS)
    assert runs.stop(run.run_id, now=NOW).status is RunStatus.TRAINING
    later = NOW + timedelta(seconds=1)
    assert runs.stop(None, now=later).cancel_requested_at == NOW
    with pytest.raises(Cancelled):
        tell(runs, run, 50)


def test_a_run_that_does_not_answer_is_ended_and_can_write_no_more(runs: Runs) -> None:
    run = start(runs, LEADS)
    runs.stop(run.run_id, now=NOW)
    ended = runs.end_unanswered(run.run_id, now=NOW + timedelta(seconds=5))
    assert ended.status is RunStatus.CANCELLED
    with pytest.raises(RunLost):
        tell(runs, run, 50)
    assert start(runs, LEADS).status is RunStatus.TRAINING
    assert runs.end_unanswered(run.run_id, now=NOW + timedelta(seconds=9)) == ended
    with pytest.raises(Conflict, match="nothing to stop"):
        runs.stop(run.run_id, now=NOW)


def test_with_nothing_under_way_there_is_nothing_to_stop(runs: Runs) -> None:
    with pytest.raises(Conflict, match="nothing to stop"):
        runs.stop(None, now=NOW)
    with pytest.raises(RunNotFound):
        runs.stop("unknown", now=NOW)


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


def test_the_rest_takes_as_long_as_the_pace_so_far_says(runs: Runs) -> None:
    run = start(runs, LEADS)
    assert runs.get(run.run_id).eta_seconds(NOW + timedelta(seconds=10)) is None
    tell(runs, run, 25)
    # A quarter took 10 s, so the other three take 30.
    assert runs.get(run.run_id).eta_seconds(NOW + timedelta(seconds=10)) == 30
    ended = runs.finish(run.run_id, 1, RunStatus.FAILED, now=NOW, message="")
    assert ended.eta_seconds(NOW + timedelta(seconds=10)) is None


def test_the_same_request_under_the_same_key_is_one_run(runs: Runs) -> None:
    first = enqueue(runs, LEADS, key="a")
    assert enqueue(runs, LEADS, key="a").run_id == first.run_id
    again = runs.enqueue([LEADS], now=NOW, idempotency_key="a", requested_by="a test", **ASKED)
    assert not again.is_new
    for other in ({"request": {"seed": 1}}, {"requested_model": "lead_scoring"}):
        with pytest.raises(Conflict, match="idempotency key"):
            enqueue(runs, LEADS, key="a", **other)
    with pytest.raises(Conflict, match="idempotency key"):
        enqueue(runs, CHURN, key="a")
    assert runs.count() == 1


def test_many_requests_at_once_under_one_key_are_one_run(runs: Runs) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: enqueue(runs, LEADS, key="a").run_id, range(16)))
    assert found == {run.run_id for run in runs.list()}
    assert len(found) == 1


def test_two_accounts_may_use_the_same_key(runs: Runs, database: Database) -> None:
    other = Runs(database, ensure_account(database, "other", time_zone="UTC").account_id)
    assert enqueue(runs, LEADS, key="a").run_id != enqueue(other, LEADS, key="a").run_id


def test_a_refused_run_leaves_no_trace_in_a_transaction_that_goes_on(
    runs: Runs, database: Database, account_id: int
) -> None:
    """A schedule notes in the same transaction that it skipped its slot."""
    holder = enqueue(runs, CHURN)
    told = ASKED | {"requested_by": "schedule", "now": NOW}
    with database.of_account(account_id).write() as connection:
        with pytest.raises(ModelsBusy):
            enqueue_in(connection, account_id, [LEADS, CHURN], **told)
        accepted = enqueue_in(connection, account_id, [LEADS], **told)
    assert [run.run_id for run in runs.list()] == [accepted.run_id, holder.run_id]
    assert len(RunEvents(database, account_id).after(0)) == 2
    with database.across_accounts().read() as connection:
        assert len(connection.execute(LOCKS.select()).all()) == 2


def test_runs_are_listed_a_page_at_a_time(runs: Runs) -> None:
    for _ in range(5):
        run = start(runs, LEADS)
        runs.finish(run.run_id, 1, RunStatus.COMPLETED, now=NOW, message="")
    everything = runs.list()
    first = runs.list(limit=2)
    second = runs.list(limit=2, before=first[-1].run_number)
    assert first + second == everything[:4]
    assert runs.count() == 5
