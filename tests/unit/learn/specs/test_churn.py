from __future__ import annotations

from datetime import timedelta

import polars as pl
from tests.histories import START, at, history

from chatlift.learn.specs.base import Spans
from chatlift.learn.specs.churn import churn_examples, contacts_at, is_by_contract

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


def test_cancellations_switch_the_rule_to_contract() -> None:
    story = history(contacts=[(1, 0), (2, 0)], churned={2: 80}, through=100)
    assert is_by_contract(story)
    examples = churn_examples(story, Spans())
    # No messages: one cutoff per contact, the last whose horizon was observed (day 70).
    assert examples.select("contact_id", "cutoff", "label").rows() == [
        (1, at(70), 0),
        (2, at(70), 1),
    ]


def test_a_churned_contact_takes_no_part_any_more() -> None:
    story = history(contacts=[(1, 0), (2, 0)], churned={2: 40}, through=100)
    assert contacts_at(story, Spans(), at(50)).get_column("contact_id").to_list() == [1]
