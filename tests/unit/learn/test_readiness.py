"""What there is, what is missing, and the day it will do."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.histories import at, history

from chatlift.history import History
from chatlift.learn.readiness import (
    RUNGS_FROM,
    Pace,
    ReadinessReport,
    assess,
    assess_history,
    conversation_count,
)
from chatlift.learn.specs.base import EXAMPLES, Readiness
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import ModelName, Rung

SPEC = SPECS[ModelName.LEAD_SCORING]
LAST = at(100)


def examples(labels: list[int | None], *, each: int = 1, last_day: float = 100.0) -> pl.DataFrame:
    """`each` examples per entity; one entity per label, a day apart, the newest on `last_day`."""
    rows = []
    for i, label in enumerate(labels, start=1):
        ends = at(last_day - len(labels) + i)
        for nth in range(each):
            cutoff = ends - timedelta(days=20 - nth)
            rows.append([i, i, i, cutoff, ends, cutoff, 1.0, nth == 0, label])
    return pl.DataFrame(rows, schema=EXAMPLES, orient="row")


def judged(
    found: pl.DataFrame,
    *,
    through: datetime | None = LAST,
    counted: int | None = None,
    now: datetime | None = None,
    **how: int,
) -> ReadinessReport:
    floors = Readiness(**({"entities": 10, "examples": 20, "per_class": 5} | how))
    choices = Choices(spans=SPEC.spans, floors=floors, targets=SPEC.targets)
    begun = None if counted is None else pl.Series([at(95)] * counted)
    return assess(found, SPEC, choices, conversations=begun, through=through, now=now)


def test_enough_of_everything_is_ready() -> None:
    report = judged(examples([1, 0] * 5, each=2))
    assert report.is_ready
    assert report.sentence(SPEC).startswith("There is enough data to train lead_scoring. With 10 ")
    counted = {need.what: need.found for need in report.needs}
    assert counted == {
        "mature leads": 10,
        "mature examples": 20,
        "leads still open at 7 days with a positive outcome": 5,
        "leads still open at 7 days with a negative outcome": 5,
    }


def test_each_floor_counts_for_itself() -> None:
    few_wins = judged(examples([1, 1] + [0] * 20, each=2))
    unmet = [need.what for need in few_wins.needs if not need.is_met]
    assert unmet == ["leads still open at 7 days with a positive outcome"]
    few_examples = judged(examples([1, 0] * 5))
    assert [n.what for n in few_examples.needs if not n.is_met] == ["mature examples"]


def test_undecided_examples_are_counted_and_never_enough() -> None:
    report = judged(examples([None] * 50, each=2))
    assert not report.is_ready
    assert report.undecided == 100
    assert "0 mature leads of 10 needed, none came in lately" in report.sentence(SPEC)
    assert "100 more examples are still undecided." in report.sentence(SPEC)


def test_the_day_is_told_at_the_pace_of_the_last_90_days() -> None:
    """6 leads in 90 days; 4 are missing: 4 / 6 x 90 = 60 days after the last observed one."""
    report = judged(examples([1, 0] * 3, each=4))
    leads = report.needs[0]
    assert (leads.found, leads.needed, leads.ready_on) == (6, 10, at(160))
    assert f"by {at(160):%Y-%m-%d}" in report.sentence(SPEC)


def test_what_stopped_coming_in_has_no_day() -> None:
    report = judged(examples([1, 0] * 3, each=4), through=at(300))
    assert report.needs[0].ready_on is None
    assert "none came in lately" in report.sentence(SPEC)


def test_no_day_is_named_that_has_passed() -> None:
    """The day is 160; on day 159 it is named, from day 160 on newer data is asked for."""
    found = examples([1, 0] * 3, each=4)
    assert judged(found, now=at(159)).needs[0].ready_on == at(160)
    late = judged(found, now=at(160))
    assert (late.needs[0].pace, late.needs[0].ready_on) == (Pace.DUE, None)
    assert "enough by now: import what came in since" in late.sentence(SPEC)


def test_no_day_is_named_that_lies_more_than_two_years_ahead() -> None:
    """6 leads in 90 days: 49 more take 735 days, 48 more 720."""
    found = examples([1, 0] * 3, each=4)
    assert judged(found, entities=54).needs[0].ready_on == at(820)
    far = judged(found, entities=55)
    assert (far.needs[0].pace, far.needs[0].ready_on) == (Pace.TOO_SLOW, None)
    assert "6 mature leads of 55 needed, not at this pace" in far.sentence(SPEC)
    assert judged(found, entities=10**9).needs[0].pace is Pace.TOO_SLOW


def test_conversations_have_a_day_as_well() -> None:
    """7 came in the last 90 days, 43 are missing: 43 / 7 x 90 = 553 days."""
    need = judged(examples([1, 0] * 5, each=2), conversations=50, counted=7).needs[-1]
    assert (need.what, need.ready_on) == ("conversations", at(653))


def test_the_report_says_which_rungs_the_data_supports_and_what_the_next_need() -> None:
    """100 mature leads, of which the last 90 days brought 91; 50 more take 50 / 91 x 90 days."""
    support = judged(examples([1, 0] * 50, each=2)).support
    assert support is not None
    assert support.rungs == (Rung.RULE, Rung.SHRUNKEN)
    assert support.next_rungs == (Rung.FULL, Rung.BLEND)
    assert support.next_need is not None
    assert support.next_need.ready_on == at(150)
    assert support.sentence == (
        "With 100 mature leads it usually supports the simple rule and a model held close to it "
        "(rule, shrunken); the full model and a blend (full, blend) from about 150: about 50 more, "
        f"at the present pace by {at(150):%Y-%m-%d}."
    )


def test_with_enough_for_every_rung_nothing_is_missing() -> None:
    support = judged(examples([1, 0] * 75, each=2)).support
    assert support is not None
    assert (support.rungs, support.next_need) == (tuple(Rung), None)
    assert "it usually supports every rung" in support.sentence


def test_below_the_floors_no_rung_is_supported() -> None:
    assert judged(examples([1, 0] * 3, each=2)).support is None


def test_every_model_says_from_when_on_each_rung_is_worth_it() -> None:
    assert set(RUNGS_FROM) == set(ModelName)
    assert all(set(least) == set(Rung) for least in RUNGS_FROM.values())


def test_nothing_at_all_is_told_without_a_day() -> None:
    report = judged(EXAMPLES.to_frame(), through=None)
    assert not report.is_ready
    assert "0 mature leads of 10 needed" in report.sentence(SPEC)


def test_conversations_count_only_where_they_are_asked_for() -> None:
    found = examples([1, 0] * 5, each=2)
    assert judged(found, conversations=50).is_ready
    report = judged(found, conversations=50, counted=7)
    assert "7 conversations of 50 needed" in report.sentence(SPEC)


def test_leads_that_close_too_soon_to_be_judged_are_told_with_a_remedy() -> None:
    found = examples([1, 0] * 10, each=2)
    quick_wins = found.with_columns(is_leading=pl.col("is_leading") & (pl.col("label") == 0))
    report = judged(quick_wins)
    assert not report.is_ready
    sentence = report.sentence(SPEC)
    assert "0 leads still open at 7 days with a positive outcome of 5 needed" in sentence
    assert "10 in all, the others closed before" in sentence
    assert "`chatlift settings set lead_scoring.spans.leading_age_days 1`" in sentence


def test_without_a_floor_of_classes_there_is_still_somebody_to_judge() -> None:
    nobody = examples([1, 0] * 10, each=2).with_columns(is_leading=pl.lit(value=False))
    report = judged(nobody, per_class=0)
    assert [need.what for need in report.needs if not need.is_met] == ["leads still open at 7 days"]


def of_history(story: History, model: ModelName) -> ReadinessReport:
    spec = SPECS[model]
    choices = Choices.of(spec, {})
    return assess_history(story, spec.examples(story, choices.spans), spec, choices)


def test_conversations_are_made_of_gaps_where_messages_name_none() -> None:
    """Two contacts; the first writes twice within a day and once two days later: 2 + 1."""
    talk = [(1, "in", 1.0, "a"), (1, "out", 1.5, "b"), (1, "in", 3.6, "c"), (2, "in", 1.2, "d")]
    story = history(contacts=[(1, 0), (2, 0)], messages=talk)
    assert story.messages["conversation_id"].null_count() == 4
    assert conversation_count(story) == 3
    needs = {need.what: need.found for need in of_history(story, ModelName.CHURN).needs}
    assert needs["conversations"] == 3
    assert "conversations" not in {n.what for n in of_history(story, ModelName.ENGAGEMENT).needs}


def test_no_conversation_is_asked_of_a_business_with_contracts() -> None:
    story = history(contacts=[(c, 0) for c in range(1, 41)], churned=dict.fromkeys(range(1, 31), 9))
    assert "conversations" not in {need.what for need in of_history(story, ModelName.CHURN).needs}


def test_undated_outcomes_are_counted_for_leads_and_for_no_other_model() -> None:
    leads = [(1, 1, 0.0, "won", None), (2, 1, 0.0, "lost", None), (3, 1, 0.0, "lost", 9.0)]
    story = history(contacts=[(1, 0)], leads=leads)
    undated = of_history(story, ModelName.LEAD_SCORING).undated
    assert undated is not None
    assert (undated.count, undated.won, undated.closed) == (2, 1, 3)
    assert of_history(story, ModelName.CHURN).undated is None
    dated = history(contacts=[(1, 0)], leads=leads[2:])
    assert of_history(dated, ModelName.LEAD_SCORING).undated is None


@given(st.lists(st.sampled_from([0, 1, None]), max_size=60), st.integers(1, 3))
def test_more_data_never_makes_less_ready(labels: list[int | None], each: int) -> None:
    fewer, more = judged(examples(labels, each=each)), judged(examples([*labels, 1, 0], each=each))
    assert more.is_ready or not fewer.is_ready
    assert all(m.found >= f.found for f, m in zip(fewer.needs, more.needs, strict=True))
    assert fewer.is_ready == all(need.is_met for need in fewer.needs)


@pytest.mark.parametrize("model", list(ModelName))
def test_every_spec_tells_what_it_lacks_of_an_empty_account(model: ModelName) -> None:
    spec = SPECS[model]
    report = of_history(History(), model)
    sentence = report.sentence(spec)
    assert sentence.startswith(f"Not enough data to train {model}: 0 mature {spec.entity}s of ")
    assert sentence.endswith("Import more history, or wait and train again.")
