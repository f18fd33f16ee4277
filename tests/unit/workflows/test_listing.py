"""A list from stored scores is the list that would be made now, whichever way it is cut."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from tests.businesses import SOURCE, records_of
from tests.histories import at, history
from tests.unit.workflows.conftest import DAYS

from chatlift.registry import scoring_jobs
from chatlift.registry.scores import Filters, Prediction
from chatlift.registry.scoring_jobs import JobStatus, ScoringJobs
from chatlift.registry.versions import NoChampion
from chatlift.registry.workspace import Workspace
from chatlift.store.revisions import records_changed
from chatlift.vocabulary import ModelName
from chatlift.workflows import listing
from chatlift.workflows.listing import Listing, ListReport, ListRequest, list_scores
from chatlift.workflows.predict import PredictReport, PredictRequest, predict
from chatlift.workflows.score_everybody import plan_scorings, score_waiting

NOW = at(DAYS)
LEADS, CHURN, ENGAGEMENT = ModelName


def listed(
    workspace: Workspace,
    model: ModelName,
    *,
    limit: int = 200,
    behind: Prediction | None = None,
    **filters: str,
) -> ListReport:
    request = ListRequest(
        model=model,
        filters=Filters(**filters),
        limit=limit,
        behind=behind.place if behind else None,
    )
    return list_scores(workspace, Listing(), request, now=NOW)


def score_everybody(workspace: Workspace) -> int:
    plan_scorings(workspace.database, now=workspace.database.now())
    return score_waiting(workspace.database, workspace.settings, "test", go_on=lambda: True)


def jobs_of(workspace: Workspace) -> ScoringJobs:
    return ScoringJobs(workspace.database, workspace.account.account_id)


def pages(workspace: Workspace, model: ModelName, limit: int) -> list[Prediction]:
    found: list[Prediction] = []
    while True:
        page = listed(workspace, model, limit=limit, behind=found[-1] if found else None)
        found += page.predictions
        if not page.has_more:
            return found


def test_stored_and_made_now_a_list_is_the_same(
    shop_on: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring_jobs, "SHARD_CONTACTS", 10)
    made = {model: listed(shop_on, model) for model in ModelName}
    assert score_everybody(shop_on) == 3 * 7
    for model, wanted in made.items():
        job = jobs_of(shop_on).latest(model, wanted.version_number)
        assert job is not None
        assert (job.status, job.shard_count) == (JobStatus.COMPLETED, 7)
        assert listed(shop_on, model) == wanted
        assert pages(shop_on, model, 3) == list(wanted.predictions)
        first = wanted.predictions[0]
        for filters in ({"band": first.answer.band}, {"trend": str(first.answer.trend)}):
            narrowed = listed(shop_on, model, **filters)
            assert 0 < narrowed.total == len(narrowed.predictions) <= wanted.total
            assert narrowed.predictions[0] == first
        named = listed(shop_on, model, search=first.external_id.upper())
        assert first in named.predictions
        assert listed(shop_on, model, search="%").total == 0
    assert made[LEADS].past_horizon_count > 0


def test_stored_scores_are_read_where_they_count(
    shop_on: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be made anew by `predict`, which is not called here."""
    score_everybody(shop_on)
    monkeypatch.delattr(listing, "predict")
    assert listed(shop_on, CHURN).total > 3


def test_a_small_account_is_listed_as_its_records_stand_a_large_one_as_it_was_scored(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_everybody(shop)
    before = listed(shop, CHURN)
    new = history(contacts=[(901, 98)], messages=[(901, "in", 99, "hello")])
    shop.crm.write(records_of(new), source="other")
    small = listed(shop, CHURN)
    monkeypatch.setattr(listing, "FEW_MESSAGES", 3)
    large = listed(shop, CHURN)
    assert (small.records_have_changed, large.records_have_changed) == (False, True)
    assert large.predictions == before.predictions
    assert small.total == before.total + 1
    assert listed(shop, CHURN, search="c901").total == 0


def test_of_the_same_version_everybody_is_scored_again_after_a_pause(shop: Workspace) -> None:
    score_everybody(shop)
    assert not plan_scorings(shop.database, now=shop.database.now() + timedelta(days=1))
    shop.crm.write_gap(SOURCE, gap_from=at(20), gap_through=at(80))
    assert not plan_scorings(shop.database, now=shop.database.now())
    assert plan_scorings(shop.database, now=shop.database.now() + timedelta(hours=1))


def test_another_version_scores_everybody_at_once_and_going_back_needs_none(
    shop: Workspace,
) -> None:
    score_everybody(shop)
    second = listed(shop, CHURN)
    shop.versions.rollback(CHURN, by="test", reason="to see", now=at(DAYS))
    first = listed(shop, CHURN)
    assert (first.version_number, second.version_number) == (1, 2)
    assert plan_scorings(shop.database, now=shop.database.now())
    assert score_everybody(shop) == 1
    assert listed(shop, CHURN) == first
    shop.versions.promote(CHURN, 2, by="test", reason="to see", now=at(DAYS))
    assert not plan_scorings(shop.database, now=shop.database.now())
    assert listed(shop, CHURN) == second


def test_where_nobody_serves_nothing_is_scored(shop: Workspace) -> None:
    for model in ModelName:
        shop.versions.delete_model(model, by="test", force=True, now=at(DAYS))
    assert score_everybody(shop) == 0
    with pytest.raises(NoChampion):
        listed(shop, CHURN)


def test_a_shard_that_breaks_is_tried_again_and_then_its_job_has_failed(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("chatlift.workflows.score_everybody.scores_of", broken)
        assert score_everybody(shop) == 0
    assert not plan_scorings(shop.database, now=shop.database.now())
    assert plan_scorings(shop.database, now=shop.database.now() + scoring_jobs.AFTER_FAILURE)
    assert score_waiting(shop.database, shop.settings, "test", go_on=lambda: True) == 3


def test_who_asks_at_the_same_time_waits_for_one_making(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ModelName] = []

    def counted(workspace: Workspace, request: PredictRequest, *, now: datetime) -> PredictReport:
        made.append(request.model)
        return predict(workspace, request, now=now)

    monkeypatch.setattr(listing, "predict", counted)
    process = Listing()

    def ask(offset: timedelta = timedelta()) -> ListReport:
        request = ListRequest(model=CHURN, filters=Filters(), limit=5)
        return list_scores(shop, process, request, now=NOW + offset)

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: ask(), range(8)))
    assert all(report == reports[0] for report in reports)
    assert made == [CHURN]
    ask(listing.MADE_IS_FRESH)
    assert made == [CHURN] * 2
    records_changed_now(shop)
    ask(listing.MADE_IS_FRESH)
    assert made == [CHURN] * 3


def records_changed_now(workspace: Workspace) -> None:
    with workspace.database.write() as connection:
        records_changed(connection, workspace.account.account_id)
