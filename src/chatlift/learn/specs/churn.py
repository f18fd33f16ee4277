"""The churn spec: will this contact fall silent, or cancel.

Input: contacts and their messages. Two rules; the account's `churn_rule` names one, and `auto`
takes the second where at least `FEWEST_CANCELLATIONS` contacts have a `churned_at`:

- by silence: a contact that wrote in the last `active_days`, at weekly cutoffs; label 1: no
  inbound message in the `horizon_days` from the cutoff on;
- by contract: a contact not yet churned; label 1: `churned_at` within the horizon. Of a source
  without messages only the last cutoff of a contact is used, since the same attributes week after
  week would teach nothing new.

Each contact's time passes by its own source: a second source changes nothing for the first.

The weekly grid is anchored to Mondays, so that an example keeps its cutoff from run to run.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.history import History
from chatlift.learn.arrays import (
    MICROSECOND,
    Rows,
    ids_of,
    known_microseconds,
    looked_up,
    microseconds,
    places_of,
)
from chatlift.learn.features.timeline import Inbound
from chatlift.learn.specs.base import (
    Asked,
    Bands,
    Hyperparameter,
    ModelSpec,
    Outcome,
    Readiness,
    Spans,
    Target,
    contact_examples,
    examples_of,
)
from chatlift.learn.specs.observing import is_observed, with_observation
from chatlift.records import INSTANT
from chatlift.vocabulary import ChurnRule, Direction, ModelName

MONDAY = datetime(2018, 1, 1, tzinfo=UTC)


FEWEST_CANCELLATIONS = 20
"""Churned contacts from which on `auto` goes by contract; as many as readiness asks of a class."""


def rule_of(history: History, spans: Spans) -> ChurnRule:
    """Return the rule in force, silence or contract.

    A few cancellations are an accident of some other list; many are a habit of the business.
    """
    if spans.churn_rule is not ChurnRule.AUTO:
        return spans.churn_rule
    churned = history.contacts.get_column("churned_at").count()
    return ChurnRule.CONTRACT if churned >= FEWEST_CANCELLATIONS else ChurnRule.SILENCE


def settled(spans: Spans, history: History) -> Spans:
    """Return the spans with the rule in place of `auto`, as a version keeps them for good."""
    return replace(spans, churn_rule=rule_of(history, spans))


def churn_examples(history: History, spans: Spans) -> pl.DataFrame:
    """Return one row per contact and weekly cutoff at which it took part; see `EXAMPLES`."""
    rows = _at_cutoffs(with_observation(history.contacts, history), history, spans).filter(
        pl.col("created_at") < pl.col("cutoff"), pl.col("cutoff") <= pl.col("observed_through")
    )
    rows = rows.with_columns(horizon_ends_at=pl.col("cutoff") + spans.horizon)
    taking_part = _taking_part(rows, history, spans)
    mature = is_observed(taking_part, history, start="cutoff", end="horizon_ends_at")
    label = _label(taking_part, history, spans)
    return contact_examples(taking_part.with_columns(label=pl.when(mature).then(label)))


def contacts_at(history: History, spans: Spans, asked: Asked) -> pl.DataFrame:
    """Return one row per asked contact that takes part at its instant; no labels."""
    places = places_of(asked.entity_ids, history.contacts["contact_id"])
    known, places = asked.take(places >= 0), places[places >= 0]
    is_there = microseconds(history.contacts["created_at"])[places] < known.cutoffs
    there = known.take(is_there)
    customers = there.take(is_taking_part(history, spans, there.entity_ids, there.cutoffs))
    return examples_of(
        customers,
        contact_ids=customers.entity_ids,
        horizon_ends=customers.cutoffs + spans.horizon // MICROSECOND,
    )


def _at_cutoffs(contacts: pl.DataFrame, history: History, spans: Spans) -> pl.DataFrame:
    """One row per contact and cutoff: the weekly grid, or its source's last decided instant."""
    weekly = contacts.clear()
    if spans.cutoff_every_days:
        weekly = contacts.join(_sources_that_write(contacts, history), on="source", how="semi")
    rest = contacts.join(weekly, on="contact_id", how="anti")
    once = rest.with_columns(cutoff=pl.col("observed_through") - spans.horizon)
    return pl.concat([weekly.join(_grid(weekly, spans), how="cross"), once])


def _sources_that_write(contacts: pl.DataFrame, history: History) -> pl.DataFrame:
    """One row per source any of whose contacts has messages."""
    writing = contacts.join(history.messages, on="contact_id", how="semi")
    return writing.select("source").unique()


