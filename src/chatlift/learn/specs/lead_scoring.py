"""The lead_scoring spec: will this lead be won within the horizon of its creation.

Input: leads with outcomes, their contacts' messages. Output: an example per lead at each age
at which it was still open. Label 1: won no later than `horizon_days` after creation; a win
after that, a loss, and a lead still open by then are all 0. A lead counts only once its whole
horizon has been observed, also when it was decided early: otherwise the newest leads would be
the fast ones only.

*What is judged*: the leading rows are all leads still open at the leading age, and nobody else.
Whether a lead closes before is not known at that age, so it may not choose the row on which the
lead is judged (docs/decisions/0023).

*Leads that closed on an unknown day* were open at no age that anybody could name: what came after
their creation may have come after their end. The account's `undated_outcomes` says what becomes
of them. `leave_out`: they are no examples. `at_creation`: every lead of the account, dated or not,
is one example, of what was known at its creation, and every row leads. Not only the undated ones:
beside rows at creation, rows at later ages would be those of leads that have a date or never
closed, and which those are is known only from the outcome.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from chatlift.history import History
from chatlift.learn.arrays import MICROSECOND, known_microseconds, microseconds, places_of
from chatlift.learn.specs.base import (
    Asked,
    Bands,
    Hyperparameter,
    ModelSpec,
    Outcome,
    Readiness,
    Spans,
    Target,
    as_examples,
    examples_of,
)
from chatlift.learn.specs.observing import is_observed, with_observation
from chatlift.vocabulary import LeadOutcome, ModelName, UndatedOutcomes

JUST_AFTER = timedelta(microseconds=1)
"""From the creation to its cutoff: what is dated to the creation itself was known at it."""
IS_UNDATED = (pl.col("outcome") != LeadOutcome.OPEN) & pl.col("closed_at").is_null()
"""Tells of a lead, a row of `history.LEADS`, whether it closed on an unknown day."""


def lead_examples(history: History, spans: Spans) -> pl.DataFrame:
    """Return one row per lead and age at which it was open; see `EXAMPLES`.

    Where undated outcomes count at creation: one row per lead, as it was created. A win without a
    date then counts as one within the horizon.
    """
    leads = _labelled(history, spans)
    if spans.undated_outcomes is UndatedOutcomes.AT_CREATION:
        return _lead_examples_of(_at_creation(leads))
    return _lead_examples_of(_at_ages(leads.filter(~IS_UNDATED), spans))


def leading_age_days(spans: Spans) -> float:
    """Return the age at which leads are judged: the oldest example's up to the leading age.

    The settings alone decide it, and never what became of a lead.

    Examples
    --------
    >>> leading_age_days(Spans(ages_days=(1.0, 5.0, 14.0)))
    5.0
    """
    ages = _ages(spans)
    return max((age for age in ages if age <= spans.leading_age_days), default=min(ages))


def judged_words(spans: Spans) -> str:
    """Return which leads the leading figures are of; empty: all, as they were created."""
    if spans.undated_outcomes is UndatedOutcomes.AT_CREATION:
        return ""
    return f"still open at {leading_age_days(spans):g} days"


def looked_at(examples: pl.DataFrame, spans: Spans) -> pl.DataFrame:
    """Return examples with the cutoffs up to which a version may look.

    One that was trained on what was known at creation knows nothing of what comes later, and
    answers by that alone, whatever the age of the lead.
    """
    if spans.undated_outcomes is not UndatedOutcomes.AT_CREATION:
        return examples
    created = pl.col("split_at") + JUST_AFTER
    return examples.with_columns(cutoff=pl.min_horizontal("cutoff", created))


def open_leads(history: History, spans: Spans, asked: Asked) -> pl.DataFrame:
    """Return one row per asked lead that is open at its instant, with its real age.

    Leads past their horizon are kept: `horizon_ends_at` before the cutoff tells them apart.
    """
    leads = history.leads
    places = places_of(asked.entity_ids, leads["lead_id"])
    known, places = asked.take(places >= 0), places[places >= 0]
    created = microseconds(leads["created_at"])[places]
    closed = (leads["outcome"] != LeadOutcome.OPEN).to_numpy()[places]
    closed_before = closed & (known_microseconds(leads["outcome_known_at"])[places] < known.cutoffs)
    is_open = (created <= known.cutoffs) & ~closed_before
    return examples_of(
        known.take(is_open),
        contact_ids=leads["contact_id"].to_numpy()[places][is_open],
        horizon_ends=created[is_open] + spans.horizon // MICROSECOND,
        created=created[is_open],
    )


def _labelled(history: History, spans: Spans) -> pl.DataFrame:
    """One row per lead, with its horizon and label (null: undecided)."""
    leads = with_observation(history.leads, history).with_columns(
        horizon_ends_at=pl.col("created_at") + spans.horizon
    )
    mature = is_observed(leads, history, start="created_at", end="horizon_ends_at")
    in_time = pl.col("closed_at").is_null() | (pl.col("closed_at") <= pl.col("horizon_ends_at"))
    won = ((pl.col("outcome") == LeadOutcome.WON) & in_time).cast(pl.Int8)
    return leads.with_columns(label=pl.when(mature).then(won))


def _at_creation(leads: pl.DataFrame) -> pl.DataFrame:
    """One row per lead that had been created by the end of what was observed."""
    created = pl.col("created_at") + JUST_AFTER
    rows = leads.with_columns(cutoff=created, age_days=pl.lit(0.0), is_leading=pl.lit(value=True))
    return rows.filter(pl.col("cutoff") <= pl.col("observed_through"))


def _at_ages(leads: pl.DataFrame, spans: Spans) -> pl.DataFrame:
    """One row per lead and age at which it was still open."""
    ages = pl.DataFrame({"age_days": pl.Series(_ages(spans), dtype=pl.Float64)})
    rows = leads.join(ages, how="cross").with_columns(
        cutoff=_plus_days("created_at", pl.col("age_days")),
        is_leading=pl.col("age_days") == leading_age_days(spans),
    )
    return rows.filter(
        pl.col("closed_at").is_null() | (pl.col("closed_at") >= pl.col("cutoff")),
        pl.col("cutoff") <= pl.col("observed_through"),
    )


def _ages(spans: Spans) -> tuple[float, ...]:
    """Return the ages of examples; from the horizon on there is nothing left to foretell."""
    return tuple(age for age in spans.ages_days if age < spans.horizon_days)


def _lead_examples_of(rows: pl.DataFrame) -> pl.DataFrame:
    return as_examples(
        rows.with_columns(entity_id=pl.col("lead_id"), split_at=pl.col("created_at"))
    )


def _plus_days(column: str, days: pl.Expr) -> pl.Expr:
    return pl.col(column) + pl.duration(microseconds=(days * 86_400_000_000).cast(pl.Int64))


SPEC = ModelSpec(
    model=ModelName.LEAD_SCORING,
    question="Will this lead buy?",
    outcome=Outcome(happened="bought", did_not_happen="did not buy"),
    entity="lead",
    estimator="xgboost_regression",
    reference_estimator="logistic",
    hyperparameters=(
        Hyperparameter(
            name="trees",
            default=100,
            minimum=5,
            maximum=2000,
            is_whole=True,
            meaning="most boosting rounds; inner folds choose how many are kept",
        ),
        Hyperparameter(
            name="trees_per_round",
            default=6,
            minimum=1,
            maximum=50,
            is_whole=True,
            meaning="trees whose mean is one boosting round, each on its own rows and features",
        ),
        Hyperparameter(
            name="max_depth",
            default=3,
            minimum=1,
            maximum=10,
            is_whole=True,
            meaning="deepest question chain of a tree",
        ),
        Hyperparameter(
            name="learning_rate",
            default=0.15,
            minimum=0.005,
            maximum=1.0,
            meaning="share of each tree's correction that is used",
        ),
        Hyperparameter(
            name="min_child_weight",
            default=1.0,
            minimum=0.0,
            maximum=100.0,
            meaning="evidence that a leaf needs",
        ),
        Hyperparameter(
            name="l2",
            default=1.0,
            minimum=0.0,
            maximum=1000.0,
            meaning="pull of leaf values towards zero",
        ),
        Hyperparameter(
            name="column_share",
            default=0.25,
            minimum=0.05,
            maximum=1.0,
            meaning="share of the features that each tree may use",
        ),
        Hyperparameter(
            name="row_share",
            default=0.8,
            minimum=0.1,
            maximum=1.0,
            meaning="share of the rows that each tree sees",
        ),
        Hyperparameter(
            name="text_strength",
            default=1.0,
            minimum=0.0,
            maximum=100.0,
            meaning="freedom of the text weights; 0 leaves text out",
        ),
        Hyperparameter(
            name="text_messages",
            default=0,
            minimum=0,
            maximum=1000,
            is_whole=True,
            meaning="newest messages that the text weights are learned from; 0 takes all",
        ),
    ),
    spans=Spans(),
    examples=lead_examples,
    scoring_examples=open_leads,
    headline_metrics=("mae", "r2"),
    targets=(
        Target(metric="mae", bound=10.0, is_upper=True),
        Target(metric="r2", bound=0.80),
    ),
    bands=Bands(high="hot", medium="warm", low="cold"),
    recommendations={
        "hot": "High priority - contact immediately",
        "warm": "Medium priority - follow up within a day",
        "cold": "Low priority - keep informed, do not chase",
    },
    readiness=Readiness(entities=100, examples=100),
    rule=("lead.source", "messages_received_count_7d", "reply_delay_median_hours_30d"),
    rule_words="the lead's source, how often it wrote and how fast it replied",
    main_file="lead_scoring_model.ubj",
    judged_words=judged_words,
    looked_at=looked_at,
)
