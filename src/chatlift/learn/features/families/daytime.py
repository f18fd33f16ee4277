"""Time of day and week: the cutoff's hour against the hours in which this contact writes.

Hours are the business's own. *Alignment* places each past message on a 24-hour dial (or a seven-day
one) as an arrow, and takes the mean arrow's part along the cutoff's direction: 1 all at this hour,
-1 all at the opposite one, 0 spread evenly. One imagined message without direction is added, so
that a single message does not read as a habit. The arrows are whole thousandths, for exact sums.
"""

from __future__ import annotations

import numpy as np

from chatlift.learn.arrays import Rows, Values
from chatlift.learn.features.asof import AsOf, ratio
from chatlift.learn.features.declare import Compute, Feature
from chatlift.learn.features.families.answering import smoothed_share
from chatlift.learn.features.reading import Percent, Reading
from chatlift.learn.features.timeline import ARROW, DIAL, part_of
from chatlift.vocabulary import ModelName

NEVER = "the contact has not written yet"
ONLY_ENGAGEMENT = frozenset({ModelName.ENGAGEMENT})


def _alignment(what: str, count: str, dial: str) -> Compute:
    def compute(asof: AsOf) -> Values:
        spot = asof.cutoff_hour if dial == "hour" else asof.cutoff_weekday
        cosine, sine = DIAL[dial]
        along = asof.total(f"{what}_{dial}_cos") * cosine[spot]
        across = asof.total(f"{what}_{dial}_sin") * sine[spot]
        number = asof.total(count)
        return np.where(number > 0, (along + across) / ARROW**2 / (number + 1), np.nan)

    return compute


def _spot(dial: str, side: int) -> Compute:
    def compute(asof: AsOf) -> Values:
        spot: Rows = asof.cutoff_hour if dial == "hour" else asof.cutoff_weekday
        return np.asarray(DIAL[dial][side][spot] / ARROW, dtype=np.float64)

    return compute


def _concentration(asof: AsOf) -> Values:
    cosine, sine = asof.total("in_hour_cos"), asof.total("in_hour_sin")
    length = np.sqrt(cosine * cosine + sine * sine) / ARROW
    return np.minimum(ratio(length, asof.total("is_in") + 1), 1.0)


def _received_same_part(asof: AsOf) -> Values:
    part = part_of(asof.cutoff_hour)
    here = asof.unknown
    for number in np.unique(part).tolist():
        here = np.where(part == number, asof.total(f"in_part_{number}"), here)
    return ratio(here, asof.total("is_in"))


def _dial_feature(name: str, meaning: str, words: tuple[str, str], compute: Compute) -> Feature:
    high, low = words
    return Feature(
        name=name,
        meaning=meaning,
        unit="place on the dial",
        minimum=-1.0,
        maximum=1.0,
        null_means="never unknown",
        group="daytime",
        high=high,
        low=low,
        is_of_instant=True,
        compute=compute,
        models=ONLY_ENGAGEMENT,
    )


def _alignment_feature(name: str, meaning: str, when: str, compute: Compute) -> Feature:
    return Feature(
        name=name,
        meaning=meaning,
        unit="alignment",
        minimum=-1.0,
        maximum=1.0,
        null_means=NEVER,
        group="daytime",
        high=f"answered and wrote more often {when}",
        low=f"answered and wrote less often {when}",
        direction={ModelName.ENGAGEMENT: 1},
        compute=compute,
        models=ONLY_ENGAGEMENT,
    )


FEATURES = (
    _dial_feature(
        "send_hour_sin",
        "hour of the message to send, east-west on a 24-hour dial",
        ("it is morning", "it is evening"),
        _spot("hour", 1),
    ),
    _dial_feature(
        "send_hour_cos",
        "hour of the message to send, north-south on a 24-hour dial",
        ("it is night", "it is midday"),
        _spot("hour", 0),
    ),
    _dial_feature(
        "send_weekday_sin",
        "weekday of the message to send, east-west on a seven-day dial",
        ("it is early in the week", "it is late in the week"),
        _spot("weekday", 1),
    ),
    _dial_feature(
        "send_weekday_cos",
        "weekday of the message to send, north-south on a seven-day dial",
        ("it is around Monday", "it is around Thursday"),
        _spot("weekday", 0),
    ),
    _alignment_feature(
        "messages_received_hour_alignment",
        "how well this hour agrees with the hours in which the contact writes",
        "at this hour",
        _alignment("in", "is_in", "hour"),
    ),
    _alignment_feature(
        "answers_hour_alignment",
        "how well this hour agrees with the hours in which the contact answered our sends",
        "at this hour",
        _alignment("answer", "answers_send", "hour"),
    ),
    _alignment_feature(
        "messages_received_weekday_alignment",
        "how well this weekday agrees with the weekdays on which the contact writes",
        "on this weekday",
        _alignment("in", "is_in", "weekday"),
    ),
    Feature(
        name="messages_received_same_part_share",
        meaning="share of the contact's messages that came in this part of the day",
        unit="share",
        maximum=1.0,
        null_means=NEVER,
        group="daytime",
        high="mostly writes at this time of day",
        low="seldom writes at this time of day",
        reading=Reading(
            quantity=Percent(),
            high="wrote {} of the messages at this time of day",
            usual="most {}",
        ),
        compute=_received_same_part,
        models=ONLY_ENGAGEMENT,
    ),
    Feature(
        name="messages_received_hour_concentration",
        meaning="how closely the contact's messages gather around one hour of the day",
        unit="share",
        maximum=1.0,
        null_means=NEVER,
        group="daytime",
        high="writes at much the same hour",
        low="writes at any hour",
        compute=_concentration,
        models=ONLY_ENGAGEMENT,
    ),
    Feature(
        name="messages_received_weekend_share",
        meaning="share of the contact's messages on Saturdays and Sundays, smoothed",
        unit="share",
        maximum=1.0,
        null_means=NEVER,
        group="daytime",
        high="often writes on weekends",
        low="seldom writes on weekends",
        reading=Reading(
            quantity=Percent(),
            high="wrote {} messages on weekends",
            usual="most {}",
            whole="messages_received_count",
        ),
        compute=lambda asof: smoothed_share(asof.total("is_in_weekend"), asof.total("is_in")),
    ),
    Feature(
        name="messages_received_evening_share",
        meaning="share of the contact's messages between 18:00 and midnight, smoothed",
        unit="share",
        maximum=1.0,
        null_means=NEVER,
        group="daytime",
        high="often writes in the evening",
        low="seldom writes in the evening",
        reading=Reading(
            quantity=Percent(),
            high="wrote {} messages in the evening",
            usual="most {}",
            whole="messages_received_count",
        ),
        compute=lambda asof: smoothed_share(asof.total("in_part_3"), asof.total("is_in")),
    ),
)
"""Declared features of this family."""
