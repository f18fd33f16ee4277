"""Answering behaviour both ways: how often, how fast, and for how long not.

A *send* is the first outbound message after 24 hours without any message, not automatic. It is
*answered* by an inbound message within 24 hours, and the answer counts from its own instant on.
Shares are (answered + 1) / (sends + 2): two imagined sends, one of them answered, keep a single
send from reading as never or always. A *reply* is the first message of one side's turn after the
other side's turn; its delay runs from the start of that turn.

*Near an hour* weighs each send by its own hour of the day: 1 at the cutoff's hour, a half about 4.4
hours before or after it, 0 at the opposite one. The weight is ((1 + cos(angle)) / 2) squared, which
is 3/8 + cos(angle) / 2 + cos(2 angle) / 8, so that sums of arrows on two dials are all it takes.
"""

from __future__ import annotations

import numpy as np

from chatlift.learn.arrays import Rows, Values
from chatlift.learn.features.asof import AsOf
from chatlift.learn.features.declare import Compute, Feature
from chatlift.learn.features.families.volume import NOT_OBSERVED, CountWords, count
from chatlift.learn.features.reading import Counted, Duration, Percent, Reading
from chatlift.learn.features.timeline import ARROW, DIAL, HOUR, SECOND, Column, part_of
from chatlift.vocabulary import ModelName

SECONDS_PER_HOUR = HOUR // SECOND
OWN_RATE_WEIGHT = 2.0
"""Imagined sends in a part of the day or near an hour, answered at the contact's overall rate."""

SENDS = CountWords(
    meaning="sends: first messages to the contact after 24 hours without any",
    unit="sends",
    counted=Counted("time", "times"),
    high="we have often written first",
    low="we have seldom written first",
    fact="we wrote first {}",
    none="we did not write first",
    usual="usually {}",
)
REPLIES = Reading(
    quantity=Duration(), high="takes {} to answer", low="answers within {}", usual="most take {}"
)
OUR_REPLIES = Reading(
    quantity=Duration(),
    high="we took {} to answer",
    low="we answered within {}",
    usual="usually {}",
)
NO_SENDS = "we have not written first yet"


def smoothed_share(part: Values, whole: Values) -> Values:
    """Return (part + 1) / (whole + 2), at most 1; NaN where the whole is empty or unknown.

    Examples
    --------
    >>> smoothed_share(np.array([3.0, 0.0]), np.array([4.0, 0.0])).round(3).tolist()
    [0.667, nan]
    """
    share = np.minimum((part + 1) / (whole + 2), 1.0)
    return np.where(whole > 0, share, np.nan)


def _answered_share(days: int | None) -> Compute:
    return lambda asof: smoothed_share(
        asof.total("answers_send", days), asof.total("is_send", days)
    )


def _same_part(asof: AsOf, sends: str, answers: str) -> tuple[Values, Values]:
    """Return the sends, and their answers, in the part of the day of each cutoff."""
    part = part_of(asof.cutoff_hour)
    sent, answered = asof.unknown, asof.unknown
    for number in np.unique(part).tolist():
        here = part == number
        sent = np.where(here, asof.total(f"{sends}_{number}"), sent)
        answered = np.where(here, asof.total(f"{answers}_{number}"), answered)
    return sent, answered


def _pulled_to_overall(asof: AsOf, sent: Values, answered: Values) -> Values:
    """Return answered / sent with `OWN_RATE_WEIGHT` imagined sends; NaN before the first send."""
    overall = smoothed_share(asof.total("answers_send"), asof.total("is_send"))
    return np.minimum((answered + OWN_RATE_WEIGHT * overall) / (sent + OWN_RATE_WEIGHT), 1.0)


def _answered_share_same_part(asof: AsOf) -> Values:
    return _pulled_to_overall(asof, *_same_part(asof, "send_part", "answer_part"))


def _weight_near_hour(asof: AsOf, count: str, arrows: str) -> Values:
    """Return the total weight of sends, or of answered ones, near the hour of each cutoff."""
    once = _along(asof, f"{arrows}_hour", DIAL["hour"], asof.cutoff_hour)
    twice = _along(asof, f"{arrows}_half_day", DIAL["half_day"], asof.cutoff_hour % 12)
    # Arrows are rounded to thousandths, so a weight of nothing may come out a hair below it.
    return np.maximum(0.375 * asof.total(count) + 0.5 * once + 0.125 * twice, 0.0)


