from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.histories import at, history

from chatlift.history import History
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.snapshots import take_snapshot
from chatlift.learn.specs.base import Asked, Spans
from chatlift.learn.specs.lead_scoring import lead_examples, looked_at, open_leads
from chatlift.vocabulary import ModelName, UndatedOutcomes

AT_CREATION = Spans(undated_outcomes=UndatedOutcomes.AT_CREATION)


def labels(examples: pl.DataFrame) -> dict[float, int | None]:
    return dict(examples.select("age_days", "label").iter_rows())


def test_a_lead_is_an_example_at_every_age_at_which_it_was_open() -> None:
    story = history(contacts=[(1, 0)], leads=[(1, 1, 0, "won", 10)])
    assert labels(lead_examples(story, Spans())) == {1.0: 1, 3.0: 1, 7.0: 1}


def test_a_win_after_the_horizon_counts_as_no_win() -> None:
    story = history(contacts=[(1, 0)], leads=[(1, 1, 0, "won", 31)])
    assert set(labels(lead_examples(story, Spans())).values()) == {0}


def test_a_lead_decided_early_waits_for_its_whole_horizon() -> None:
    story = history(contacts=[(1, 0)], leads=[(1, 1, 0, "won", 2)], through=29.9)
    assert labels(lead_examples(story, Spans())) == {1.0: None}


def test_a_horizon_that_touches_a_gap_stays_undecided() -> None:
    story = history(contacts=[(1, 0)], leads=[(1, 1, 0, "lost", 20)], gaps=[(25, 26)])
    assert set(labels(lead_examples(story, Spans())).values()) == {None}


def test_leads_still_open_at_seven_days_lead_and_those_closed_before_do_not() -> None:
    story = history(
        contacts=[(1, 0)],
        leads=[(1, 1, 0, "won", 25), (2, 1, 0, "lost", 4), (3, 1, 0, "open", None)],
    )
    leading = lead_examples(story, Spans()).filter("is_leading")
    assert leading.select("lead_id", "age_days").rows() == [(1, 7.0), (3, 7.0)]


@settings(max_examples=30, deadline=None)
@given(closed=st.lists(st.floats(0, 40), min_size=1, max_size=8))
def test_when_a_lead_closes_never_moves_the_age_at_which_it_is_judged(closed: list[float]) -> None:
    leads = [(i, 1, 0.0, "won", day) for i, day in enumerate(closed, start=1)]
    examples = lead_examples(history(contacts=[(1, 0)], leads=leads), Spans())
    leading = examples.filter("is_leading").select("lead_id", "age_days").rows()
    assert leading == [(i, 7.0) for i, day in enumerate(closed, start=1) if at(day) >= at(7)]


def test_a_perfect_model_is_right_on_average_over_the_leading_rows() -> None:
    """Wins close at an even pace over 30 days, losses late: P(won | open at 7 days) by Bayes.

    0.3 x 23/30 = 0.23 of all leads are won and still open at 7 days, 0.7 are lost, so 0.23 / 0.93
    = 0.247. Led by their last row before, the quick wins would be judged too: 0.3.
    """
    rng = np.random.default_rng(3)
    won = rng.random(6_000) < 0.3
    closed = np.where(won, rng.uniform(1.1, 30, 6_000), rng.uniform(20, 29, 6_000))
    leads = [
        (i, 1, 0.0, "won" if w else "lost", float(day))
        for i, (w, day) in enumerate(zip(won, closed, strict=True), start=1)
    ]
    examples = lead_examples(history(contacts=[(1, 0)], leads=leads), Spans())
    rate = examples.filter("is_leading").get_column("label").mean()
    # 5,580 draws of 0.247 spread by 0.0058; four of them are 0.023.
    assert abs(float(rate) - 0.23 / 0.93) < 0.023  # type: ignore[arg-type]


def test_the_leading_age_follows_the_settings_where_no_example_has_seven_days() -> None:
    story = history(contacts=[(1, 0)], leads=[(1, 1, 0, "won", 25), (2, 1, 0, "lost", 4)])
    for ages, leading in [((1.0, 5.0, 14.0), 5.0), ((14.0, 21.0), 14.0)]:
        found = lead_examples(story, Spans(ages_days=ages)).filter("is_leading")
        assert found.select("lead_id", "age_days").rows() == [(1, leading)]


def test_from_the_horizon_on_a_lead_is_no_example() -> None:
    story = history(contacts=[(1, 0)], leads=[(1, 1, 0, "open", None)])
    spans = Spans(ages_days=(1.0, 10.0, 12.0), horizon_days=10)
    assert labels(lead_examples(story, spans)) == {1.0: 0}


def without_dates(story: History, imported: float = 200) -> History:
    """Return the story with outcomes that are known from an import on, and no closing dates."""
    is_closed = pl.col("outcome") != "open"
    told = story.leads.with_columns(
        closed_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
        outcome_known_at=pl.when(is_closed).then(pl.lit(at(imported))),
    )
    return replace(story, leads=told)


