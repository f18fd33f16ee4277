"""However a training ends, it leaves order behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Event
from time import sleep
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.businesses import (
    account_of,
    assert_at_rest,
    clock_at,
    folders,
    let_leases_run_out,
    locks,
    quick,
)
from tests.histories import at, business
from tests.unit.workflows.conftest import DAYS, FLOORS, shop

from chatlift.errors import Cancelled, Conflict, InvalidInput
from chatlift.history import History
from chatlift.learn.fitting import FittedModel, Recipe, fit
from chatlift.learn.scoring import Scorer
from chatlift.learn.snapshots import Snapshot
from chatlift.learn.specs.base import Spans
from chatlift.learn.specs.churn import rule_of
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.champions import GateCounts
from chatlift.registry.run_queue import Claim, RunQueue
from chatlift.registry.run_rows import RunLost
from chatlift.registry.serving import history_of, scorer_of
from chatlift.registry.workspace import Workspace
from chatlift.store.database import DatabaseBusy
from chatlift.vocabulary import (
    ChurnRule,
    ModelName,
    Progress,
    Rung,
    RunStatus,
    UndatedOutcomes,
    Verdict,
)
from chatlift.workflows.train import TrainRequest, counted, train, train_claimed

LEADS, CHURN, ENGAGEMENT = ModelName
CLOCK_DAY = DAYS + 1.0
SAID = "message of somebody, +34 600 111 222"


@pytest.fixture(scope="module")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("written")
    with account_of(home, shop()):
        return home


@pytest.fixture
def untrained(written_once: Path, tmp_path: Path) -> Iterator[Workspace]:
    """The shop before its first training."""
    shutil.copytree(written_once, tmp_path / "home")
    with account_of(tmp_path / "home", settings=FLOORS) as workspace:
        yield workspace


def stop_at(phase: str, how: type[BaseException]) -> object:
    def report(step: Progress) -> None:
        if step.phase == phase:
            raise how("stop")

    return report


def champions(workspace: Workspace) -> dict[ModelName, int]:
    return {v.model: v.number for v in workspace.versions.list() if v.is_champion}


@pytest.mark.parametrize("how", [Cancelled, KeyboardInterrupt])
@pytest.mark.parametrize("phase", ["history", "features", "refit", "gate"])
def test_a_training_that_is_stopped_leaves_nothing_behind(
    trained: Workspace, phase: str, how: type[BaseException]
) -> None:
    before = champions(trained)
    versions = trained.versions.list()
    with pytest.raises(Cancelled, match="champion is untouched"):
        train(
            trained,
            quick(LEADS),
            clock=clock_at(CLOCK_DAY),
            report=stop_at(phase, how),  # type: ignore[arg-type]
        )
    run = trained.runs.latest()
    assert run is not None
    assert run.status is RunStatus.CANCELLED
    assert champions(trained) == before
    assert trained.versions.list() == versions
    assert_at_rest(trained)


def test_a_training_asked_to_stop_by_another_stops_at_its_next_step(untrained: Workspace) -> None:
    def ask(step: Progress) -> None:
        run = untrained.runs.latest()
        assert run is not None
        if step.phase == "features":
            untrained.runs.stop(run.run_id, now=clock_at(CLOCK_DAY)())

    with pytest.raises(Cancelled):
        train(untrained, quick(LEADS), clock=clock_at(CLOCK_DAY), report=ask)
    assert untrained.versions.list() == ()
    assert_at_rest(untrained)


@pytest.mark.parametrize("from_elsewhere", [True, False])
def test_a_cancellation_ends_the_run_while_a_long_fit_still_goes_on(
    untrained: Workspace, from_elsewhere: bool
) -> None:
    """The run is over and its model free before the fit has returned."""
    seen: list[RunStatus] = []
    asked = Event()

    def endless(snapshot: Snapshot, recipe: Recipe) -> FittedModel:
        if not seen:
            run = untrained.runs.latest()
            assert run is not None
            if from_elsewhere:
                untrained.runs.stop(run.run_id, now=clock_at(CLOCK_DAY)())
            else:
                asked.set()
            while not untrained.runs.get(run.run_id).is_final:
                sleep(0.05)
            seen.append(untrained.runs.get(run.run_id).status)
            assert locks(untrained) == 0
        return fit(snapshot, recipe)

    with pytest.raises(Cancelled, match="champion is untouched"):
        train(
            untrained,
            quick(LEADS),
            clock=clock_at(CLOCK_DAY),
            fit_with=endless,
            is_asked_to_stop=asked.is_set,
        )
    assert set(seen) == {RunStatus.CANCELLED}
    assert untrained.versions.list() == ()
    assert_at_rest(untrained)


def test_a_request_to_stop_in_the_very_last_step_still_ends_the_run(untrained: Workspace) -> None:
    """The model has its verdict, and the run has only its end to write."""
    tick = clock_at(CLOCK_DAY)
    asked: list[bool] = []

    def clock() -> datetime:
        run = untrained.runs.latest()
        if run is not None and run.verdicts and not asked:
            asked.append(True)
            raise KeyboardInterrupt
        return tick()

    with pytest.raises(Cancelled, match="Finished before and kept: lead_scoring v1"):
        train(untrained, quick(LEADS), clock=clock)
    run = untrained.runs.latest()
    assert run is not None
    assert (asked, run.status) == ([True], RunStatus.CANCELLED)
    assert_at_rest(untrained)


def test_a_run_that_another_ended_stops_as_cancelled(untrained: Workspace) -> None:
    """As after `runs stop`, which waited in vain for a process that was held up."""

    def held_up(snapshot: Snapshot, recipe: Recipe) -> FittedModel:
        run = untrained.runs.latest()
        assert run is not None
        untrained.runs.end_unanswered(run.run_id, now=clock_at(CLOCK_DAY)())
        return fit(snapshot, recipe)

    with pytest.raises(Cancelled, match="champion is untouched"):
        train(untrained, quick(LEADS), clock=clock_at(CLOCK_DAY), fit_with=held_up)
    assert untrained.versions.list() == ()
    assert_at_rest(untrained)


def claimed(workspace: Workspace, request: TrainRequest) -> Claim:
    """A run that was asked for and that a worker has taken up."""
    workspace.runs.enqueue(
        request.models,
        requested_model="all",
        request=request.to_json(),
        requested_by="a test",
        now=clock_at(CLOCK_DAY)(),
    )
    return taken_up(workspace)


def taken_up(workspace: Workspace) -> Claim:
    claim = RunQueue(workspace.database).claim_next("worker")
    assert claim is not None
    return claim


def test_a_claimed_run_is_trained_as_it_was_asked_for(untrained: Workspace) -> None:
    asked = quick(LEADS, seed=3, cv_folds=3, promote=False)
    claim = claimed(untrained, asked)
    assert TrainRequest.of_run(claim.run) == asked
    report = train_claimed(untrained, claim.run, clock=clock_at(CLOCK_DAY))
    assert report.run.status is RunStatus.COMPLETED
    (version,) = untrained.versions.list()
    assert not version.is_champion
    assert_at_rest(untrained)


@pytest.mark.parametrize("broken", ["register", "sweep_orphans"])
def test_a_database_that_is_away_costs_a_run_an_attempt_and_not_its_verdict(
    untrained: Workspace, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """A lock of a minute on SQLite failed runs for good."""
    claim = claimed(untrained, quick(LEADS))

    def busy(*_arguments: object, **_choices: object) -> None:
        raise DatabaseBusy

    with monkeypatch.context() as away:
        away.setattr(untrained.versions, broken, busy)
        with pytest.raises(DatabaseBusy):
            train_claimed(untrained, claim.run, clock=clock_at(CLOCK_DAY))
    assert untrained.runs.get(claim.run_id).status is RunStatus.TRAINING
    RunQueue(untrained.database).give_up(claim, message="busy", error={})
    again = taken_up(untrained)
    report = train_claimed(untrained, again.run, clock=clock_at(CLOCK_DAY))
    assert (report.run.status, report.run.attempt) == (RunStatus.COMPLETED, 2)


@pytest.mark.parametrize("phase", ["features", "gate"])
def test_a_run_that_was_given_to_another_is_lost_and_nothing_more_is_written(
    untrained: Workspace, phase: str
) -> None:
    """Also where the process notices only as it registers its version."""
    claim = claimed(untrained, quick(LEADS))

    def held_up(step: Progress) -> None:
        if step.phase == phase:
            let_leases_run_out(untrained.database)
            RunQueue(untrained.database).expire()
            taken_up(untrained)

    with pytest.raises(RunLost, match="attempt 2"):
        train_claimed(untrained, claim.run, clock=clock_at(CLOCK_DAY), report=held_up)
    run = untrained.runs.get(claim.run_id)
    assert (run.status, run.attempt, run.verdicts) == (RunStatus.TRAINING, 2, {})
    assert untrained.versions.list() == ()
    assert folders(untrained) == set()


def test_a_run_whose_lease_has_run_out_is_lost_although_nobody_has_taken_it(
    untrained: Workspace,
) -> None:
    claim = claimed(untrained, quick(LEADS))

    def held_up(step: Progress) -> None:
        if step.phase == "gate":
            let_leases_run_out(untrained.database)

    with pytest.raises(RunLost, match="its lease has run out"):
        train_claimed(untrained, claim.run, clock=clock_at(CLOCK_DAY), report=held_up)
    assert untrained.versions.list() == ()
    assert folders(untrained) == set()


def test_a_second_attempt_keeps_what_the_first_registered(untrained: Workspace) -> None:
    claim = claimed(untrained, quick(LEADS, ENGAGEMENT))

    class Killed(BaseException):
        pass

    def die(step: Progress) -> None:
        if step.model is ENGAGEMENT:
            RunQueue(untrained.database).give_up(claim, message="It died.", error={})
            raise Killed

    with pytest.raises((Killed, RunLost)):
        train_claimed(untrained, claim.run, clock=clock_at(CLOCK_DAY), report=die)
    (first,) = untrained.versions.list()
    report = train_claimed(untrained, taken_up(untrained).run, clock=clock_at(CLOCK_DAY))
    assert [version.model for version in untrained.versions.list()] == [ENGAGEMENT, LEADS]
    assert untrained.versions.get(LEADS, 1).version_id == first.version_id
    assert set(report.run.verdicts) == {LEADS, ENGAGEMENT}
    assert report.run.verdicts[LEADS]["version_number"] == 1
    assert_at_rest(untrained)


def test_a_claimed_run_that_asks_for_the_impossible_fails_with_its_reason(
    untrained: Workspace,
) -> None:
    claim = claimed(untrained, replace(quick(LEADS), parameters={LEADS: {"no_such": 1.0}}))
    with pytest.raises(InvalidInput):
        train_claimed(untrained, claim.run, clock=clock_at(CLOCK_DAY))
    run = untrained.runs.get(claim.run_id)
    assert run.status is RunStatus.FAILED
    assert "no_such" in run.message
    assert locks(untrained) == 0


def test_one_look_that_fails_is_not_the_last(untrained: Workspace) -> None:
    looks: list[bool] = []

    def is_asked_to_stop() -> bool:
        looks.append(True)
        if len(looks) == 1:
            raise ConnectionError
        return True

    def endless(snapshot: Snapshot, recipe: Recipe) -> FittedModel:
        run = untrained.runs.latest()
        assert run is not None
        while not untrained.runs.get(run.run_id).is_final:
            sleep(0.05)
        return fit(snapshot, recipe)

    with pytest.raises(Cancelled):
        train(
            untrained,
            quick(LEADS),
            clock=clock_at(CLOCK_DAY),
            fit_with=endless,
            is_asked_to_stop=is_asked_to_stop,
        )
    assert len(looks) == 2
    assert_at_rest(untrained)


def test_a_damaged_champion_gives_way_before_the_comparison(trained: Workspace) -> None:
    """The new version is held against the one before, and not let through for want of a rival."""
    damaged = trained.versions.get(LEADS, 2)
    (damaged.folder / SPECS[LEADS].main_file).write_bytes(b"{L changed")
    (outcome,) = train(trained, quick(LEADS, seed=2), clock=clock_at(CLOCK_DAY)).outcomes
    assert outcome.decision is not None
    assert any("v1" in check.sentence for check in outcome.decision.checks)
    assert champions(trained) == {LEADS: 1, ENGAGEMENT: 2}
    fallen = trained.versions.ledger(LEADS)[-1]
    assert (fallen.kind, fallen.from_number, fallen.to_number) == ("fallback", 2, 1)


def test_a_fit_that_breaks_fails_its_run_and_keeps_no_value(untrained: Workspace) -> None:
    def broken(snapshot: Snapshot, recipe: Recipe) -> FittedModel:
        raise ZeroDivisionError(SAID)

    report = train(untrained, quick(LEADS), clock=clock_at(CLOCK_DAY), fit_with=broken)
    assert report.run.status is RunStatus.FAILED
    error = report.run.error
    assert error is not None
    assert error["type"] == "ZeroDivisionError"
    assert "broken" in [frame["function"] for frame in error["frames"]]
    assert "600 111" not in str(report)
    assert "somebody" not in str(untrained.runs.get(report.run.run_id))
    assert untrained.versions.list() == ()
    assert_at_rest(untrained)


def test_one_model_that_breaks_leaves_the_others_alone(untrained: Workspace) -> None:
    def broken_for_leads(snapshot: Snapshot, recipe: Recipe) -> FittedModel:
        if recipe.estimator == "xgboost_regression" and snapshot.examples["lead_id"].count():
            raise ZeroDivisionError(SAID)
        return fit(snapshot, recipe)

    report = train(
        untrained, quick(LEADS, CHURN), clock=clock_at(CLOCK_DAY), fit_with=broken_for_leads
    )
    leads, churn = report.outcomes
    assert (leads.status, churn.status) == ("failed", "completed")
    assert report.run.status is RunStatus.COMPLETED
    assert [version.model for version in untrained.versions.list()] == [CHURN]
    assert "600 111" not in str(report)
    assert_at_rest(untrained)


def test_too_little_data_is_told_and_leaves_the_others_alone(untrained: Workspace) -> None:
    many = {"lead_scoring": {"readiness": {"entities": 5_000}}} | {"churn": FLOORS["churn"]}
    demanding = replace(untrained, account=replace(untrained.account, settings=many))
    report = train(demanding, quick(LEADS, CHURN), clock=clock_at(CLOCK_DAY))
    leads, churn = report.outcomes
    assert (leads.status, churn.status) == ("not_ready", "completed")
    assert "mature leads of 5000 needed" in leads.sentence
    assert report.run.status is RunStatus.COMPLETED


def test_a_model_in_training_cannot_be_trained_twice(untrained: Workspace) -> None:
    def train_too(step: Progress) -> None:
        if step.phase == "features":
            with pytest.raises(Conflict, match="lead_scoring"):
                train(untrained, quick(LEADS), clock=clock_at(CLOCK_DAY))

    report = train(untrained, quick(LEADS), clock=clock_at(CLOCK_DAY), report=train_too)
    assert report.run.status is RunStatus.COMPLETED
    assert len(untrained.versions.list()) == 1
    assert_at_rest(untrained)


def test_wrong_wishes_are_refused_before_a_run_begins(untrained: Workspace) -> None:
    with pytest.raises(InvalidInput, match="trees is 2"):
        train(untrained, quick(LEADS, parameters={LEADS: {"trees": 2}}), clock=clock_at(CLOCK_DAY))
    with pytest.raises(InvalidInput, match="test-size is 0"):
        TrainRequest(test_size=0.9)
    with pytest.raises(InvalidInput, match="cv-folds is 1"):
        TrainRequest(cv_folds=1)
    for seed in (-1, 2**31):
        with pytest.raises(InvalidInput, match=f"--seed is {seed}; it takes 0 to"):
            TrainRequest(seed=seed)
    assert untrained.runs.latest() is None


def test_outcomes_of_pure_chance_never_make_a_champion(tmp_path: Path) -> None:
    with account_of(tmp_path, business(3, contacts=130, days=DAYS, signal=0.0)) as workspace:
        report = train(workspace, quick(LEADS), clock=clock_at(CLOCK_DAY))
        (outcome,) = report.outcomes
        assert outcome.decision is not None
        assert outcome.decision.verdict is Verdict.REFUSE
        assert "not shown to be better" in " ".join(outcome.decision.reasons)
        assert champions(workspace) == {}


def test_what_can_be_told_apart_is_promoted_with_all_its_evidence(tmp_path: Path) -> None:
    request = quick(LEADS, parameters={LEADS: {"trees": 60}}, cv_folds=3)
    with account_of(tmp_path, business(8, contacts=160, days=150)) as workspace:
        report = train(workspace, request, clock=clock_at(151))
        (outcome,) = report.outcomes
        assert outcome.decision is not None
        assert outcome.decision.verdict is Verdict.PROMOTE, outcome.sentence
        assert outcome.sentence == "v1 passed every check and serves now."
        assert champions(workspace) == {LEADS: 1}
        assert all(c.sentence and c.threshold is not None for c in outcome.decision.checks)
        again = train(workspace, request, clock=clock_at(152)).outcomes[0]
        assert again.decision is not None
        assert "refresh_not_worse" in [check.name for check in again.decision.checks]
        assert_at_rest(workspace)


def test_a_basis_that_was_asked_for_ships_beside_rule_and_prescribed(untrained: Workspace) -> None:
    request = quick(LEADS, bases={LEADS: Rung.SHRUNKEN}, promote=False)
    (outcome,) = train(untrained, request, clock=clock_at(CLOCK_DAY)).outcomes
    version, found = outcome.version, outcome.evaluation
    assert version is not None
    assert found is not None
    assert (version.basis, found["set_rung"]) == (Rung.SHRUNKEN, "shrunken")
    assert set(found["rungs"]) == {"rule", "shrunken", "full"}
    assert found["rule"] == found["rungs"]["rule"] != found["prescribed"] == found["rungs"]["full"]
    manifest = json.loads((version.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["basis"] == "shrunken"
    assert manifest["weights"] == {"rule": 1.0, "correction": 1.0}
    assert manifest["anchor"] == found["anchor"]
    assert found["anchor_points"] * found["anchor"] >= 0


def test_a_refusal_says_by_what_and_what_serves_instead(trained: Workspace) -> None:
    hard = {LEADS: FLOORS["lead_scoring"] | {"targets": {"mae": 0.001}}}
    with account_of(trained.settings.home, settings={**FLOORS, **hard}) as demanding:
        request = quick(LEADS, require_targets=True)
        (outcome,) = train(demanding, request, clock=clock_at(CLOCK_DAY)).outcomes
        assert outcome.sentence.startswith("v3 was refused (")
        assert "target_mae" in outcome.sentence
        assert outcome.sentence.endswith(" v2 goes on serving.")
        assert outcome.serving_number == 2
        demanding.versions.delete(LEADS, 2, by="me", now=at(CLOCK_DAY), force=True)
        (alone,) = train(demanding, request, clock=clock_at(CLOCK_DAY)).outcomes
        assert alone.sentence.endswith(" Nothing serves.")
        assert alone.serving_number is None


def test_the_same_data_and_seed_give_the_same_predictions(untrained: Workspace) -> None:
    chances = []
    for _ in range(2):
        (outcome,) = train(untrained, quick(LEADS), clock=clock_at(CLOCK_DAY)).outcomes
        assert outcome.version is not None
        stored = untrained.versions.evaluation_predictions(outcome.version)
        chances.append(stored.select(pl.col("probability", "threshold")).to_numpy())
    assert np.array_equal(*chances)


def test_a_version_predicts_by_the_churn_rule_it_was_trained_with(untrained: Workspace) -> None:
    """Cancellations that come in later change the next version, not this one."""
    train(untrained, quick(CHURN), clock=clock_at(CLOCK_DAY))
    version = untrained.versions.get(CHURN, 1)
    assert version.evaluation["entities"] > 0
    told = history_of(untrained)
    cancelled = replace(
        told,
        contacts=told.contacts.with_columns(churned_at=pl.col("created_at").dt.offset_by("1d")),
    )
    scorer = scorer_of(untrained, untrained.versions.load(version))
    assert scorer.spans.churn_rule is ChurnRule.SILENCE
    assert scorer.snapshot(cancelled, at(DAYS)).examples.height > 0
    assert rule_of(cancelled, Spans()) is ChurnRule.CONTRACT


def test_a_version_trained_at_creation_answers_by_what_was_known_then(
    untrained: Workspace,
) -> None:
    """It has learned nothing of what comes after, so a flood of messages leaves it unmoved."""
    floors = {"readiness": {"entities": 40, "examples": 40, "per_class": 10}}
    settings = {"undated_outcomes": "at_creation", "lead_scoring": floors}
    account = replace(untrained.account, settings=settings)
    told = replace(untrained, account=account)
    (outcome,) = train(told, quick(LEADS), clock=clock_at(CLOCK_DAY)).outcomes
    assert outcome.version is not None, outcome.sentence
    scorer = scorer_of(told, told.versions.load(outcome.version))
    assert scorer.spans.undated_outcomes is UndatedOutcomes.AT_CREATION
    before = history_of(told)
    flood = before.messages.with_columns(
        message_id=pl.col("message_id") + 1_000_000, sent_at=pl.lit(at(DAYS - 0.5))
    )
    after = replace(before, messages=pl.concat([before.messages, flood.head(900)]))
    calm, flooded = (_inputs(scorer, history) for history in (before, after))
    assert len(set(calm.values())) > 1
    assert calm == flooded
    by_age = replace(scorer, spans=Spans())
    assert _inputs(by_age, before) != _inputs(by_age, after)


def _inputs(scorer: Scorer, history: History) -> dict[int, str]:
    """Lead to the fingerprint of what its answer is made of."""
    answers = scorer.answers(history, at(DAYS))
    return {answer.entity_id: answer.features_fingerprint for answer in answers}


def test_a_version_from_before_the_rule_was_kept_is_refreshed_by_the_same_rule(
    untrained: Workspace,
) -> None:
    """Its manifest names no rule, so that it goes by what `auto` means on today's data."""
    train(untrained, quick(CHURN, promote=False), clock=clock_at(CLOCK_DAY))
    new = untrained.versions.get(CHURN, 1)
    artifact = untrained.versions.load(new)
    told = {name: value for name, value in artifact.manifest.items() if name != "files"}
    del told["spans"]["churn_rule"]
    del told["spans"]["undated_outcomes"]
    now = clock_at(CLOCK_DAY)
    run = untrained.runs.start([CHURN], requested_model=CHURN, request={}, now=now())
    old = untrained.versions.register(
        run_id=run.run_id,
        attempt=1,
        model=CHURN,
        files=artifact.files,
        manifest=told,
        recipe_fingerprint=new.recipe_fingerprint,
        data_fingerprint=new.data_fingerprint,
        metrics=new.metrics,
        evaluation=new.evaluation,
        gate=new.gate,
        verdict=Verdict.PROMOTE,
        promote=True,
        expected_champion=None,
        predictions=untrained.versions.evaluation_predictions(new),
        now=now(),
    )
    untrained.runs.finish(run.run_id, 1, RunStatus.COMPLETED, now=now(), message="")
    assert old.is_champion
    (outcome,) = train(untrained, quick(CHURN), clock=now).outcomes
    assert outcome.decision is not None
    assert any("A refresh of v2" in check.sentence for check in outcome.decision.checks)