def _grid(contacts: pl.DataFrame, spans: Spans) -> pl.DataFrame:
    """One row per cutoff from the first of these contacts to the end of their last source."""
    first = contacts.get_column("created_at").min()
    through = contacts.get_column("observed_through").max()
    if not isinstance(first, datetime) or not isinstance(through, datetime):
        return pl.DataFrame(schema={"cutoff": INSTANT})
    step = timedelta(days=spans.cutoff_every_days)
    start = MONDAY + ((first - MONDAY) // step) * step
    grid = pl.datetime_range(start, through, step, time_zone="UTC", time_unit="us", eager=True)
    return pl.DataFrame({"cutoff": grid})


def _taking_part(rows: pl.DataFrame, history: History, spans: Spans) -> pl.DataFrame:
    """Keep the rows whose contact is a customer at the cutoff."""
    contact_ids, cutoffs = ids_of(rows["contact_id"]), microseconds(rows["cutoff"])
    return rows.filter(pl.Series(is_taking_part(history, spans, contact_ids, cutoffs)))


def is_taking_part(
    history: History, spans: Spans, contact_ids: Rows, cutoffs: Rows
) -> NDArray[np.bool_]:
    """Tell per contact and cutoff whether it is a customer then: wrote lately, or has not churned.

    Parameters
    ----------
    cutoffs
        Microseconds since 1970, one per contact.
    """
    if rule_of(history, spans) is ChurnRule.CONTRACT:
        churned = known_microseconds(history.contacts["churned_at"])
        return ~(looked_up(contact_ids, history.contacts["contact_id"], churned) < cutoffs)
    inbound = Inbound(history)
    active = timedelta(days=spans.active_days) // MICROSECOND
    last = inbound.first_from(contact_ids, cutoffs)
    return last > inbound.first_from(contact_ids, cutoffs - active)


def _label(rows: pl.DataFrame, history: History, spans: Spans) -> pl.Series:
    """1 where the contact churned within the horizon from its cutoff on."""
    if rule_of(history, spans) is ChurnRule.CONTRACT:
        churned = pl.col("churned_at").is_not_null() & (
            pl.col("churned_at") < pl.col("horizon_ends_at")
        )
        return rows.select(churned.cast(pl.Int8)).to_series()
    following = _inbound(history).with_columns(next_in_at=pl.col("sent_at"))
    joined = rows.select("contact_id", "cutoff", "horizon_ends_at").join_asof(
        following.sort("contact_id", "sent_at"),
        left_on="cutoff",
        right_on="sent_at",
        by="contact_id",
        strategy="forward",
        check_sortedness=False,
    )
    wrote = (pl.col("next_in_at") < pl.col("horizon_ends_at")).fill_null(value=False)
    return joined.select((~wrote).cast(pl.Int8)).to_series()


def _inbound(history: History) -> pl.DataFrame:
    return history.messages.filter(pl.col("direction") == Direction.INBOUND).select(
        "contact_id", "sent_at"
    )


SPEC = ModelSpec(
    model=ModelName.CHURN,
    question="Will this contact fall silent?",
    outcome=Outcome(happened="fell silent", did_not_happen="went on writing"),
    entity="contact",
    estimator="xgboost_forest",
    reference_estimator="xgboost_regression",
    hyperparameters=(
        Hyperparameter(
            name="trees",
            default=100,
            minimum=10,
            maximum=2000,
            is_whole=True,
            meaning="trees of the forest",
        ),
        Hyperparameter(
            name="max_depth",
            default=6,
            minimum=1,
            maximum=20,
            is_whole=True,
            meaning="deepest question chain of a tree",
        ),
        Hyperparameter(
            name="leaf_rows",
            default=10.0,
            minimum=1.0,
            maximum=10_000.0,
            meaning="fewest rows in a leaf",
        ),
        Hyperparameter(
            name="column_share",
            default=0.3,
            minimum=0.01,
            maximum=1.0,
            meaning="share of the features that each question may choose from",
        ),
        Hyperparameter(
            name="row_share",
            default=0.632,
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
            default=3,
            minimum=0,
            maximum=1000,
            is_whole=True,
            meaning="newest messages that the text weights are learned from; 0 takes all",
        ),
    ),
    spans=Spans(),
    examples=churn_examples,
    scoring_examples=contacts_at,
    headline_metrics=("accuracy", "precision", "recall", "f1"),
    targets=(
        Target(metric="accuracy", bound=0.75),
        Target(metric="precision", bound=0.70),
        Target(metric="recall", bound=0.75),
        Target(metric="f1", bound=0.72),
    ),
    bands=Bands(high="high", medium="medium", low="low"),
    recommendations={
        "high": "Write personally this week, with a reason to come back",
        "medium": "Ask whether all is well at the next occasion",
        "low": "Nothing to do now",
    },
    readiness=Readiness(entities=100, examples=100, conversations=50),
    rule=("hours_since_last_message_in",),
    rule_words="time since the contact last wrote",
    main_file="churn_model.ubj",
)
