"""Recency and rhythm: how long it has been quiet, against the contact's own pauses.

A *pause* is the time between the last inbound message of one active day and the first of the
next, so that the seconds between two lines of one chat do not count.
"""

from __future__ import annotations

import numpy as np

from chatlift.learn.arrays import Values
from chatlift.learn.features.asof import AsOf, ratio
from chatlift.learn.features.declare import Compute, Feature
from chatlift.learn.features.reading import Counted, Duration, OwnPace, Reading
from chatlift.learn.features.timeline import HOUR, SECOND
from chatlift.vocabulary import ModelName

SECONDS_PER_HOUR = HOUR // SECOND
LONGEST_RATIO = 100.0
MESSAGES = Counted("message", "messages")
NEVER_WROTE = "the contact has not written yet"
TOO_FEW_DAYS = "the contact wrote on fewer than two days, so it has no pause of its own"


def _pause_hours(asof: AsOf, share: float) -> Values:
    return asof.quantile("pause_seconds", share) / SECONDS_PER_HOUR


def _silence_ratio(share: float) -> Compute:
    def compute(asof: AsOf) -> Values:
        usual = np.maximum(_pause_hours(asof, share), 1.0)
        return np.minimum(ratio(asof.hours_since_last("is_in"), usual), LONGEST_RATIO)

    return compute


def _unanswered(measure: str) -> Compute:
    def compute(asof: AsOf) -> Values:
        since_last_in = asof.total(measure, since=asof.last_at("is_in"))
        return np.where(np.isnan(since_last_in), asof.total(measure), since_last_in)

    return compute


def _wrote_last(asof: AsOf) -> Values:
    last_in, last_out = asof.last_at("is_in"), asof.last_at("is_out")
    is_in = np.where(np.isnan(last_out), 1.0, (last_in >= last_out).astype(np.float64))
    return np.where(np.isnan(last_in) & np.isnan(last_out), np.nan, is_in)


