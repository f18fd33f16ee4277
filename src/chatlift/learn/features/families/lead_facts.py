"""Lead facts: age, value, earlier leads, and what happened since the lead came in."""

from __future__ import annotations

import polars as pl

from chatlift.learn.arrays import Values
from chatlift.learn.features.asof import AsOf
from chatlift.learn.features.declare import ATTRIBUTES_GROUP, Compute, Feature
from chatlift.learn.features.families.answering import REPLIES
from chatlift.learn.features.reading import Counted, Duration, Number, Reading
from chatlift.learn.features.timeline import HOUR, SECOND
from chatlift.vocabulary import FactSubject, ModelName

SECONDS_PER_HOUR = HOUR // SECOND
NO_LEAD = "the lead's creation is not known to lie before the cutoff"
ONLY_LEADS = frozenset({ModelName.LEAD_SCORING})


AMOUNT = pl.col("told").str.strip_chars().cast(pl.Float64, strict=False)


def _value(asof: AsOf) -> Values:
    told = asof.fact(FactSubject.LEAD, "value")
    if told.null_count() == len(told):
        return asof.unknown
    return told.to_frame("told").select(AMOUNT).to_series().to_numpy()


def _since_lead(measure: str) -> Compute:
    return lambda asof: asof.total(measure, since=asof.lead_created_at)


def _hours_to_first(where: str) -> Compute:
    def compute(asof: AsOf) -> Values:
        created = asof.lead_created_at
        return asof.window_hours(created, asof.first_at(where, since=created))

    return compute


def _since(name: str, measure: str, group: str, what: str, words: tuple[str, str, str]) -> Feature:
    high, low, fact = words
    unit = "messages" if "messages" in what else "days"
    return Feature(
        name=name,
        meaning=f"{what} since the lead came in",
        unit=unit,
        null_means=NO_LEAD,
        group=group,
        high=high,
        low=low,
        reading=Reading(
            quantity=Counted(unit.removesuffix("s"), unit),
            high=f"{fact} since the lead came in",
            usual="most {}" if group != "our_volume" else "usually {}",
        ),
        compute=_since_lead(measure),
        models=ONLY_LEADS,
    )


def _earlier(name: str, *, is_won: bool, what: str, words: tuple[str, str, str]) -> Feature:
    high, low, fact = words
    return Feature(
        name=name,
        meaning=what,
        unit="leads",
        null_means="never unknown",
        group="earlier_leads",
        high=high,
        low=low,
        reading=Reading(quantity=Counted("time", "times"), high=fact, usual="most {}"),
        direction={ModelName.LEAD_SCORING: 1} if is_won else {},
        compute=lambda asof: asof.earlier_leads(is_won=is_won),
        models=ONLY_LEADS,
    )


FEATURES = (
    Feature(
        name="lead_age_days",
        meaning="time since the lead came in",
        unit="days",
        null_means=NO_LEAD,
        group="tenure",
        high="the lead has been open for a long time",
        low="the lead is new",
        reading=Reading(
            quantity=Duration(24),
            high="the lead came in {} ago",
            usual="most {} ago",
        ),
        compute=lambda asof: asof.hours_since(asof.lead_created_at) / 24,
        models=ONLY_LEADS,
    ),
    Feature(
        name="lead_value",
        meaning="value of the lead as it was known, in the account's currency",
        unit="money",
        minimum=None,
        null_means="no value was known as a number before the cutoff",
        group=f"{ATTRIBUTES_GROUP}:lead.value",
        high="a large deal",
        low="a small deal",
        reading=Reading(
            quantity=Number(),
            high="worth {}",
            usual="most {}",
        ),
        compute=_value,
        models=ONLY_LEADS,
        attribute="lead.value",
    ),
    _earlier(
        "earlier_leads_count",
        is_won=False,
        what="leads of the same contact that came in before this one",
        words=(
            "has been a lead before",
            "has not been a lead before",
            "was a lead {} before",
        ),
    ),
    _earlier(
        "earlier_leads_won_count",
        is_won=True,
        what="earlier leads of the same contact known to be won",
        words=("has bought before", "has not bought before", "bought {} before"),
    ),
    _since(
        "messages_received_since_lead_count",
        "is_in",
        "volume",
        "messages from the contact",
        ("has written a lot about this", "has written little about this", "wrote {}"),
    ),
    _since(
        "messages_sent_since_lead_count",
        "is_out",
        "our_volume",
        "messages to the contact",
        ("we have written a lot about this", "we have written little about this", "we wrote {}"),
    ),
    _since(
        "questions_received_since_lead_count",
        "is_question_in",
        "shape",
        "messages from the contact with a question mark",
        (
            "has asked a lot about this",
            "has asked little about this",
            "wrote {} with a question",
        ),
    ),
    _since(
        "active_days_since_lead_count",
        "starts_active_day",
        "volume",
        "days on which the contact wrote",
        ("has been in touch on many days", "has been in touch on few days", "wrote on {}"),
    ),
    Feature(
        name="first_message_in_after_lead_hours",
        meaning="time from the lead's arrival to the contact's first message after it",
        unit="hours",
        null_means="the contact has not written since the lead came in",
        group="answering",
        high="took long to write after the lead came in",
        low="wrote soon after the lead came in",
        reading=Reading(
            quantity=Duration(),
            high="first wrote {} after the lead came in",
            usual="most after {}",
        ),
        missing="has not written since the lead came in",
        compute=_hours_to_first("is_in"),
        models=ONLY_LEADS,
    ),
    Feature(
        name="first_message_out_after_lead_hours",
        meaning="time from the lead's arrival to our first message after it",
        unit="hours",
        null_means="we have not written since the lead came in",
        group="our_answering",
        high="we took long to write after the lead came in",
        low="we wrote soon after the lead came in",
        reading=Reading(
            quantity=Duration(),
            high="we first wrote {} after the lead came in",
            usual="usually after {}",
        ),
        missing="we have not written since the lead came in",
        compute=_hours_to_first("is_out"),
        models=ONLY_LEADS,
    ),
    Feature(
        name="reply_delay_since_lead_median_hours",
        meaning="median time that the contact took to reply since the lead came in",
        unit="hours",
        null_means="the contact has not replied since the lead came in",
        group="answering",
        high="replies slowly",
        low="replies fast",
        reading=REPLIES,
        missing="has not replied since the lead came in",
        compute=lambda asof: (
            asof.quantile("reply_seconds", 0.5, since=asof.lead_created_at) / SECONDS_PER_HOUR
        ),
        models=ONLY_LEADS,
    ),
)
"""Declared features of this family."""