FOUR_LEADS = [
    (1, 1, 0.0, "won", 25.0),
    (2, 1, 1.0, "lost", 4.0),
    (3, 1, 2.0, "open", None),
    (4, 1, 3.0, "won", 50.0),
]


def test_a_lead_that_closed_on_an_unknown_day_is_no_example_at_any_age() -> None:
    story = without_dates(history(contacts=[(1, 0)], leads=FOUR_LEADS))
    assert set(lead_examples(story, Spans()).get_column("lead_id")) == {3}


def test_at_creation_every_lead_dated_or_not_is_one_leading_example() -> None:
    """Were there rows of later ages too, having one would tell of the outcome."""
    dated = history(contacts=[(1, 0)], leads=FOUR_LEADS)
    undated = without_dates(dated)
    half = replace(dated, leads=pl.concat([undated.leads.head(2), dated.leads.tail(2)]))
    for story, last in ((undated, 1), (half, 0), (dated, 0)):
        found = lead_examples(story, AT_CREATION)
        assert found.get_column("is_leading").all()
        assert found.get_column("cutoff").to_list() == [
            at(day) + timedelta(microseconds=1) for day in range(4)
        ]
        # The fourth was won 47 days after it came: too late, unless nobody knows.
        assert found.get_column("label").to_list() == [1, 0, 0, last]


def test_at_creation_what_is_dated_to_it_is_known_and_nothing_later() -> None:
    story = without_dates(
        history(
            contacts=[(1, 0)],
            leads=[(1, 1, 15, "won", 19)],
            messages=[(1, "in", 14, "a"), (1, "in", 15, "b"), (1, "in", 15.01, "c")],
            facts=[("lead", 1, "source", "web", 15), ("lead", 1, "stage", "late", 15.01)],
        )
    )
    examples = lead_examples(story, AT_CREATION)
    known = take_snapshot(story, examples, catalogue(ModelName.LEAD_SCORING), key=b"k")
    assert known.features["messages_received_count_7d"].to_list() == [2]
    assert known.attributes.row(0, named=True) == {"lead.source": "web", "lead.stage": None}


def test_a_version_trained_at_creation_looks_no_further_when_it_answers() -> None:
    story = history(contacts=[(1, 0)], leads=[(1, 1, 5, "open", None)])
    asked = open_leads(story, AT_CREATION, Asked.at([1], at(20)))
    assert looked_at(asked, Spans()).get_column("cutoff").to_list() == [at(20)]
    just_after = at(5) + timedelta(microseconds=1)
    assert looked_at(asked, AT_CREATION).get_column("cutoff").to_list() == [just_after]
    at_once = open_leads(story, AT_CREATION, Asked.at([1], at(5)))
    assert looked_at(at_once, AT_CREATION).get_column("cutoff").to_list() == [at(5)]


def test_open_leads_have_their_real_age_and_closed_ones_are_left_out() -> None:
    story = history(
        contacts=[(1, 0)],
        leads=[(1, 1, 0, "open", None), (2, 1, 1, "won", 4), (3, 1, 9, "open", None)],
    )
    late, early = Asked.at([3, 2, 1, 77], at(5)), Asked.at([1, 2, 3], at(3))
    assert open_leads(story, Spans(), late).select("lead_id", "age_days").rows() == [(1, 5.0)]
    assert open_leads(story, Spans(), early).get_column("lead_id").to_list() == [1, 2]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_fast_wins_and_slow_losses_give_every_cohort_the_same_base_rate(seed: int) -> None:
    """Conversion is a constant 30 %; wins close within 5 days, losses after 20 or more."""
    rng = np.random.default_rng(seed)
    created = np.linspace(0, 200, 2_000)
    won = rng.random(2_000) < 0.3
    closed = created + np.where(won, rng.uniform(1.5, 5, 2_000), rng.uniform(20, 29, 2_000))
    story = history(
        contacts=[(1, 0)],
        leads=[
            (i, 1, float(c), "won" if w else "lost", float(d))
            for i, (c, w, d) in enumerate(zip(created, won, closed, strict=True), start=1)
        ],
        through=200,
    )
    mature = lead_examples(story, Spans()).filter(pl.col("age_days") == 1, pl.col("label") >= 0)
    oldest, newest = mature.head(400), mature.sort("split_at").tail(400)
    assert newest.get_column("split_at").max() > at(165)  # type: ignore[operator]
    for cohort in (oldest, newest):
        rate = cohort.get_column("label").mean()
        # 400 draws of 0.3 spread by sqrt(.3 x .7 / 400) = 0.023; four of them are 0.092.
        assert abs(float(rate) - 0.3) < 0.092  # type: ignore[arg-type]
