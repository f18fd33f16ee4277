"""Columns that know the outcome beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.businesses import account_of, clock_at, quick
from tests.histories import business

from chatlift import history as crm
from chatlift.history import History
from chatlift.learn.features.attributes import AttributeEncoder
from chatlift.learn.leaks import filled_when_closed, suspected_leaks
from chatlift.learn.snapshots import take_snapshot
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import ModelName, Verdict
from chatlift.workflows.train import ModelOutcome, train

LEADS = ModelName.LEAD_SCORING
SPEC = SPECS[LEADS]
FLOORS = {"lead_scoring": {"readiness": {"entities": 40, "examples": 80, "per_class": 10}}}


def column(closed: list[str | None], still_open: list[str | None]) -> list[str]:
    """The sentences about a column that closed and open leads have these values of."""
    values = pl.DataFrame(
        {"lead.reason": [*closed, *still_open]}, schema={"lead.reason": pl.String}
    )
    is_closed = pl.Series([True] * len(closed) + [False] * len(still_open))
    return [
        f"{'proven' if x.is_proven else 'suspected'}: {x.sentence}"
        for x in filled_when_closed(values, is_closed)
    ]


def test_a_column_that_no_open_lead_has_is_proven() -> None:
    (told,) = column(["x"] * 40 + [None] * 10, [None] * 30)
    assert told.startswith("proven: The attribute lead.reason is filled on 80% of closed leads")
    assert "no open one" in told
    assert "Leave it out with --leave-out" in told


def test_a_column_that_few_open_leads_have_is_suspected() -> None:
    (told,) = column(["x"] * 50, ["x"] * 10 + [None] * 20)
    assert told.startswith("suspected: ")
    assert "100% of closed leads and on 33% of open ones" in told
    assert "--accept-column lead.reason" in told


def test_a_column_that_is_filled_alike_is_no_leak() -> None:
    assert column(["x"] * 30 + [None] * 20, ["x"] * 15 + [None] * 15) == []


def test_a_column_rarely_filled_anywhere_is_no_leak() -> None:
    assert column(["x"] * 10 + [None] * 40, [None] * 30) == []


def test_too_few_leads_prove_nothing() -> None:
    assert column(["x"] * 50, [None] * 19) == []
    assert column(["x"] * 19, [None] * 50) == []
    assert filled_when_closed(pl.DataFrame(height=100), pl.Series([True, False] * 50)) == []


def with_column(told: History, values: list[str | None], name: str = "grade") -> History:
    """Give every lead (in order) a value that was known at its creation; None: none."""
    rows = [
        ["lead", lead, name, value, created]
        for (lead, created), value in zip(
            told.leads.select("lead_id", "created_at").iter_rows(), values, strict=True
        )
        if value is not None
    ]
    added = pl.DataFrame(rows, schema=crm.FACTS, orient="row")
    facts = pl.concat([told.facts, added]).sort("subject", "name", "subject_id", "known_at")
    return replace(told, facts=facts)


def outcomes(told: History) -> list[bool]:
    return told.leads.select(pl.col("outcome") == "won").to_series().to_list()


@pytest.fixture(scope="module")
def told() -> History:
    return business(7, contacts=70, days=100)


def suspected(told: History) -> list[str]:
    found = SPEC.examples(told, SPEC.spans).filter(pl.col("label").is_not_null())
    return [
        leak.column for leak in suspected_leaks(take_snapshot(told, found, (), key=b"k"), seed=0)
    ]


@pytest.mark.parametrize(
    ("won", "lost"),
    [("9", "1"), ("1", "9"), ("gold", "tin"), ("true", "false")],
)
def test_an_attribute_that_is_the_outcome_is_suspected_whichever_way_it_points(
    told: History, won: str | None, lost: str | None
) -> None:
    values = [won if is_won else lost for is_won in outcomes(told)]
    assert set(suspected(with_column(told, values))) == {"lead.grade"}


def test_an_attribute_that_only_helps_is_not_suspected(told: History) -> None:
    rng = np.random.default_rng(1)
    values = [str(round(float(rng.normal(1.5 * won, 1)), 3)) for won in outcomes(told)]
    assert suspected(with_column(told, list(values))) == []


def test_a_number_that_only_won_leads_have_is_suspected_for_being_there(told: History) -> None:
    values = [str(i % 7) if won else None for i, won in enumerate(outcomes(told))]
    assert suspected(with_column(told, list(values))) == ["lead.grade"]


def test_a_word_that_only_won_leads_have_is_never_looked_at(told: History) -> None:
    """With a single value it is no attribute to the encoder, so no fit can learn from it."""
    leaky = with_column(told, ["paid" if won else None for won in outcomes(told)])
    found = SPEC.examples(leaky, SPEC.spans)
    snapshot = take_snapshot(leaky, found, (), key=b"k")
    encoder = AttributeEncoder.learn(snapshot.attributes, snapshot.contacts.tolist())
    assert not [name for name in encoder.columns if name.startswith("lead.grade")]


def test_a_constant_attribute_is_not_suspected(told: History) -> None:
    assert suspected(with_column(told, ["same"] * told.leads.height)) == []


def trained(told: History, home: Path, *accepted: str, left_out: str = "") -> ModelOutcome:
    with account_of(home, told, settings=FLOORS) as workspace:
        request = quick(
            LEADS,
            accepted_columns=frozenset(accepted),
            left_out_columns=frozenset(filter(None, [left_out])),
        )
        return train(workspace, request, clock=clock_at(101)).outcomes[0]


def leak_check(outcome: ModelOutcome) -> tuple[bool, str]:
    assert outcome.decision is not None, outcome.sentence
    (check,) = [check for check in outcome.decision.checks if check.name == "no_leak"]
    return check.passed, check.sentence


def test_a_suspected_column_needs_a_word_and_passes_with_it(told: History, tmp_path: Path) -> None:
    leaky = with_column(told, ["9" if won else "1" for won in outcomes(told)])
    refused = trained(leaky, tmp_path / "refused")
    passed, sentence = leak_check(refused)
    assert not passed
    assert "--accept-column lead.grade" in sentence
    assert refused.decision is not None
    assert refused.decision.verdict is Verdict.REFUSE
    assert leak_check(trained(leaky, tmp_path / "accepted", "lead.grade"))[0]


def test_a_column_filled_at_closing_is_refused_whatever_is_vouched_for(
    told: History, tmp_path: Path
) -> None:
    is_open = [lead % 3 == 0 for lead in told.leads.get_column("lead_id")]
    outcome = pl.when(pl.Series(is_open)).then(pl.lit("open")).otherwise("outcome")
    dates = [
        pl.when(~pl.Series(is_open)).then(c).alias(c) for c in ("closed_at", "outcome_known_at")
    ]
    leads = told.leads.with_columns(outcome.alias("outcome"), *dates)
    reasons = [None if still_open else "price" for still_open in is_open]
    filled = with_column(replace(told, leads=leads), list(reasons), "reason")
    passed, sentence = leak_check(trained(filled, tmp_path, "lead.reason"))
    assert not passed
    assert "lead.reason is filled on 100% of closed leads and on no open one" in sentence


def test_a_column_that_is_left_out_is_neither_a_leak_nor_an_input(
    told: History, tmp_path: Path
) -> None:
    leaky = with_column(told, ["9" if won else "1" for won in outcomes(told)])
    with_it = trained(leaky, tmp_path / "with", "lead.grade")
    without = trained(leaky, tmp_path / "without", left_out="lead.grade")
    never = trained(told, tmp_path / "never")
    assert leak_check(without)[0]
    assert auc_of(without) == auc_of(never) < auc_of(with_it)


def auc_of(outcome: ModelOutcome) -> float:
    assert outcome.evaluation is not None
    return float(outcome.evaluation["figures"]["roc_auc"]["value"])


def test_leaving_out_a_column_that_there_is_not_names_those_that_are(
    told: History, tmp_path: Path
) -> None:
    outcome = trained(with_column(told, ["1"] * told.leads.height), tmp_path, left_out="lead.grad")
    assert "no attribute 'lead.grad' to leave out" in outcome.sentence
    assert "lead.grade" in outcome.sentence