def _along(asof: AsOf, arrows: str, dial: tuple[Column, Column], spot: Rows) -> Values:
    """Return the sum of the cosines of the angles between arrows and a spot on their dial."""
    cosine, sine = (side[spot].astype(np.float64) for side in dial)
    along = asof.total(f"{arrows}_cos") * cosine + asof.total(f"{arrows}_sin") * sine
    return np.asarray(along / ARROW**2, dtype=np.float64)


def _answered_share_near_hour(asof: AsOf) -> Values:
    sent = _weight_near_hour(asof, "is_send", "send")
    return _pulled_to_overall(asof, sent, _weight_near_hour(asof, "answers_send", "answered_send"))


def _unanswered_sends(asof: AsOf) -> Values:
    since_last_in = asof.total("is_send", since=asof.last_at("is_in"))
    return np.where(np.isnan(since_last_in), asof.total("is_send"), since_last_in)


def _last_send_answered(asof: AsOf) -> Values:
    last_send, last_answer = asof.last_at("is_send"), asof.last_at("answers_send")
    answered = np.where(np.isnan(last_answer), 0.0, (last_answer > last_send).astype(np.float64))
    return np.where(np.isnan(last_send), np.nan, answered)


def _hours(column: str, share: float, days: int | None = None) -> Compute:
    return lambda asof: asof.quantile(column, share, days) / SECONDS_PER_HOUR


def _share_feature(name: str, days: int | None) -> Feature:
    window = "" if days is None else f" in the last {days} days"
    return Feature(
        name=name if days is None else f"{name}_{days}d",
        meaning=f"share of sends{window} that the contact answered within 24 hours, smoothed",
        unit="share",
        maximum=1.0,
        null_means=NO_SENDS if days is None else f"no send{window}, or they were not all observed",
        group="answering",
        high="answers most of our messages",
        low="answers few of our messages",
        reading=Reading(
            quantity=Percent(),
            high=f"answered {{}} first messages from us{window}",
            usual="most {}",
            whole="sends_count" if days is None else f"sends_count_{days}d",
        ),
        direction={ModelName.ENGAGEMENT: 1},
        compute=_answered_share(days),
    )


def _delay(days: int | None) -> Feature:
    window = "" if days is None else f" in the last {days} days"
    return Feature(
        name="reply_delay_median_hours" if days is None else f"reply_delay_median_hours_{days}d",
        meaning=f"median time that the contact took to reply{window}",
        unit="hours",
        null_means=f"the contact did not reply{window}, or not all was observed",
        group="answering",
        high="replies slowly",
        low="replies fast",
        reading=REPLIES,
        missing="has not replied yet" if days is None else "",
        compute=_hours("reply_seconds", 0.5, days),
    )


def _our_delay(days: int | None) -> Feature:
    window = "" if days is None else f" in the last {days} days"
    name = "our_reply_delay_median_hours"
    return Feature(
        name=name if days is None else f"{name}_{days}d",
        meaning=f"median time that we took to reply to the contact{window}",
        unit="hours",
        null_means=f"we did not reply{window}, or not all was observed",
        group="our_answering",
        high="we replied slowly",
        low="we replied fast",
        reading=OUR_REPLIES,
        missing="we have not replied yet" if days is None else "",
        compute=_hours("our_reply_seconds", 0.5, days),
    )


