from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.histories import START, at, history

from chatlift.history import History
from chatlift.learn.specs.base import Asked, Spans
from chatlift.learn.specs.churn import (
    FEWEST_CANCELLATIONS,
    churn_examples,
    contacts_at,
    rule_of,
    settled,
)
from chatlift.vocabulary import ChurnRule

BY_CONTRACT = Spans(churn_rule=ChurnRule.CONTRACT)

WEEKLY_WRITER = [(1, "in", 0.5 + 7 * week, "hi") for week in range(20)]


def test_a_contact_that_keeps_writing_is_never_labelled_silent() -> None:
    story = history(contacts=[(1, 0)], messages=WEEKLY_WRITER, through=136)
    mature = churn_examples(story, Spans()).filter(pl.col("label").is_not_null())
    assert mature.height > 10
    assert set(mature.get_column("label")) == {0}


def test_silence_is_one_from_the_cutoff_after_the_last_message_on() -> None:
    story = history(contacts=[(1, 0)], messages=[(1, "in", 1, "hi")], through=100)
    examples = churn_examples(story, Spans())
    told = [(cutoff - START, label) for cutoff, label in examples.select("cutoff", "label").rows()]
    # Cutoffs are Mondays; day 7 is the first after the message; active for 60 days after it.
    assert told == [(timedelta(days=7 * week), 1) for week in range(1, 9)]


def test_an_export_that_ended_months_ago_makes_nobody_silent() -> None:
    """Time passes by what was observed: the last 30 days stay undecided for ever."""
    story = history(contacts=[(1, 0)], messages=WEEKLY_WRITER, through=136)
    newest = churn_examples(story, Spans()).filter(pl.col("cutoff") > at(106))
    assert newest.height > 0
    assert newest.get_column("label").null_count() == newest.height


def test_a_message_at_the_cutoff_itself_is_not_known_but_counts_for_the_label() -> None:
    story = history(contacts=[(1, 0)], messages=[(1, "in", 3, "a"), (1, "in", 7, "b")], through=60)
    first = churn_examples(story, Spans()).row(0, named=True)
    assert (first["cutoff"], first["label"]) == (at(7), 0)


def test_one_cancellation_does_not_change_what_leaving_means() -> None:
    """An account that notes a few cancellations still goes by silence, for the past as well."""
    silent = history(contacts=[(1, 0), (2, 0)], messages=WEEKLY_WRITER, through=136)
    noted = replace(
        silent,
        contacts=silent.contacts.with_columns(
            churned_at=pl.when(pl.col("contact_id") == 2).then(pl.lit(at(130)))
        ),
    )
    assert rule_of(noted, Spans()) is ChurnRule.SILENCE
    assert churn_examples(noted, Spans()).equals(churn_examples(silent, Spans()))


@pytest.mark.parametrize(
    ("cancellations", "rule"),
    [
        (FEWEST_CANCELLATIONS - 1, ChurnRule.SILENCE),
        (FEWEST_CANCELLATIONS, ChurnRule.CONTRACT),
    ],
)
def test_many_cancellations_switch_auto_to_contract(cancellations: int, rule: ChurnRule) -> None:
    people = [(c, 0.0) for c in range(1, 41)]
    story = history(contacts=people, churned=dict.fromkeys(range(1, cancellations + 1), 80.0))
    assert rule_of(story, Spans()) is rule
    assert settled(Spans(), story).churn_rule is rule
    for named in (ChurnRule.SILENCE, ChurnRule.CONTRACT):
        assert rule_of(story, Spans(churn_rule=named)) is named


def test_by_contract_a_cancellation_within_the_horizon_is_one() -> None:
    story = history(contacts=[(1, 0), (2, 0)], churned={2: 80}, through=100)
    examples = churn_examples(story, BY_CONTRACT)
    # No messages: one cutoff per contact, the last whose horizon was observed (day 70).
    assert examples.select("contact_id", "cutoff", "label").rows() == [
        (1, at(70), 0),
        (2, at(70), 1),
    ]


def test_a_churned_contact_takes_no_part_any_more() -> None:
    story = history(contacts=[(1, 0), (2, 0)], churned={2: 40}, through=100)
    assert contacts_at(story, BY_CONTRACT, Asked.at([1, 2], at(50))).get_column(
        "contact_id"
    ).to_list() == [1]


def beside(story: History, later: History) -> History:
    """Return the story with a second source, `later`, whose contacts have other numbers."""
    news = {"source": pl.lit("later")}
    return replace(
        story,
        contacts=pl.concat([story.contacts, later.contacts.with_columns(**news)]),
        messages=pl.concat(
            [story.messages, later.messages.with_columns(pl.col("message_id") + 9000)]
        ),
        observations=pl.concat([story.observations, later.observations.with_columns(**news)]),
    )


WRITERS = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["in", "out"]), st.floats(0, 120)), max_size=25
)
LATER_WRITERS = st.lists(
    st.tuples(st.integers(11, 13), st.sampled_from(["in", "out"]), st.floats(0, 300)), max_size=25
)


@settings(max_examples=60, deadline=None)
@given(
    wrote=WRITERS,
    churned=st.dictionaries(st.integers(1, 4), st.floats(1, 120), max_size=4),
    wrote_later=LATER_WRITERS,
    through=st.integers(1, 300),
    rule=st.sampled_from([ChurnRule.SILENCE, ChurnRule.CONTRACT]),
    every=st.sampled_from([0.0, 7.0]),
)
def test_a_second_source_changes_no_example_of_the_first(
    wrote: list[tuple[int, str, float]],
    churned: dict[int, float],
    wrote_later: list[tuple[int, str, float]],
    through: int,
    rule: ChurnRule,
    every: float,
) -> None:
    first = history(
        contacts=[(c, c) for c in range(1, 5)],
        messages=[(*told, "hi") for told in wrote],
        churned=churned,
        through=120,
    )
    second = history(
        contacts=[(c, c) for c in range(11, 14)],
        messages=[(*told, "hi") for told in wrote_later],
        churned={11: 30},
        through=through,
    )
    spans = Spans(churn_rule=rule, cutoff_every_days=every)
    both = churn_examples(beside(first, second), spans)
    assert both.filter(pl.col("contact_id") < 10).equals(churn_examples(first, spans))
    assert both.filter(pl.col("contact_id") > 10).equals(
        churn_examples(_alone_later(second), spans)
    )


def _alone_later(second: History) -> History:
    news = {"source": pl.lit("later")}
    return replace(
        second,
        contacts=second.contacts.with_columns(**news),
        observations=second.observations.with_columns(**news),
    )
