"""For a fixed version nothing known at or after a cutoff changes what it says of that cutoff."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.businesses import QUICK
from tests.histories import at, business

from chatlift import history as crm
from chatlift.history import History
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import FittedModel, Recipe, fit, text_scores
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.base import ModelSpec
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import ChurnRule, FactSubject, ModelName

KEY = b"a key of this test"
DAYS = 110
CASES = ("lead_scoring", "churn", "churn by contract", "engagement")
TEXTS = ("I want to buy it", "please stop", "😀", "", None, "call +34 600 000 000")
FEW = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass(frozen=True)
class Case:
    """A version that stays as it is, and what it was fitted on."""

    spec: ModelSpec = field(repr=False)
    history: History = field(repr=False)
    snapshot: Snapshot = field(repr=False)
    model: FittedModel = field(repr=False)

    def retaken(self, history: History, rows: np.ndarray[Any, Any]) -> Snapshot:
        features = catalogue(self.spec.model)
        return take_snapshot(history, self.snapshot.take(rows).examples, features, key=KEY)


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    name = ModelName(request.param.split()[0])
    spec = SPECS[name]
    history = with_attributes(business(7, contacts=70, days=DAYS))
    if request.param.endswith("by contract"):
        history = with_contracts(history)
        spec = replace(spec, spans=replace(spec.spans, churn_rule=ChurnRule.CONTRACT))
    found = spec.examples(history, spec.spans)
    mature = found.filter(pl.col("label").is_not_null())
    features = catalogue(name)
    recipe = Recipe(
        estimator=spec.estimator,
        parameters=spec.parameters(QUICK[name]),
        seed=0,
        features=tuple(feature.name for feature in features),
    )
    snapshot = take_snapshot(history, found, features, key=KEY)
    model = fit(take_snapshot(history, mature, features, key=KEY), recipe)
    assert model.text is not None, "without words the property would say too little"
    return Case(spec=spec, history=history, snapshot=snapshot, model=model)


def with_attributes(history: History) -> History:
    """Give contacts a number that changes every 20 days and leads a stage that changes too."""
    rows = [
        ["contact", c, "seats", str((7 * c + day) % 13), at(day)]
        for c in range(1, 71)
        for day in range(5, DAYS, 20)
    ]
    rows += [
        ["lead", c, "stage", ("new", "talking")[(c + day) % 2], at(day)]
        for c in range(1, 71)
        for day in range(10, DAYS, 15)
    ]
    return replace(history, facts=in_order(history.facts, rows, crm.FACTS))


def with_contracts(history: History) -> History:
    """Every third contact cancels 30 to 60 days after it came."""
    day = pl.duration(days=30 + pl.col("contact_id") % 30)
    cancels = pl.when(pl.col("contact_id") % 3 == 0).then(pl.col("created_at") + day)
    return replace(history, contacts=history.contacts.with_columns(churned_at=cancels))


ORDER = {
    id(crm.MESSAGES): ("contact_id", "sent_at", "message_id"),
    id(crm.LEADS): ("lead_id",),
    id(crm.CONTACTS): ("contact_id",),
    id(crm.FACTS): ("subject", "name", "subject_id", "known_at"),
}


def in_order(frame: pl.DataFrame, rows: list[list[Any]], schema: pl.Schema) -> pl.DataFrame:
    added = pl.DataFrame(rows, schema=schema, orient="row")
    return pl.concat([frame, added]).sort(*ORDER[id(schema)], maintain_order=True)


DELAY = st.one_of(st.just(0), st.integers(1, 3_000_000_000), st.integers(1, 60_000_000_000))
"""Microseconds after the instant; nothing at all is the case that goes wrong."""
CONTACT = st.integers(1, 70)
MESSAGE = st.tuples(
    CONTACT, st.sampled_from(["in", "out"]), DELAY, st.sampled_from(TEXTS), st.booleans()
)
FACT = st.tuples(
    st.sampled_from(
        [
            ("contact", "seats", "999"),
            ("contact", "new column", "x"),
            ("contact", "opted_out", "true"),
            ("lead", "stage", "won"),
            ("lead", "source", "fair"),
            ("message", "status", "read"),
            ("message", "status", "failed"),
            ("message", "deleted", "true"),
            ("message", "edited_text", "I want to buy it"),
        ]
    ),
    CONTACT,
    DELAY,
)
LATER = st.fixed_dictionaries(
    {
        "messages": st.lists(MESSAGE, max_size=30),
        "facts": st.lists(FACT, max_size=12),
        "leads": st.lists(st.tuples(CONTACT, DELAY), max_size=5),
        "text": st.sampled_from(TEXTS),
        "outcome": st.sampled_from(["won", "lost"]),
        "days": st.integers(0, 90),
    }
)


def from_then_on(history: History, then: datetime, later: dict[str, Any]) -> History:
    """Return the history as a later import would tell it; all news is known at `then` or after."""

    def after(delay: int) -> datetime:
        return then + timedelta(microseconds=delay)

    told = [
        [100_000 + i, c, None, direction, "text", text, after(delay), automatic]
        for i, (c, direction, delay, text, automatic) in enumerate(later["messages"])
    ]
    dated = [[s, c, name, value, after(d)] for (s, name, value), c, d in later["facts"]]
    asked = [
        [1_000 + i, f"x{i}", c, after(d), "won", after(d), after(d)]
        for i, (c, d) in enumerate(later["leads"])
    ]
    is_later = pl.col("sent_at") >= then
    text = pl.when(is_later).then(pl.lit(later["text"], pl.String)).otherwise("text")
    through = pl.col("observed_through") + pl.duration(days=later["days"])
    return replace(
        history,
        contacts=history.contacts.with_columns(churned_at=_postponed("churned_at", then, later)),
        messages=in_order(history.messages.with_columns(text=text), told, crm.MESSAGES),
        leads=in_order(_closed_otherwise(history.leads, then, later), asked, crm.LEADS),
        facts=in_order(history.facts, dated, crm.FACTS),
        observations=history.observations.with_columns(observed_through=through),
    )


def _postponed(column: str, then: datetime, later: dict[str, Any]) -> pl.Expr:
    moved = pl.col(column) + pl.duration(days=later["days"])
    return pl.when(pl.col(column) >= then).then(moved).otherwise(column).alias(column)


def _closed_otherwise(leads: pl.DataFrame, then: datetime, later: dict[str, Any]) -> pl.DataFrame:
    is_later = pl.col("closed_at") >= then
    outcome = pl.when(is_later).then(pl.lit(later["outcome"])).otherwise("outcome")
    return leads.with_columns(
        outcome.alias("outcome"),
        _postponed("closed_at", then, later),
        _postponed("outcome_known_at", then, later),
    )


def assert_same(case: Case, rows: np.ndarray[Any, Any], anew: Snapshot) -> None:
    """Every number, every attribute, every text score, every probability: the same bits."""
    before = case.snapshot.take(rows)
    assert anew.features.equals(before.features)
    assert anew.attributes.select(before.attributes.columns).equals(before.attributes)
    news = [name for name in anew.attributes.columns if name not in before.attributes.columns]
    assert all(anew.attributes.get_column(name).is_null().all() for name in news)
    scores = [text_scores(case.model.text, snapshot) for snapshot in (anew, before)]
    assert np.array_equal(*scores, equal_nan=True)
    answers = [case.model.probabilities(snapshot) for snapshot in (anew, before)]
    assert np.array_equal(*answers)


def instant_of(case: Case, share: float) -> datetime:
    """A cutoff of the case itself, so that news at that very instant is tried."""
    cutoffs = case.snapshot.examples.get_column("cutoff").sort()
    chosen: datetime = cutoffs[int(share * (len(cutoffs) - 1))]
    return chosen


def up_to(case: Case, then: datetime) -> np.ndarray[Any, Any]:
    mask = case.snapshot.examples.select(pl.col("cutoff") <= then).to_series()
    return np.flatnonzero(mask.to_numpy())


@FEW
@given(share=st.floats(0, 1), later=LATER)
def test_what_becomes_known_later_changes_no_feature_and_no_score(
    case: Case, share: float, later: dict[str, Any]
) -> None:
    then = instant_of(case, share)
    rows = up_to(case, then)
    changed = from_then_on(case.history, then, later)
    assert_same(case, rows, case.retaken(changed, rows))


@FEW
@given(share=st.floats(0, 1), later=LATER)
def test_what_becomes_known_later_changes_no_choice_of_examples(
    case: Case, share: float, later: dict[str, Any]
) -> None:
    then = instant_of(case, share)
    changed = from_then_on(case.history, then, later)
    found = case.spec.examples(changed, case.spec.spans).filter(pl.col("cutoff") <= then)
    key = ["entity_id", "cutoff", "is_leading"]
    keys = found.select(key)
    before = case.snapshot.take(up_to(case, then)).examples.select(key)
    assert before.join(keys, on=key, how="anti").is_empty()
    added = keys.join(before, on=key, how="anti")
    assert added.filter(pl.col("cutoff") < then).is_empty()
    is_send = case.spec.model is ModelName.ENGAGEMENT  # A message at `then` may itself be one.
    assert added.is_empty() or is_send


@FEW
@given(
    strangers=st.lists(
        st.tuples(
            st.integers(71, 75),
            st.sampled_from(["in", "out"]),
            st.floats(0, DAYS),
            st.sampled_from(TEXTS),
        ),
        max_size=30,
    )
)
def test_other_contacts_change_nothing(
    case: Case, strangers: list[tuple[int, str, float, str | None]]
) -> None:
    people = [[c, f"c{c}", "story", at(0), None] for c in range(71, 76)]
    told = [
        [100_000 + i, c, None, direction, "text", text, at(day), False]
        for i, (c, direction, day, text) in enumerate(strangers)
    ]
    asked = [[c, f"l{c}", c, at(3), "won", at(9), at(9)] for c in range(71, 76)]
    dated = [["contact", c, "seats", "5", at(3)] for c in range(71, 76)]
    changed = replace(
        case.history,
        contacts=in_order(case.history.contacts, people, crm.CONTACTS),
        messages=in_order(case.history.messages, told, crm.MESSAGES),
        leads=in_order(case.history.leads, asked, crm.LEADS),
        facts=in_order(case.history.facts, dated, crm.FACTS),
    )
    rows = np.arange(len(case.snapshot))
    assert_same(case, rows, case.retaken(changed, rows))


@FEW
@given(kept=st.sets(CONTACT, min_size=1, max_size=4))
def test_a_contact_is_scored_the_same_without_all_the_others(case: Case, kept: set[int]) -> None:
    rows = np.flatnonzero(np.isin(case.snapshot.contacts, list(kept)))
    theirs = pl.col("contact_id").is_in(kept)
    subjects = {FactSubject.CONTACT, FactSubject.LEAD}  # A lead has its contact's number here.
    alone = replace(
        case.history,
        contacts=case.history.contacts.filter(theirs),
        messages=case.history.messages.filter(theirs),
        leads=case.history.leads.filter(theirs),
        facts=case.history.facts.filter(
            pl.col("subject").is_in(subjects), pl.col("subject_id").is_in(kept)
        ),
    )
    assert_same(case, rows, case.retaken(alone, rows))


def test_what_was_known_a_microsecond_before_the_cutoff_does_count(case: Case) -> None:
    """The properties above would hold of features that never change; these do."""
    then = instant_of(case, 0.6)
    news = [
        [
            100_000 + c,
            c,
            None,
            "in",
            "text",
            "I want to buy it",
            then - timedelta(microseconds=1),
            0,
        ]
        for c in range(1, 71)
    ]
    rows = [[*row[:-1], False] for row in news]
    changed = replace(case.history, messages=in_order(case.history.messages, rows, crm.MESSAGES))
    same_cutoff = case.snapshot.examples.select(pl.col("cutoff") == then).to_series().to_numpy()
    at_then = np.flatnonzero(same_cutoff)
    anew = case.retaken(changed, at_then)
    before = case.snapshot.take(at_then)
    assert not anew.features.equals(before.features)
    assert not np.array_equal(case.model.design(anew), case.model.design(before), equal_nan=True)