FEATURES = (
    count("sends_count", "is_send", None, SENDS, "our_volume"),
    count("sends_count", "is_send", 30, SENDS, "our_volume"),
    count("sends_count", "is_send", 90, SENDS, "our_volume"),
    _share_feature("sends_answered_share", None),
    _share_feature("sends_answered_share", 90),
    _share_feature("sends_answered_share", 30),
    Feature(
        name="sends_answered_share_same_part",
        meaning="share of sends in this part of the day that were answered, pulled to the overall",
        unit="share",
        maximum=1.0,
        null_means=NO_SENDS,
        group="daytime",
        high="answered more often at this time of day",
        low="answered less often at this time of day",
        reading=Reading(
            quantity=Percent(),
            high="answered about {} of our first messages at this time of day",
            usual="most about {}",
        ),
        direction={ModelName.ENGAGEMENT: 1},
        compute=_answered_share_same_part,
        models=frozenset({ModelName.ENGAGEMENT}),
    ),
    Feature(
        name="sends_answered_share_near_hour",
        meaning="share of sends near this hour that were answered, pulled to the overall",
        unit="share",
        maximum=1.0,
        null_means=NO_SENDS,
        group="daytime",
        high="answered more often around this hour",
        low="answered less often around this hour",
        reading=Reading(
            quantity=Percent(),
            high="answered about {} of our first messages around this hour",
            usual="most about {}",
        ),
        direction={ModelName.ENGAGEMENT: 1},
        compute=_answered_share_near_hour,
        models=frozenset({ModelName.ENGAGEMENT}),
    ),
    Feature(
        name="sends_unanswered_streak_count",
        meaning="sends since the contact last wrote",
        unit="sends",
        null_means="never unknown",
        group="answering",
        high="has not answered our last messages",
        low="answered our last message",
        reading=Reading(
            quantity=Counted("message", "messages"),
            high="has left our last {} without an answer",
            none="wrote after our last message",
            usual="most left {}",
        ),
        direction={ModelName.ENGAGEMENT: -1},
        compute=_unanswered_sends,
    ),
    Feature(
        name="last_send_answered",
        meaning="whether the last send was answered within 24 hours",
        unit="yes or no",
        maximum=1.0,
        null_means=NO_SENDS,
        group="answering",
        high="answered when we last wrote first",
        low="did not answer when we last wrote first",
        missing="we have not written first yet",
        direction={ModelName.ENGAGEMENT: 1},
        compute=_last_send_answered,
    ),
    Feature(
        name="hours_since_last_send",
        meaning="time since we last wrote first",
        unit="hours",
        null_means=NO_SENDS,
        group="recency",
        high="we have not written first for a long time",
        low="we wrote first a short time ago",
        reading=Reading(
            quantity=Duration(),
            high="we last wrote first {} ago",
            usual="usually {} ago",
        ),
        missing="we have not written first yet",
        compute=lambda asof: asof.hours_since_last("is_send"),
    ),
    _delay(None),
    _delay(30),
    _delay(90),
    Feature(
        name="last_reply_delay_hours",
        meaning="time that the contact took for its latest reply",
        unit="hours",
        null_means="the contact has not replied yet",
        group="answering",
        high="the latest reply took long",
        low="the latest reply came fast",
        reading=Reading(
            quantity=Duration(),
            high="took {} for the latest answer",
            low="gave the latest answer within {}",
            usual="most take {}",
        ),
        missing="has not replied yet",
        compute=lambda asof: asof.last_value("reply_seconds", "is_reply") / SECONDS_PER_HOUR,
    ),
    Feature(
        name="quick_reply_share_90d",
        meaning="share of the contact's replies in the last 90 days within one hour, smoothed",
        unit="share",
        maximum=1.0,
        null_means="the contact did not reply in the last 90 days, or not all was observed",
        group="answering",
        high="often replies within the hour",
        low="seldom replies within the hour",
        reading=Reading(
            quantity=Percent(),
            high="answers within the hour about {} of the time",
            usual="most about {}",
        ),
        compute=lambda asof: smoothed_share(
            asof.total("is_quick_reply", 90), asof.total("is_reply", 90)
        ),
    ),
    _our_delay(None),
    _our_delay(30),
    Feature(
        name="our_answered_share_90d",
        meaning="our replies per turn of the contact in the last 90 days, smoothed",
        unit="share",
        maximum=1.0,
        null_means=f"the contact did not write, or {NOT_OBSERVED}",
        group="our_answering",
        high="we answered almost always",
        low="we left messages without an answer",
        reading=Reading(
            quantity=Percent(),
            high="we answered about {} of the time",
            usual="usually about {}",
        ),
        compute=lambda asof: smoothed_share(
            asof.total("is_our_reply", 90), asof.total("starts_turn_in", 90)
        ),
    ),
)
"""Declared features of this family."""
