"""The lead_scoring spec: will this lead be won within the horizon of its creation.

Input: leads with outcomes, their contacts' messages. Output: an example per lead at each age
at which it was still open. Label 1: won no later than `horizon_days` after creation; a win
after that, a loss, and a lead still open by then are all 0. A lead counts only once its whole
horizon has been observed, also when it was decided early: otherwise the newest leads would be
the fast ones only.
"""

from __future__ import annotations

import polars as pl

from chatlift.history import History
from chatlift.learn.arrays import MICROSECOND, known_microseconds, microseconds, places_of
from chatlift.learn.specs.base import (
    Asked,
    Bands,
    Hyperparameter,
    ModelSpec,
    Readiness,
    Spans,
    Target,
    as_examples,
    examples_of,
)
from chatlift.learn.specs.observing import is_observed, with_observation
from chatlift.vocabulary import LeadOutcome, ModelName


def lead_examples(history: History, spans: Spans) -> pl.DataFrame:
    """Return one row per lead and age at which it was open; see `EXAMPLES`."""
    leads = _labelled(history, spans)
    ages = pl.DataFrame({"age_days": pl.Series(spans.ages_days, dtype=pl.Float64)})
    at_ages = leads.join(ages, how="cross").with_columns(
        cutoff=_plus_days("created_at", pl.col("age_days"))
    )
    still_open = at_ages.filter(
        pl.col("open_until").is_null() | (pl.col("open_until") >= pl.col("cutoff")),
        pl.col("cutoff") <= pl.col("observed_through"),
    )
    return _lead_examples_of(_with_leading(still_open, spans.leading_age_days))


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
    """One row per lead, with its horizon, label (null: undecided) and how long it was open."""
    leads = with_observation(history.leads, history).with_columns(
        horizon_ends_at=pl.col("created_at") + spans.horizon,
        open_until=pl.when(pl.col("outcome") != LeadOutcome.OPEN).then(
            pl.coalesce("closed_at", "outcome_known_at")
        ),
    )
    mature = is_observed(leads, history, start="created_at", end="horizon_ends_at")
    in_time = pl.col("closed_at").is_null() | (pl.col("closed_at") <= pl.col("horizon_ends_at"))
    won = ((pl.col("outcome") == LeadOutcome.WON) & in_time).cast(pl.Int8)
    return leads.with_columns(label=pl.when(mature).then(won))


def _with_leading(rows: pl.DataFrame, leading_age_days: float) -> pl.DataFrame:
    """Mark per lead the snapshot at the leading age, or its last one before."""
    reached = pl.col("age_days").filter(pl.col("age_days") <= leading_age_days).max()
    earliest = pl.col("age_days").min()
    chosen = pl.coalesce(reached, earliest).over("lead_id")
    return rows.with_columns(is_leading=pl.col("age_days") == chosen)


def _lead_examples_of(rows: pl.DataFrame) -> pl.DataFrame:
    return as_examples(
        rows.with_columns(entity_id=pl.col("lead_id"), split_at=pl.col("created_at"))
    )


def _plus_days(column: str, days: pl.Expr) -> pl.Expr:
    return pl.col(column) + pl.duration(microseconds=(days * 86_400_000_000).cast(pl.Int64))


SPEC = ModelSpec(
    model=ModelName.LEAD_SCORING,
    question="Will this lead buy?",
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
)
