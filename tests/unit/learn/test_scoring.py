"""Answers: alone as together, as stored, with a trend that is the same version a week ago."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.businesses import QUICK
from tests.histories import at, business

from chatlift.history import History
from chatlift.learn.evaluation import Options
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.readiness import ReadinessReport
from chatlift.learn.scoring import AnswerState, Scorer, Trend, shown_scores
from chatlift.learn.specs.base import Asked, Readiness
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.suite import SHIPPED_FOLD
from chatlift.learn.training import Task, Trained, train_model
from chatlift.vocabulary import LeadOutcome, ModelName

DAYS = 95
LOW = Readiness(entities=30, examples=60, per_class=5)


@pytest.fixture(scope="module")
def told() -> History:
    """50 contacts whose leads are all still open from day 60 on."""
    made = business(7, contacts=50, days=DAYS)
    late = pl.col("closed_at") > at(50)
    outcome = pl.when(late).then(pl.lit(str(LeadOutcome.OPEN))).otherwise("outcome")
    dates = [pl.when(~late).then(c).alias(c) for c in ("closed_at", "outcome_known_at")]
    return replace(made, leads=made.leads.with_columns(outcome.alias("outcome"), *dates))


@pytest.fixture(scope="module", params=[ModelName.LEAD_SCORING, ModelName.CHURN])
def trained(told: History, request: pytest.FixtureRequest) -> tuple[Scorer, Trained]:
    spec = SPECS[request.param]
    task = Task(
        spec=spec,
        choices=Choices(spans=spec.spans, floors=LOW, targets=spec.targets),
        features=catalogue(spec.model),
        options=Options(cv_folds=2),
        parameters=QUICK[spec.model],
        key=b"k",
    )
    found = train_model(told, task)
    assert not isinstance(found, ReadinessReport), found.sentence(spec)
    assert found.model.evidence is not None
    assert [len(row) for row in found.model.evidence.reference] == [len(found.model.columns)]
    scorer = Scorer(
        model=found.model, spec=spec, spans=spec.spans, features=task.features, key=task.key
    )
    return scorer, found


def test_alone_together_and_stored_are_the_same_bits(trained: tuple[Scorer, Trained]) -> None:
    scorer, found = trained
    stored = found.stored.filter(pl.col("fold") == SHIPPED_FOLD).get_column("probability")
    together = scorer.model.probabilities(found.snapshot)
    assert np.array_equal(together, stored.to_numpy())
    for row in range(0, len(found.snapshot), 7):
        assert scorer.model.probabilities(found.snapshot.take([row]))[0] == together[row]
    shuffled = np.random.default_rng(0).permutation(len(found.snapshot))
    assert np.array_equal(
        scorer.model.probabilities(found.snapshot.take(shuffled)), together[shuffled]
    )


def test_one_answer_is_the_same_whoever_else_is_asked(
    trained: tuple[Scorer, Trained], told: History
) -> None:
    scorer, _ = trained
    everybody = scorer.answers(told, at(DAYS))
    ids = [answer.entity_id for answer in everybody]
    assert ids == sorted(ids)
    assert len(ids) > 3
    for answer in everybody[:3]:
        assert scorer.answers(told, at(DAYS), entity_ids=[answer.entity_id]) == [answer]
    assert scorer.answers(told, at(DAYS), entity_ids=[10**9]) == []
    assert scorer.answers(told, at(-5)) == []


def test_many_instants_at_once_answer_as_each_alone(
    trained: tuple[Scorer, Trained], told: History
) -> None:
    """Chats end at different instants; asking about all of them must change no answer."""
    scorer, _ = trained
    ends = (at(70), at(68.5), at(66), at(1))
    apart = [Asked.at(range(place, 400, 4), end) for place, end in enumerate(ends)]
    alone = [answer for asked in apart for answer in scorer.answers_of(told, asked)]
    assert len({answer.as_of for answer in alone}) > 1
    together = scorer.answers_of(
        told,
        Asked(
            entity_ids=np.concatenate([asked.entity_ids for asked in apart]),
            cutoffs=np.concatenate([asked.cutoffs for asked in apart]),
        ),
    )
    assert together == sorted(alone, key=lambda answer: answer.entity_id)
    assert scorer.answers_of(told, Asked.at([], at(70))) == []


def test_a_week_apart_each_instant_has_its_own_answer(
    trained: tuple[Scorer, Trained], told: History
) -> None:
    """The instant before is read for the trend too; here it is asked for itself."""
    scorer, _ = trained
    now, before = (scorer.answers(told, end, entity_ids=range(99)) for end in (at(70), at(63)))
    twice = Asked.at(range(99), at(70)).with_before(timedelta(days=7))
    both = sorted([*now, *before], key=lambda answer: (answer.entity_id, answer.as_of))
    assert scorer.answers_of(told, twice) == both
    assert len(both) > len(now) > 3


def test_an_answer_reads_as_its_probability(trained: tuple[Scorer, Trained], told: History) -> None:
    scorer, _ = trained
    for answer in scorer.answers(told, at(DAYS)):
        assert answer.score == shown_scores(np.array([answer.probability]))[0]
        assert answer.band == scorer.spec.bands.of(answer.score)
        assert answer.recommendation == scorer.spec.recommendations[answer.band]
        assert answer.as_of == at(DAYS)


def test_a_lead_past_its_horizon_is_marked(trained: tuple[Scorer, Trained], told: History) -> None:
    scorer, _ = trained
    created = dict(told.leads.select("lead_id", "created_at").iter_rows())
    for answer in scorer.answers(told, at(60)):
        is_past = scorer.spec.entity == "lead" and (at(60) - created[answer.entity_id]).days >= 30
        expected = AnswerState.PAST_HORIZON if is_past else AnswerState.SCORED
        assert answer.state is expected


def test_a_trend_is_the_same_version_now_against_seven_days_ago(
    trained: tuple[Scorer, Trained], told: History
) -> None:
    scorer, _ = trained
    now = scorer.answers(told, at(DAYS - 20))
    before = {a.entity_id: a.score for a in scorer.answers(told, at(DAYS - 27))}
    wrote = told.messages.filter(
        pl.col("direction") == "in",
        pl.col("sent_at") >= at(DAYS - 27),
        pl.col("sent_at") < at(DAYS - 20),
    )
    counts = dict(wrote.group_by("contact_id").len().iter_rows())
    for answer in now:
        gain = answer.score - before.get(answer.entity_id, answer.score)
        known = answer.entity_id in before and counts.get(answer.contact_id, 0) >= 2
        moved = Trend.IMPROVING if gain >= 10 else Trend.DECLINING if gain <= -10 else Trend.STEADY
        assert answer.trend is (moved if known else Trend.NOT_ENOUGH_INFO)
    assert len({answer.trend for answer in now}) > 1


@given(st.floats(0, 1))
def test_a_shown_score_stays_within_1_and_99(probability: float) -> None:
    (score,) = shown_scores(np.array([probability]))
    assert 1 <= score <= 99
    assert abs(score - 100 * probability) <= 1.0
