"""Data that nobody would call data: training ends in words, never in a traceback or a champion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.businesses import account_of, assert_at_rest, clock_at, quick
from tests.histories import at, business, history

from chatlift import history as crm
from chatlift.errors import ErrorKind
from chatlift.history import History
from chatlift.vocabulary import ModelName, Verdict
from chatlift.workflows.train import ModelOutcome, TrainRequest, train

LEADS, CHURN, ENGAGEMENT = ModelName
DAYS = 100
KINDS = {kind.value for kind in ErrorKind}
LOW = {"readiness": {"entities": 30, "examples": 60, "per_class": 5}}
LOW_FLOORS: dict[str, Any] = {model.value: LOW for model in ModelName}


@dataclass(frozen=True)
class Story:
    """A degenerate account."""

    told: Callable[[], History | None]
    models: tuple[ModelName, ...] = (LEADS,)
    settings: dict[str, Any] = field(default_factory=dict)
    says: str = ""
    """What the first model's sentence has to hold."""
    may_promote: bool = False
    """Odd as it is, something can be learned from it."""

    @property
    def request(self) -> TrainRequest:
        return quick(*self.models)


def leads_only(count: int = 120, *, won_every: int = 3, same_instant: bool = False) -> History:
    """Leads whose outcome follows no rule, of contacts who never wrote."""
    rng = np.random.default_rng(0)
    created = [10.0 if same_instant else float(rng.uniform(0, 60)) for _ in range(count)]
    won = rng.permutation(count) % won_every == 0
    return history(
        contacts=[(i, day) for i, day in enumerate(created, start=1)],
        leads=[
            (i, i, day, "won" if won[i - 1] else "lost", day + 25)
            for i, day in enumerate(created, start=1)
        ],
        through=DAYS,
    )


def with_facts(told: History, values: list[str]) -> History:
    rows = [
        ["lead", i, name, values[i % len(values)], at(0)]
        for name in ("color", "size")
        for i in range(1, told.leads.height + 1)
    ]
    return replace(told, facts=pl.DataFrame(rows, schema=crm.FACTS, orient="row"))


def all_lost() -> History:
    told = leads_only()
    return replace(told, leads=told.leads.with_columns(outcome=pl.lit("lost")))


def closed_within_a_week() -> History:
    told = leads_only()
    closed = pl.col("created_at") + pl.duration(days=5)
    return replace(told, leads=told.leads.with_columns(closed_at=closed, outcome_known_at=closed))


def one_buyer() -> History:
    """All leads that were won are of one contact."""
    told = leads_only()
    owner = pl.when(pl.col("outcome") == "won").then(1).otherwise("contact_id")
    return replace(told, leads=told.leads.with_columns(contact_id=owner.cast(pl.Int64)))


def one_in_ten_thousand() -> History:
    told = leads_only(10_000, won_every=10_000)
    assert told.leads.filter(pl.col("outcome") == "won").height == 1
    return told


def emoji_only() -> History:
    told = business(5, contacts=60, days=DAYS)
    return replace(told, messages=told.messages.with_columns(text=pl.lit("😀🙏🏽")))


def duplicate_timestamps() -> History:
    """Every message of a contact was sent at one of two instants."""
    told = business(5, contacts=60, days=DAYS)
    sent = pl.col("sent_at")
    twice = pl.when(sent < sent.mean().over("contact_id")).then(sent.min()).otherwise(sent.max())
    messages = told.messages.with_columns(twice.over("contact_id"))
    return replace(told, messages=messages.sort("contact_id", "sent_at", "message_id"))


def one_who_never_stops() -> History:
    """20,000 messages of a single contact beside the leads of others."""
    told = leads_only()
    said = [
        (1, ("in", "out")[i % 2], 1 + i / 250, f"number {i}, and how are you")
        for i in range(20_000)
    ]
    return replace(told, messages=history(messages=said).messages)


STORIES = {
    "nothing at all": Story(
        lambda: None, models=tuple(ModelName), says="Not enough data to train lead_scoring: 0"
    ),
    "contacts and nothing else": Story(
        lambda: history(contacts=[(i, 1) for i in range(1, 200)]),
        models=tuple(ModelName),
        says="0 mature leads of 100 needed",
    ),
    "three leads": Story(lambda: leads_only(3), says="3 mature leads of 100 needed"),
    "only lost leads": Story(
        all_lost,
        says="0 leads still open at 7 days with a positive outcome of 20 needed",
    ),
    "one in ten thousand": Story(
        one_in_ten_thousand,
        says="1 leads still open at 7 days with a positive outcome of 20 needed",
    ),
    "all closed within a week": Story(
        closed_within_a_week, says="settings set lead_scoring.spans.leading_age_days 1`"
    ),
    "all closed within a week, with no floor": Story(
        closed_within_a_week,
        settings={"lead_scoring": {"readiness": {"per_class": 0}}},
        says="0 leads still open at 7 days of 1 needed",
    ),
    "all closed within a week, judged younger": Story(
        closed_within_a_week,
        settings={"lead_scoring": {"spans": {"leading_age_days": 1}}},
        says="v1 was refused",
    ),
    "one in four hundred, asked for all the same": Story(
        lambda: leads_only(400, won_every=400),
        settings={"lead_scoring": {"readiness": {"per_class": 1}}},
        says="comes from too few contacts to be judged",
    ),
    "no one outcome, asked for all the same": Story(
        all_lost,
        settings={"lead_scoring": {"readiness": {"per_class": 0}}},
        says="comes from too few contacts to be judged",
    ),
    "one contact won them all": Story(one_buyer, says="comes from too few contacts to be judged"),
    "no messages": Story(leads_only),
    "constant columns": Story(lambda: with_facts(leads_only(), ["same"])),
    "all attributes empty": Story(lambda: with_facts(leads_only(), ["", " "])),
    "a value never seen twice": Story(
        lambda: with_facts(leads_only(), [f"x{i}" for i in range(500)])
    ),
    "all in one instant": Story(lambda: leads_only(same_instant=True)),
    "emoji only": Story(emoji_only, tuple(ModelName), LOW_FLOORS, may_promote=True),
    "two instants each": Story(
        duplicate_timestamps, tuple(ModelName), LOW_FLOORS, may_promote=True
    ),
    "one who never stops": Story(one_who_never_stops),
}


def assert_honest(outcome: ModelOutcome, story: Story) -> None:
    """A reason in words; figures only with intervals; a champion only with evidence."""
    assert outcome.sentence.endswith(".")
    assert "Traceback" not in outcome.sentence
    if outcome.error is not None:
        assert outcome.error["kind"] in KINDS, outcome.error
    if outcome.decision is None:
        assert outcome.version is None
        assert outcome.readiness is not None or outcome.error is not None
        return
    if outcome.decision.verdict is Verdict.PROMOTE:
        assert story.may_promote
        assert not outcome.decision.reasons
        assert all(note in outcome.sentence for note in outcome.decision.notes)
    else:
        assert outcome.decision.reasons


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_training_ends_in_a_reason_or_an_honest_verdict(story: Story, tmp_path: Path) -> None:
    with account_of(tmp_path, story.told(), settings=story.settings) as workspace:
        report = train(workspace, story.request, clock=clock_at(DAYS))
        assert [outcome.model for outcome in report.outcomes] == list(story.models)
        for outcome in report.outcomes:
            assert_honest(outcome, story)
        assert story.says in report.outcomes[0].sentence
        assert report.run.is_final
        assert_at_rest(workspace)
        champions = [v for v in workspace.versions.list() if v.is_champion]
        assert all(version.verdict is Verdict.PROMOTE for version in champions)
