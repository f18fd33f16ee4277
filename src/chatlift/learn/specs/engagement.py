"""The engagement spec: will this contact answer if we write now.

Input: contacts and their messages. An example is a *send*: the first outbound message after
`silence_hours` without any message either way, not automatic, to a contact that had not opted out;
later messages of the burst belong to it. The cutoff is its `sent_at`. Label 1: an inbound message
within 24 hours of it.

A send that failed is an example like any other, and its label is what followed: mostly nothing,
and an answer where a second try of the same burst arrived. That it failed became known only after
its cutoff, so it may not choose the examples: whoever asks whether a contact will answer does not
know yet whether the message will arrive, and a number that is dead is a reason not to write
(docs/decisions/0023).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.history import History
from chatlift.learn.arrays import MICROSECOND, Rows, Values, begins_run, microseconds, places_of
from chatlift.learn.features.facts import DatedFacts
from chatlift.learn.features.timeline import Inbound, Timeline
from chatlift.learn.specs.base import (
    Asked,
    Bands,
    Hyperparameter,
    ModelSpec,
    Outcome,
    Readiness,
    Spans,
    Target,
    examples_of,
)
from chatlift.learn.specs.observing import Observed
from chatlift.vocabulary import FactSubject, ModelName

ANSWER_WITHIN = timedelta(hours=24)


def send_examples(history: History, spans: Spans) -> pl.DataFrame:
    """Return one row per send; see `EXAMPLES`."""
    sends = _sends(history, timedelta(hours=spans.silence_hours) // MICROSECOND)
    observed = Observed(history)
    is_told = sends.cutoffs <= observed.through_of(sends.contact_ids)
    sends = sends.take(is_told & may_be_written_to(history, sends.contact_ids, sends.cutoffs))
    horizon_ends = sends.cutoffs + ANSWER_WITHIN // MICROSECOND
    is_mature = observed.is_whole(sends.contact_ids, sends.cutoffs, horizon_ends)
    answered = (sends.next_in <= horizon_ends).astype(np.float64)
    return examples_of(
        Asked(entity_ids=sends.contact_ids, cutoffs=sends.cutoffs),
        contact_ids=sends.contact_ids,
        horizon_ends=horizon_ends,
        labels=np.where(is_mature, answered, np.nan),
    )


def contacts_to_write_to(history: History, spans: Spans, asked: Asked) -> pl.DataFrame:
    """Return one row per asked contact that may be written to at its instant; no labels."""
    del spans
    places = places_of(asked.entity_ids, history.contacts["contact_id"])
    known, places = asked.take(places >= 0), places[places >= 0]
    is_there = microseconds(history.contacts["created_at"])[places] < known.cutoffs
    there = known.take(is_there)
    allowed = there.take(may_be_written_to(history, there.entity_ids, there.cutoffs))
    return examples_of(
        allowed,
        contact_ids=allowed.entity_ids,
        horizon_ends=allowed.cutoffs + ANSWER_WITHIN // MICROSECOND,
    )


@dataclass(frozen=True, kw_only=True)
class _Sends:
    """One entry per send; instants in microseconds."""

    contact_ids: Rows
    cutoffs: Rows
    next_in: Values
    """Instant of the contact's next message; NaN: none yet."""

    def take(self, chosen: NDArray[np.bool_]) -> _Sends:
        return _Sends(
            contact_ids=self.contact_ids[chosen],
            cutoffs=self.cutoffs[chosen],
            next_in=self.next_in[chosen],
        )


def _sends(history: History, quiet: int) -> _Sends:
    """Return the sends: after `quiet` microseconds without a message, not automatic."""
    line = Timeline.of(history)
    was_quiet = begins_run(line.contact_id) | (
        np.diff(line.sent_at, prepend=line.sent_at[:1]) >= quiet
    )
    rows = np.flatnonzero(was_quiet & line.column("is_out") & ~line.column("is_automatic"))
    inbound = Inbound(history)
    contact_ids, cutoffs = line.contact_id[rows], line.sent_at[rows]
    following = inbound.rows.searchsorted(rows)
    exists = following < inbound.contact_id.searchsorted(contact_ids, side="right")
    next_in = np.full(len(rows), np.nan)
    next_in[exists] = inbound.sent_at[following[exists]]
    return _Sends(contact_ids=contact_ids, cutoffs=cutoffs, next_in=next_in)


def may_be_written_to(history: History, contact_ids: Rows, cutoffs: Rows) -> NDArray[np.bool_]:
    """Tell per contact and instant whether it had not opted out before, or had come back."""
    facts = DatedFacts(history.facts)
    rows = facts.rows_as_of(FactSubject.CONTACT, "opted_out", contact_ids, cutoffs)
    told = facts.values_at(rows[rows >= 0])
    allowed = np.ones(len(rows), dtype=np.bool_)
    allowed[rows >= 0] = [value != "true" for value in told.to_list()]
    return allowed


SPEC = ModelSpec(
    model=ModelName.ENGAGEMENT,
    question="Will this contact answer if we write now?",
    outcome=Outcome(happened="answered", did_not_happen="did not answer"),
    entity="contact",
    estimator="logistic",
    reference_estimator="xgboost_regression",
    hyperparameters=(
        Hyperparameter(
            name="l2",
            default=200.0,
            minimum=0.0001,
            maximum=10_000.0,
            meaning="pull of the coefficients towards zero",
        ),
        Hyperparameter(
            name="bend",
            default=0.3,
            minimum=0.0,
            maximum=10.0,
            meaning="freedom of a column's effect to turn; 0: it only rises or only falls",
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
    rule=("sends_answered_share", "hours_since_last_message_in"),
    rule_words="share of past sends that the contact answered, and time since it last wrote",
    main_file="engagement_model.json",
)
