from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.histories import at, history

from chatlift.learn.specs.base import Asked, Spans
from chatlift.learn.specs.lead_scoring import lead_examples, open_leads


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


def test_the_leading_row_is_the_one_at_seven_days_or_the_last_before() -> None:
    story = history(contacts=[(1, 0), (2, 0)], leads=[(1, 1, 0, "won", 25), (2, 2, 0, "lost", 4)])
    leading = lead_examples(story, Spans()).filter("is_leading")
    assert leading.select("lead_id", "age_days").rows() == [(1, 7.0), (2, 3.0)]


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