def counted_after(counts: GateCounts, **trained: Any) -> GateCounts:
    """What is counted once a version of 300 entities is registered."""
    content = {"against": None, "has_spent_look": False} | trained
    is_promoted = content.pop("is_promoted", True)
    return counted(counts, SimpleNamespace(**content), 300, is_promoted=is_promoted)  # type: ignore[arg-type]


REFRESH = SimpleNamespace(is_refresh=True, brier_gains=np.array([-0.002, -0.001, -0.003]))
NEW_RECIPE = SimpleNamespace(is_refresh=False, brier_gains=np.array([0.01, 0.0, 0.02]))


def test_a_look_counts_for_good_also_after_refreshes() -> None:
    first = counted_after(GateCounts())
    assert first == GateCounts(entities_at_look=300)
    looked = counted_after(first, against=NEW_RECIPE, has_spent_look=True, is_promoted=False)
    assert looked.look_count == 1
    refreshed = counted_after(looked, against=REFRESH)
    assert refreshed.look_count == 1
    # Spread of the two resamples: 0.001.
    assert refreshed.refresh_gain == pytest.approx(-0.002)
    assert refreshed.refresh_variance == pytest.approx(1e-6)


def test_a_refresh_that_was_not_promoted_adds_nothing_up_and_a_new_recipe_begins_anew() -> None:
    counts = GateCounts(look_count=2, entities_at_look=200, refresh_gain=-0.01)
    assert counted_after(counts, against=REFRESH, is_promoted=False) == counts
    promoted = counted_after(counts, against=NEW_RECIPE, has_spent_look=True)
    assert promoted == GateCounts(look_count=3, entities_at_look=300)