FEATURES = (
    Feature(
        name="hours_since_last_message",
        meaning="time since the last message either way",
        unit="hours",
        null_means="there is no message yet",
        group="recency",
        high="nobody has written for a long time",
        low="the conversation is fresh",
        reading=Reading(
            quantity=Duration(),
            high="nobody has written for {}",
            low="the last message came {} ago",
            usual="usually {}",
        ),
        missing="there is no message yet",
        compute=lambda asof: asof.hours_since(
            np.fmax(asof.last_at("is_in"), asof.last_at("is_out"))
        ),
    ),
    Feature(
        name="hours_since_last_message_in",
        meaning="time since the contact last wrote",
        unit="hours",
        null_means=NEVER_WROTE,
        group="recency",
        high="has not written for a long time",
        low="wrote recently",
        reading=Reading(
            quantity=Duration(),
            high="last wrote {} ago",
            usual="most {} ago",
        ),
        missing="has not written yet",
        direction={ModelName.CHURN: 1},
        compute=lambda asof: asof.hours_since_last("is_in"),
    ),
    Feature(
        name="hours_since_last_message_out",
        meaning="time since the business last wrote",
        unit="hours",
        null_means="the business has not written yet",
        group="recency",
        high="we have not written for a long time",
        low="we wrote recently",
        reading=Reading(
            quantity=Duration(),
            high="we last wrote {} ago",
            usual="usually {} ago",
        ),
        missing="we have not written yet",
        compute=lambda asof: asof.hours_since_last("is_out"),
    ),
    Feature(
        name="hours_since_last_conversation_start",
        meaning="time since the last conversation began, after 24 hours without any message",
        unit="hours",
        null_means="there is no message yet",
        group="recency",
        high="the last conversation began long ago",
        low="a conversation has just begun",
        reading=Reading(
            quantity=Duration(),
            high="the last conversation began {} ago",
            usual="usually {} ago",
        ),
        missing="there is no conversation yet",
        compute=lambda asof: asof.hours_since_last("starts_conversation"),
    ),
    Feature(
        name="contact_wrote_last",
        meaning="whether the last message came from the contact",
        unit="yes or no",
        maximum=1.0,
        null_means="there is no message yet",
        group="recency",
        high="the last word was the contact's",
        low="the last word was ours",
        compute=_wrote_last,
    ),
    Feature(
        name="pause_median_hours",
        meaning="median pause between the days on which the contact wrote",
        unit="hours",
        null_means=TOO_FEW_DAYS,
        group="rhythm",
        high="usually pauses long between visits",
        low="usually comes back soon",
        reading=Reading(
            quantity=Duration(),
            high="usually comes back after {}",
            usual="most after {}",
        ),
        compute=lambda asof: _pause_hours(asof, 0.5),
    ),
    Feature(
        name="pause_p90_hours",
        meaning="pause that nine in ten of the contact's pauses stay below",
        unit="hours",
        null_means=TOO_FEW_DAYS,
        group="rhythm",
        high="has stayed away long before",
        low="has never stayed away for long",
        reading=Reading(
            quantity=Duration(),
            high="hardly ever stays away longer than {}",
            usual="most {}",
        ),
        compute=lambda asof: _pause_hours(asof, 0.9),
    ),
    Feature(
        name="silence_to_median_pause_ratio",
        meaning="time since the contact last wrote, as a multiple of its median pause",
        unit="times",
        maximum=LONGEST_RATIO,
        null_means=TOO_FEW_DAYS,
        group="recency",
        high="silent for longer than usual for this contact",
        low="silent no longer than usual for this contact",
        reading=OwnPace(
            quantity=Duration(),
            high="silent for {}",
            usual="usually writes again after {}",
            whole="hours_since_last_message_in",
        ),
        direction={ModelName.CHURN: 1},
        compute=_silence_ratio(0.5),
    ),
    Feature(
        name="silence_to_p90_pause_ratio",
        meaning="time since the contact last wrote, as a multiple of its long pauses",
        unit="times",
        maximum=LONGEST_RATIO,
        null_means=TOO_FEW_DAYS,
        group="recency",
        high="silent for longer than almost ever before",
        low="has been silent for longer before",
        reading=OwnPace(
            quantity=Duration(),
            high="silent for {}",
            usual="seldom for longer than {}",
            whole="hours_since_last_message_in",
        ),
        direction={ModelName.CHURN: 1},
        compute=_silence_ratio(0.9),
    ),
    Feature(
        name="messages_sent_unanswered_count",
        meaning="messages sent since the contact last wrote",
        unit="messages",
        null_means="never unknown",
        group="answering",
        high="has left many of our messages without an answer",
        low="has left few of our messages without an answer",
        reading=Reading(
            quantity=MESSAGES,
            high="has left {} of ours without an answer",
            none="wrote after our last message",
            usual="most left {}",
        ),
        compute=_unanswered("is_out"),
    ),
    Feature(
        name="hours_since_first_message",
        meaning="time since the first message either way",
        unit="hours",
        null_means="there is no message yet",
        group="tenure",
        high="we have been in touch for a long time",
        low="we have only just met",
        reading=Reading(
            quantity=Duration(),
            high="in touch for {}",
            usual="most for {}",
        ),
        missing="there is no message yet",
        compute=lambda asof: asof.hours_since(asof.first_at("is_any")),
    ),
    Feature(
        name="contact_age_days",
        meaning="time since the contact was created",
        unit="days",
        null_means="the contact's creation is not known to lie before the cutoff",
        group="tenure",
        high="a contact of long standing",
        low="a new contact",
        reading=Reading(
            quantity=Duration(24),
            high="a contact for {}",
            usual="most for {}",
        ),
        compute=lambda asof: asof.hours_since(asof.contact_created_at) / 24,
    ),
)
"""Declared features of this family."""
