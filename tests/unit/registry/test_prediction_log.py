"""What was served is kept soon, all of it where the process ends in order."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import polars as pl
import pytest
from structlog.testing import capture_logs
from tests.fleets import ENOUGH_SECONDS
from tests.histories import at

from chatlift.registry import prediction_log
from chatlift.registry.prediction_log import PredictionLog, ServedAnswers
from chatlift.registry.predictions import Predictions
from chatlift.registry.workspace import Workspace
from chatlift.store.database import DatabaseBusy
from chatlift.vocabulary import ModelName
from chatlift.workflows.predict import PredictRequest, predict

NOW = at(100)
CHURN = ModelName.CHURN


@pytest.fixture
def served(shop: Workspace) -> ServedAnswers:
    report = predict(shop, PredictRequest(model=CHURN), now=NOW)
    return ServedAnswers(
        account_id=shop.account.account_id,
        model=CHURN,
        version_number=report.version_number,
        answers=[found.answer for found in report.predictions],
        served_at=NOW + timedelta(seconds=1),
    )


def test_everything_served_by_many_threads_is_kept(shop: Workspace, served: ServedAnswers) -> None:
    log = PredictionLog(shop.database)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log.add, [served] * 300))
    log.close()
    kept = shop.predictions.list(CHURN, limit=100_000)
    assert kept.height == 300 * len(served.answers)
    first = served.answers[0]
    of_first = kept.filter(entity_id=first.entity_id)
    assert of_first.height == 300
    assert set(of_first["features_fingerprint"]) == {first.features_fingerprint}
    assert set(of_first["probability"]) == {first.probability}
    assert set(of_first["predicted_at"]) == {served.served_at}
    assert set(of_first["as_of"]) == {first.as_of}


def test_what_cannot_be_written_costs_no_answer_and_is_told(
    shop: Workspace, served: ServedAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PredictionLog(shop.database)
    with monkeypatch.context() as patch, capture_logs() as told:
        patch.delattr(Predictions, "log_all")
        log.add(served)
        log.close()
    assert [line["event"] for line in told] == ["predictions_unlogged", "predictions_lost"]
    assert {line["count"] for line in told} == {len(served.answers)}
    log.add(served)
    assert shop.predictions.list(CHURN).is_empty()


def test_while_the_database_is_busy_answers_wait_and_none_waits_for_them(
    shop: Workspace, served: ServedAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "PAUSE_SECONDS", 0.01)
    is_busy, tried = threading.Event(), threading.Event()
    is_busy.set()
    write = Predictions.log_all

    def log_all(self: Predictions, rows: pl.DataFrame) -> int:
        if is_busy.is_set():
            tried.set()
            raise DatabaseBusy
        return write(self, rows)

    monkeypatch.setattr(Predictions, "log_all", log_all)
    room = 3 * len(served.answers)
    with capture_logs() as told:
        log = PredictionLog(shop.database, most_waiting=room)
        for _ in range(2):
            log.add(served)
        assert tried.wait(ENOUGH_SECONDS)
        for _ in range(4):
            log.add(served)
        is_busy.clear()
        log.close()
    assert shop.predictions.list(CHURN, limit=1000).height == room
    assert {line["event"] for line in told} == {"predictions_unlogged", "predictions_lost"}
    lost = sum(line["count"] for line in told if line["event"] == "predictions_lost")
    assert lost == log.lost_count == 3 * len(served.answers)
    assert log.kept_count == room


def test_a_database_that_stays_away_holds_up_no_ending(
    shop: Workspace, served: ServedAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def log_all(_self: Predictions, rows: pl.DataFrame) -> int:
        tries.append(rows.height)
        raise DatabaseBusy

    monkeypatch.setattr(Predictions, "log_all", log_all)
    monkeypatch.setattr(prediction_log, "TOGETHER", 1)
    log = PredictionLog(shop.database)
    for _ in range(5):
        log.add(served)
    log.close()
    assert len(tries) <= 2  # The one under way, and a last one.
    assert log.lost_count == 5 * len(served.answers)
