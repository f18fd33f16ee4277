"""Who answers, for when, about whom, and what the answer is marked with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.businesses import SOURCE, account_of, records_of
from tests.histories import at, history
from tests.unit.workflows.conftest import DAYS, TRAINED

from chatlift.errors import InvalidInput, NotFound, NotReady
from chatlift.learn.scoring import unscorable
from chatlift.learn.snapshots import take_snapshot
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.suite import SHIPPED_FOLD
from chatlift.registry.serving import history_of, scorer_of
from chatlift.registry.versions import NoChampion
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ChurnRule, LeadOutcome, ModelName
from chatlift.workflows.predict import PredictReport, PredictRequest, predict

LEADS, ENGAGEMENT = ModelName.LEAD_SCORING, ModelName.ENGAGEMENT
NOW = at(DAYS)


def asked(workspace: Workspace, **request: object) -> PredictReport:
    chosen = {"model": LEADS} | request
    return predict(workspace, PredictRequest(**chosen), now=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", TRAINED)
def test_stored_predictions_come_out_again_to_the_last_bit(
    trained: Workspace, model: ModelName
) -> None:
    version = trained.versions.get(model, "champion")
    scorer = scorer_of(trained, trained.versions.load(version))
    stored = trained.versions.evaluation_predictions(version).filter(pl.col("fold") == SHIPPED_FOLD)
    today = history_of(trained)
    examples = scorer.spec.examples(today, scorer.spans).filter(pl.col("label").is_not_null())
    snapshot = take_snapshot(today, examples, scorer.features, key=scorer.key)
    keys = ["entity_id", "cutoff"]
    assert stored.select(keys).equals(snapshot.examples.select(keys))
    then = stored.get_column("probability").to_numpy()
    assert np.array_equal(scorer.model.probabilities(snapshot), then)
    chosen = range(0, len(snapshot), max(len(snapshot) // 40, 1))
    assert all(scorer.model.probabilities(snapshot.take([i]))[0] == then[i] for i in chosen)


@pytest.mark.parametrize("model", TRAINED)
def test_one_asked_alone_gets_what_all_asked_together_get(
    trained: Workspace, model: ModelName
) -> None:
    together = asked(trained, model=model).predictions
    assert len(together) > 3
    for one in (together[0], together[-1]):
        alone = asked(trained, model=model, external_ids=(one.external_id,))
        assert alone.predictions == (one,)


def test_the_highest_score_comes_first_and_top_cuts_the_list(trained: Workspace) -> None:
    everybody = asked(trained, model=ENGAGEMENT).predictions
    chances = [prediction.answer.probability for prediction in everybody]
    assert chances == sorted(chances, reverse=True)
    assert asked(trained, model=ENGAGEMENT, top=3).predictions == everybody[:3]


def test_leads_past_their_horizon_stand_apart(trained: Workspace) -> None:
    created = history_of(trained).leads.select("external_id", "created_at").rows()
    age_days = {name: (NOW - created_at).days for name, created_at in created}
    report = asked(trained)
    assert all(age_days[p.external_id] < 30 for p in report.predictions)
    assert all(age_days[p.external_id] >= 30 for p in report.past_horizon)
    assert len(report.past_horizon) > 3
    assert len(report.predictions) == 10
    named = [p.external_id for p in (*report.predictions, *report.past_horizon)]
    is_open = history_of(trained).leads.get_column("outcome") == LeadOutcome.OPEN
    assert sorted(named) == sorted(history_of(trained).leads.filter(is_open)["external_id"])


def test_the_version_that_served_then_answers_for_then(trained: Workspace) -> None:
    first, second = asked(trained, as_of=at(85)), asked(trained, as_of=at(95))
    assert (first.version_number, first.in_hindsight) == (1, False)
    assert (second.version_number, second.in_hindsight) == (2, False)
    assert first.as_of == at(85)
    assert all(p.answer.as_of == at(85) for p in first.predictions)


def test_an_instant_before_any_champion_is_answered_in_hindsight(trained: Workspace) -> None:
    report = asked(trained, as_of=at(70))
    assert (report.version_number, report.in_hindsight) == (2, True)


def test_a_named_version_answers_in_hindsight_of_what_it_was_made_after(
    trained: Workspace,
) -> None:
    assert asked(trained, version="1").version_number == 1
    assert not asked(trained, version="1").in_hindsight
    assert not asked(trained, version="1", as_of=at(85)).in_hindsight
    assert asked(trained, version="2", as_of=at(85)).in_hindsight


def test_what_was_told_for_then_does_not_hang_on_what_came_since(trained: Workspace) -> None:
    """The same question with the data cut at that instant has the same answer."""
    then = at(85)
    today = history_of(trained)
    version = trained.versions.get(LEADS, 1)
    scorer = scorer_of(trained, trained.versions.load(version))
    until = replace(
        today,
        messages=today.messages.filter(pl.col("sent_at") < then),
        facts=today.facts.filter(pl.col("known_at") < then),
        leads=today.leads.filter(pl.col("created_at") <= then),
    )
    told = {p.answer.entity_id: p.answer for p in asked(trained, as_of=then).predictions}
    assert told
    cut = {a.entity_id: a for a in scorer.answers(until, then, entity_ids=list(told))}
    assert cut == told


def test_the_future_cannot_be_asked_for(trained: Workspace) -> None:
    with pytest.raises(InvalidInput, match="lies in the future"):
        asked(trained, as_of=at(DAYS + 1))


def test_data_that_ended_long_ago_is_marked_stale_and_time_stays_with_it(
    trained: Workspace,
) -> None:
    request = PredictRequest(model=LEADS)
    late = predict(trained, request, now=at(DAYS + 60))
    fresh = predict(trained, request, now=at(DAYS))
    assert (late.is_stale, fresh.is_stale) == (True, False)
    assert late.as_of == fresh.as_of == at(DAYS)
    assert late.predictions == fresh.predictions
    assert not predict(trained, replace(request, as_of=at(95)), now=at(DAYS + 60)).is_stale


def test_ids_without_an_answer_are_named_with_the_reason(trained: Workspace) -> None:
    report = asked(trained, external_ids=("l5", "l1", "nobody"))
    answered = [p.external_id for p in (*report.predictions, *report.past_horizon)]
    assert answered == ["l5"]
    assert report.not_scored == {
        "l1": "it is closed, or was not created yet",
        "nobody": "no lead has this id",
    }
    assert report.unknown_ids == ("nobody",)


def test_the_reason_of_a_missing_answer_goes_by_the_versions_own_rule() -> None:
    spec = SPECS[ModelName.CHURN]
    by_silence = replace(spec.spans, active_days=45.0, churn_rule=ChurnRule.SILENCE)
    by_contract = replace(spec.spans, churn_rule=ChurnRule.CONTRACT)
    assert unscorable(spec, by_silence) == "it has not written in the last 45 days"
    assert unscorable(spec, by_contract) == "it has churned already, or was not created yet"


def test_ids_that_nobody_has_are_an_error_that_says_where_to_look(trained: Workspace) -> None:
    with pytest.raises(NotFound, match=r"No lead has the id 'nobody'.*--all"):
        asked(trained, external_ids=("nobody",))


def test_a_damaged_version_of_then_gives_way_to_the_one_before_with_a_warning(
    trained: Workspace,
) -> None:
    second = trained.versions.get(LEADS, 2)
    (second.folder / "lead_scoring_model.ubj").write_bytes(b"{L changed")
    report = asked(trained, as_of=at(95))
    assert (report.version_number, report.in_hindsight) == (1, False)
    assert "Version 1, which served before, answers instead" in report.warnings[0]


@pytest.mark.parametrize("model", TRAINED)
def test_a_second_source_changes_no_answer_about_the_first(
    trained: Workspace, model: ModelName
) -> None:
    """The first source ended on day 100; that the second went on says nothing about it."""
    before = asked(trained, model=model)
    later = history(
        contacts=[(901, 120)],
        messages=[(901, "in", day, "hello") for day in (121, 140, 158)],
        leads=[(901, 901, 150, "open", None)],
        through=160,
    )
    trained.crm.write(records_of(later), source="later")
    trained.crm.write_observation("later", observed_from=at(0), observed_through=at(160))
    report = predict(trained, PredictRequest(model=model), now=at(160))
    told = {p.external_id: p for p in (*report.predictions, *report.past_horizon)}
    new = {"lead_scoring": "l901", "engagement": "c901"}[model]
    assert told.pop(new).answer.as_of == at(160)
    assert told == {p.external_id: p for p in (*before.predictions, *before.past_horizon)}
    assert report.ended_before == {SOURCE: at(100)}
    assert not report.is_stale
    alone = predict(trained, PredictRequest(model=model, external_ids=(new,)), now=at(160))
    assert [p.external_id for p in alone.predictions] == [new]


def test_without_data_or_a_version_nothing_is_made_up(tmp_path: Path) -> None:
    with account_of(tmp_path / "empty") as empty, pytest.raises(NotReady, match="no data"):
        asked(empty)
    told = history(contacts=[(1, 0)], messages=[(1, "in", 1, "hi")])
    with account_of(tmp_path / "new", told) as new, pytest.raises(NoChampion, match="Train one"):
        asked(new)
