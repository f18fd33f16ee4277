from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.histories import at, history

from chatlift import history as crm
from chatlift.history import History
from chatlift.sources.derived_leads import Derivation, derive
from chatlift.sources.outcome_rules import parse_rule

Said = tuple[int, str, float, str]


def told(rule: str = "phrase:paid", **choices: Any) -> Derivation:
    lost = choices.pop("lost_when", None)
    return Derivation(
        won_when=parse_rule(rule), lost_when=parse_rule(lost) if lost else None, **choices
    )


def story(*messages: Said, **more: Any) -> History:
    contacts = [(who, 0.0) for who in sorted({m[0] for m in messages} | {1})]
    return history(contacts=contacts, messages=messages, **more)


def leads(seen: History, derivation: Derivation) -> list[tuple[Any, ...]]:
    """Contact, day of the beginning, outcome, day of the end."""
    day = [
        ((pl.col(name) - at(0)).dt.total_hours() / 24).alias(name)
        for name in ("created_at", "closed_at")
    ]
    found = derive(seen, derivation).leads.with_columns(day)
    return found.select("contact_id", "created_at", "outcome", "closed_at").rows()


def test_a_lead_begins_with_the_first_word_of_the_contact_and_ends_with_the_sign() -> None:
    seen = story((1, "out", 1, "hi"), (1, "in", 2, "price?"), (1, "out", 5, "Order  PAID, thanks"))
    assert leads(seen, told()) == [(1, 2.0, "won", 5.0)]


def test_a_quiet_span_makes_the_next_word_another_lead() -> None:
    seen = story((1, "in", 1, "a"), (1, "out", 3, "paid"), (1, "in", 20, "b"), (1, "in", 60, "c"))
    assert leads(seen, told()) == [(1, 1.0, "won", 3.0), (1, 60.0, "open", None)]
    assert [lead[1] for lead in leads(seen, told(quiet_days=10))] == [1.0, 20.0, 60.0]


def test_the_first_sign_decides_and_a_win_beats_silence() -> None:
    seen = story((1, "in", 1, "a"), (1, "out", 2, "cancelled"), (1, "out", 4, "paid"))
    assert leads(seen, told(lost_when="phrase:cancelled")) == [(1, 1.0, "lost", 2.0)]
    late = story((1, "in", 1, "a"), (1, "out", 25, "paid"))
    assert leads(late, told(lost_after_days=14)) == [(1, 1.0, "won", 25.0)]


def test_silence_counts_only_as_far_as_was_observed() -> None:
    seen = story((1, "in", 1, "a"), (1, "in", 9, "b"), through=22)
    assert leads(seen, told(lost_after_days=14)) == [(1, 1.0, "open", None)]  # 9 + 14 = 23 > 22.
    assert leads(seen, told(lost_after_days=7)) == [(1, 1.0, "lost", 8.0)]  # Silent from 1 to 9.
    assert leads(seen, told(lost_after_days=13)) == [(1, 1.0, "lost", 22.0)]


def test_silence_counts_only_as_far_as_the_contact_itself_was_observed() -> None:
    seen = story((1, "in", 1, "a"), (2, "in", 1, "a"), through=22)
    own = pl.DataFrame([[2, at(10)]], schema=crm.CONTACT_OBSERVATIONS, orient="row")
    found = leads(replace(seen, contact_observations=own), told(lost_after_days=14))
    assert found == [(1, 1.0, "lost", 15.0), (2, 1.0, "open", None)]


def test_signs_before_any_word_of_the_contact_are_told_as_unused() -> None:
    seen = story((1, "out", 1, "paid"), (1, "in", 2, "a"), (1, "out", 3, "paid"), (1, "in", 4, "x"))
    found = derive(seen, told())
    assert (found.sign_count, found.unused_sign_count) == (2, 1)


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("tag:paid", [("contact", 1, "labels", "new, Paid", 4.0)]),
        ("tag:paid", [("contact", 1, "tag", '["paid"]', 4.0)]),
        ("fact:payment", [("contact", 1, "payment", "19.90", 4.0)]),
        ("fact:payment", [("message", 1, "payment", "19.90", 4.0)]),
        ('fact:stage="Closed Won"', [("contact", 1, "Stage", "closed won", 4.0)]),
    ],
)
def test_facts_tell_at_the_instant_at_which_they_were_known(rule: str, facts: list[Any]) -> None:
    seen = story((1, "in", 1, "a"), (2, "in", 1, "b"), facts=facts)
    assert leads(seen, told(rule)) == [(1, 1.0, "won", 4.0), (2, 1.0, "open", None)]


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("tag:paid", [("contact", 1, "labels", "unpaid", 4.0)]),
        ("fact:payment", [("contact", 1, "payment", "false", 4.0)]),
        ("fact:stage=paid", [("contact", 1, "stage", "open", 4.0)]),
    ],
)
def test_what_only_resembles_a_sign_is_none(rule: str, facts: list[Any]) -> None:
    assert leads(story((1, "in", 1, "a"), facts=facts), told(rule)) == [(1, 1.0, "open", None)]


def test_a_template_counts_by_its_name_or_its_fact() -> None:
    seen = story(
        (1, "in", 1, "a"), (1, "out", 3, "order_paid"), (2, "in", 1, "b"), (2, "out", 4, ".")
    )
    seen = History(
        contacts=seen.contacts,
        messages=seen.messages.with_columns(
            kind=pl.when(pl.col("direction") == "out").then(pl.lit("template")).otherwise("kind")
        ),
        facts=history(facts=[("message", 4, "template", "order_paid", 4.0)]).facts,
        observations=seen.observations,
    )
    both = leads(seen, told("template:order_paid"))
    assert both == [(1, 1.0, "won", 3.0), (2, 1.0, "won", 4.0)]


def test_a_side_may_be_asked_for() -> None:
    seen = story((1, "in", 1, "have you paid?"), (1, "out", 2, "paid"))
    assert leads(seen, told("phrase-out:paid")) == [(1, 1.0, "won", 2.0)]
    assert leads(seen, told("phrase-in:paid")) == [(1, 1.0, "won", 1.0)]


SPOKEN = st.tuples(
    st.integers(1, 3),
    st.sampled_from(["in", "out"]),
    st.integers(0, 200).map(float),
    st.sampled_from(["hello", "paid", "no thanks"]),
)


@given(st.lists(SPOKEN, max_size=25), st.integers(0, 200), st.integers(1, 40))
def test_nothing_that_comes_later_changes_how_a_lead_began(
    messages: list[Said], cutoff: int, quiet: int
) -> None:
    derivation = told(lost_when='phrase:"no thanks"', lost_after_days=14, quiet_days=quiet)
    earlier = [m for m in messages if m[2] < cutoff]
    whole = [lead[:2] for lead in leads(story(*messages), derivation) if lead[1] < cutoff]
    assert whole == [lead[:2] for lead in leads(story(*earlier), derivation)]


@given(st.lists(SPOKEN, max_size=25))
def test_every_lead_ends_after_it_began_and_has_one_name(messages: list[Said]) -> None:
    found = derive(story(*messages), told(lost_after_days=20)).leads
    assert found.filter(pl.col("closed_at") < pl.col("created_at")).is_empty()
    assert found.get_column("external_id").n_unique() == found.height
