"""The engagement spec: will this contact answer if we write now.

Input: contacts and their messages. An example is a *send*: the first outbound message after
`silence_hours` without any message either way, not automatic, not failed, to a contact that had
not opted out; later messages of the burst belong to it. The cutoff is its `sent_at`. Label 1: an
inbound message within 24 hours of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from chatlift.history import History
from chatlift.learn.specs.base import (
    Bands,
    Hyperparameter,
    ModelSpec,
    Readiness,
    Spans,
    Target,
    contact_examples,
)
from chatlift.learn.specs.observing import is_observed, with_observation
from chatlift.records import INSTANT
from chatlift.vocabulary import Direction, FactSubject, ModelName

ANSWER_WITHIN = timedelta(hours=24)


def send_examples(history: History, spans: Spans) -> pl.DataFrame:
    """Return one row per send; see `EXAMPLES`."""
    sends = _sends(history, spans)
    rows = with_observation(_without_opted_out(sends, history), history).with_columns(
        horizon_ends_at=pl.col("cutoff") + ANSWER_WITHIN
    )
    rows = rows.filter(pl.col("cutoff") <= pl.col("observed_through"))
    mature = is_observed(rows, history, start="cutoff", end="horizon_ends_at")
    answered = (pl.col("next_in_at") <= pl.col("horizon_ends_at")).fill_null(value=False)
    return contact_examples(rows.with_columns(label=pl.when(mature).then(answered.cast(pl.Int8))))


def contacts_to_write_to(history: History, spans: Spans, as_of: datetime) -> pl.DataFrame:
    """Return one row per contact that may be written to at `as_of`; no labels."""
    del spans
    rows = history.contacts.filter(pl.col("created_at") < as_of).select(
        "contact_id", cutoff=pl.lit(as_of, dtype=INSTANT)
    )
    allowed = _without_opted_out(rows, history).with_columns(
        horizon_ends_at=pl.col("cutoff") + ANSWER_WITHIN, label=pl.lit(None, dtype=pl.Int8)
    )
    return contact_examples(allowed)


def _sends(history: History, spans: Spans) -> pl.DataFrame:
    """One row per send, with the instant of the next inbound message (null: none yet)."""
    is_inbound = pl.col("direction") == Direction.INBOUND
    quiet = timedelta(hours=spans.silence_hours)
    previous_at = pl.col("sent_at").shift(1).over("contact_id")
    next_in_at = (
        pl.when(is_inbound).then("sent_at").fill_null(strategy="backward").over("contact_id")
    )
    ordered = history.messages.sort("contact_id", "sent_at", "message_id")
    failed = history.facts.filter(
        pl.col("subject") == FactSubject.MESSAGE,
        pl.col("name") == "status",
        pl.col("value") == "failed",
    )
    return (
        ordered.with_columns(previous_at=previous_at, next_in_at=next_in_at)
        .filter(
            ~is_inbound,
            ~pl.col("is_automatic").fill_null(value=False),
            pl.col("previous_at").is_null() | (pl.col("sent_at") - pl.col("previous_at") >= quiet),
        )
        .join(failed, left_on="message_id", right_on="subject_id", how="anti")
        .select("contact_id", "next_in_at", cutoff=pl.col("sent_at"))
    )


def _without_opted_out(rows: pl.DataFrame, history: History) -> pl.DataFrame:
    """Drop rows whose contact had opted out before the cutoff (and not come back)."""
    choices = history.facts.filter(
        pl.col("subject") == FactSubject.CONTACT, pl.col("name") == "opted_out"
    ).select("known_at", contact_id=pl.col("subject_id"), opted_out=pl.col("value"))
    return (
        rows.sort("contact_id", "cutoff")
        .join_asof(
            choices.sort("contact_id", "known_at"),
            left_on="cutoff",
            right_on="known_at",
            by="contact_id",
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .filter((pl.col("opted_out") != "true").fill_null(value=True))
    )


SPEC = ModelSpec(
    model=ModelName.ENGAGEMENT,
    question="Will this contact answer if we write now?",
    entity="contact",
    estimator="logistic",
    reference_estimator="xgboost_regression",
    hyperparameters=(
        Hyperparameter(
            name="l2",
            default=10.0,
            minimum=0.0001,
            maximum=10_000.0,
            meaning="pull of the coefficients towards zero",
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
            default=3,
            minimum=0,
            maximum=1000,
            is_whole=True,
            meaning="newest messages that the text weights are learned from; 0 takes all",
        ),
    ),
    spans=Spans(horizon_days=1.0),
    examples=send_examples,
    scoring_examples=contacts_to_write_to,
    headline_metrics=("accuracy", "precision", "recall", "f1"),
    targets=(
        Target(metric="accuracy", bound=0.75),
        Target(metric="precision", bound=0.70),
        Target(metric="recall", bound=0.75),
        Target(metric="f1", bound=0.72),
    ),
    bands=Bands(high="high", medium="medium", low="low"),
    recommendations={
        "high": "Write now",
        "medium": "Write at the time of day at which this contact answers",
        "low": "Do not write now",
    },
    readiness=Readiness(entities=50, examples=200),
    rule_feature="sends_answered_share",
    rule_words="share of past sends that the contact answered",
    main_file="engagement_model.json",
)
