"""Columns that know the outcome beforehand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.businesses import account_of, clock_at, quick
from tests.histories import START, business
from tests.histories import history as story

from chatlift import history as crm
from chatlift.history import History
from chatlift.learn.closings import contact_closings, lead_closings
from chatlift.learn.features.attributes import (
    AttributeEncoder,
    EncodedAttribute,
    attributes_as_of,
)
from chatlift.learn.leaks import closing_leaks, find_leaks
from chatlift.learn.snapshots import take_snapshot
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import FactSubject, ModelName, Verdict
from chatlift.workflows.train import ModelOutcome, train

LEADS = ModelName.LEAD_SCORING
SPEC = SPECS[LEADS]
FLOORS = {"lead_scoring": {"readiness": {"entities": 40, "examples": 80, "per_class": 10}}}


def asked(closed: list[str | None], still_open: list[str | None]) -> History:
    """Leads, a day apart, with this `reason` since their creation: closed ones, then open ones.

    Every other closed one is won, so that the values of a list that repeats by threes tell nothing.
    """
    values = [*closed, *still_open]
    leads = [
        (i, i, float(i), "open", None)
        if i > len(closed)
        else (i, i, float(i), "won" if i % 2 else "lost", i + 20.0)
        for i in range(1, len(values) + 1)
    ]
    return story(
        contacts=[(i, float(i)) for i in range(1, len(values) + 1)],
        leads=leads,
        facts=[
            ("lead", i, "reason", value, float(i))
            for i, value in enumerate(values, start=1)
            if value is not None
        ],
    )


def against(told: History) -> list[str]:
    """The sentences that its closed and its open leads say against `reason`."""
    names = ["lead.reason"]
    attributes = attributes_as_of(
        told,
        told.leads.select("contact_id", "lead_id", cutoff=pl.col("created_at").dt.offset_by("1d")),
    )
    encoder = AttributeEncoder.learn(attributes, told.leads["contact_id"].to_list())
    differences = lead_closings(told, names).differences(encoder)
    return [
        f"{'proven' if leak.is_proven else 'suspected'}: {leak.sentence}"
        for leak in closing_leaks(differences, FactSubject.LEAD)
    ]


def mixed(count: int, *values: str | None) -> list[str | None]:
    """So many values, these in turn."""
    return [values[i % len(values)] for i in range(count)]


def test_a_column_that_no_open_lead_has_is_proven() -> None:
    (sentence,) = against(asked(mixed(60, "x", "y", "x", "y", None), [None] * 30))
    assert sentence.startswith("proven: The attribute lead.reason is filled on 80% of closed leads")
    assert "none of 30 open ones" in sentence
    assert "Leave it out with --leave-out" in sentence


def test_a_column_that_few_open_leads_have_is_suspected() -> None:
    (sentence,) = against(asked(mixed(60, "x", "y"), mixed(30, "x", None, None, "y", None, None)))
    assert sentence.startswith("suspected: ")
    assert "100% of closed leads and on 33% of open ones" in sentence
    assert "--accept-column lead.reason" in sentence


def test_a_column_that_is_filled_alike_is_no_leak() -> None:
    values = ("x", "y", None, "y", None)
    assert against(asked(mixed(60, *values), mixed(30, *values))) == []


def test_a_column_rarely_filled_anywhere_is_no_leak() -> None:
    assert against(asked(mixed(60, "x", *[None] * 4, "y", *[None] * 4), [None] * 30)) == []


def test_a_column_that_was_given_up_before_the_open_leads_is_no_leak() -> None:
    """The last ten closed leads have it no more than the open ones have."""
    assert against(asked([*mixed(60, "x", "y"), *[None] * 10], [None] * 30)) == []


def test_values_that_no_open_lead_has_are_proven() -> None:
    closed, still_open = mixed(60, "price", "fit", "rival"), mixed(30, "offer", "demo")
    (sentence,) = against(asked(closed, still_open))
    assert sentence.startswith(
        "proven: Of closed leads, 100% have a value of lead.reason that none"
    )


def test_a_value_that_only_part_of_the_closed_leads_have_is_suspected() -> None:
    closed, still_open = mixed(60, "paid", "offer", "demo"), mixed(30, "offer", "demo")
    (sentence,) = against(asked(closed, still_open))
    assert sentence.startswith("suspected: Of closed leads, 33% have a value of lead.reason")


def test_a_value_that_few_open_leads_lack_by_chance_is_no_leak() -> None:
    """A third of the closed leads have it; that none of 20 open ones has it: 0.0003 by chance."""
    closed = mixed(60, "rare", "usual", "common")
    assert against(asked(closed, mixed(20, "usual", "common"))) == []


def test_values_of_their_time_are_no_leak() -> None:
    """Campaigns of twenty leads each: the open leads, being the newest, have a value of their own.

    The newest closed leads share no value with the oldest, so none of theirs has lasted.
    """
    closed = [f"campaign {i // 20}" for i in range(60)]
    assert against(asked([*closed], ["campaign 9"] * 30)) == []


def test_a_date_that_is_the_day_of_closing_is_proven() -> None:
    """Lead i is created on day i and closed on day i + 20; open ones hope for day i + 25."""
    days = [f"{START + timedelta(days=i + (20 if i <= 60 else 25)):%Y-%m-%d}" for i in range(1, 91)]
    sentences = against(asked([*days[:60]], [*days[60:]]))
    assert any(
        s.startswith("proven: The date lead.reason is the day of the end") for s in sentences
    )


def test_a_column_first_known_at_the_closing_is_proven_by_its_dates() -> None:
    told = asked(mixed(60, "x", "y"), mixed(30, "x", "y"))
    closed = told.leads.select(subject_id="lead_id", closed="closed_at")
    late = pl.col("subject_id") <= 58
    facts = told.facts.join(closed, on="subject_id", how="left").with_columns(
        known_at=pl.when(late).then("closed").otherwise("known_at")
    )
    dated = replace(told, facts=facts.drop("closed"))
    encoder = AttributeEncoder(
        attributes=(EncodedAttribute(name="lead.reason", kind="category", categories=("x", "y")),)
    )
    (difference,) = lead_closings(dated, ["lead.reason"]).differences(encoder)
    assert difference.at_closing == pytest.approx(58 / 60)
    (leak,) = closing_leaks([difference], FactSubject.LEAD)
    assert leak.is_proven
    assert "got their first lead.reason at the end, by its own dates" in leak.sentence


def test_too_few_leads_prove_nothing() -> None:
    assert against(asked(mixed(60, "x", "y"), [None] * 19)) == []
    assert against(asked(mixed(19, "x", "y"), [None] * 60)) == []


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
    examples = SPEC.examples(told, SPEC.spans).filter(pl.col("label").is_not_null())
    snapshot = take_snapshot(told, examples, (), key=b"k")
    return [leak.column for leak in find_leaks(told, snapshot, lead_closings, seed=0)]


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


def test_reasons_of_their_own_for_won_and_lost_leads_are_suspected_as_one_column(
    told: History,
) -> None:
    """Three values on won leads only and three on lost ones: no value alone tells it all."""
    reasons = [f"{'won' if won else 'lost'} by {i % 3}" for i, won in enumerate(outcomes(told))]
    assert suspected(with_column(told, list(reasons))) == ["lead.grade"]


def test_a_copy_of_the_outcome_with_errors_is_suspected_beside_weaker_columns() -> None:
    """One in twelve is turned round: an AUC near 0.92, where the best other attribute has 0.76."""
    many = business(3, contacts=300, days=200)
    rng = np.random.default_rng(2)
    won = np.array(outcomes(many))
    copied = won ^ (rng.random(len(won)) < 1 / 12)
    beside = with_column(many, [f"{x:.2f}" for x in rng.normal(won, 1)], "helpful")
    leaky = with_column(beside, [str(int(copy)) for copy in copied])
    assert suspected(beside) == []
    assert suspected(leaky) == ["lead.grade"]


def test_two_columns_that_know_the_outcome_do_not_excuse_each_other(told: History) -> None:
    values = ["9" if won else "1" for won in outcomes(told)]
    both = with_column(with_column(told, list(values)), list(values), "mark")
    assert suspected(both) == ["lead.grade", "lead.mark"]


def test_a_reason_that_only_churned_contacts_have_is_proven() -> None:
    """Of 80 contacts with contracts every third ends, and only those have a reason for it."""
    churned = {i: 300.0 + i / 10 for i in range(1, 81) if i % 3 == 0}
    told = story(
        contacts=[(i, float(i)) for i in range(1, 81)],
        churned=churned,
        facts=[("contact", i, "why", "price" if i % 2 else "moved", float(i)) for i in churned],
        through=330.0,
    )
    encoder = AttributeEncoder(
        attributes=(EncodedAttribute(name="contact.why", kind="category", categories=("price",)),)
    )
    differences = contact_closings(told, ["contact.why"]).differences(encoder)
    (leak,) = closing_leaks(differences, FactSubject.CONTACT)
    assert leak.is_proven
    assert "on none of 54 contacts that did not" in leak.sentence


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
    reasons = [
        None if still_open else ("price", "timing")[lead % 2]
        for lead, still_open in enumerate(is_open)
    ]
    filled = with_column(replace(told, leads=leads), list(reasons), "reason")
    passed, sentence = leak_check(trained(filled, tmp_path, "lead.reason"))
    assert not passed
    assert "lead.reason is filled on 100% of closed leads and on none of" in sentence


def test_a_column_that_is_left_out_is_neither_a_leak_nor_an_input(
    told: History, tmp_path: Path
) -> None:
    leaky = with_column(told, ["9" if won else "1" for won in outcomes(told)])
    with_it = trained(leaky, tmp_path / "with", "lead.grade")
    without = trained(leaky, tmp_path / "without", left_out="lead.grade")
    never = trained(told, tmp_path / "never")
    assert leak_check(without)[0]
    assert auc_of(without) == auc_of(never) < auc_of(with_it)


def test_leaving_out_the_value_leaves_out_the_feature_made_of_it(
    told: History, tmp_path: Path
) -> None:
    """`lead_value` reads the attribute `lead.value`, and would bring back what was left out."""
    valued = with_column(told, [str(i % 9) for i in range(told.leads.height)], "value")
    assert "lead_value" in looked_at(trained(valued, tmp_path / "with"))
    assert "lead_value" not in looked_at(trained(valued, tmp_path / "no", left_out="lead.value"))


def looked_at(outcome: ModelOutcome) -> list[str]:
    """The declared features that the version was fitted with."""
    assert outcome.version is not None
    manifest = json.loads((Path(outcome.version.folder) / "manifest.json").read_text())
    features: list[str] = manifest["features"]
    return features


def auc_of(outcome: ModelOutcome) -> float:
    assert outcome.evaluation is not None
    return float(outcome.evaluation["figures"]["roc_auc"]["value"])


def test_leaving_out_a_column_that_there_is_not_names_those_that_are(
    told: History, tmp_path: Path
) -> None:
    outcome = trained(with_column(told, ["1"] * told.leads.height), tmp_path, left_out="lead.grad")
    assert "no attribute 'lead.grad' to leave out" in outcome.sentence
    assert "lead.grade" in outcome.sentence
