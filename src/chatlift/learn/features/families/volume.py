"""Volume and trend: how much is written, and whether it grows or fades.

A trend compares the daily pace of a short window with that of a longer one around it. One message
is added to both sides, so that a contact with few messages stays near 1 rather than jumping.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chatlift.learn.arrays import Values
from chatlift.learn.features.asof import AsOf, Measure, ratio
from chatlift.learn.features.declare import Compute, Feature
from chatlift.learn.features.reading import Counted, Number, Percent, Reading

NOT_OBSERVED = "the window starts before the contact's source was observed"
WINDOWS_DAYS = (7, 30, 90)


def trend(measure: Measure, short_days: int, long_days: int) -> Compute:
    """Return (short + 1) / (long x short_days / long_days + 1): above 1 it grows."""

    def compute(asof: AsOf) -> Values:
        short, long = asof.total(measure, short_days), asof.total(measure, long_days)
        return (short + 1) / (long * short_days / long_days + 1)

    return compute


@dataclass(frozen=True, kw_only=True)
class CountWords:
    """What a count counts, and how it reads."""

    meaning: str
    unit: str
    """Of several."""
    high: str
    low: str
    fact: str
    """`wrote {}`; the window is added."""
    usual: str
    """`most wrote {}`."""
    none: str = ""
    """Of zero, such as `did not write`; empty: as `fact`."""
    counted: Counted | None = None
    """What a seller calls them; None: as the unit."""

    def reading(self, days: int | None) -> Reading:
        """Return how a count over a window reads."""
        window = "" if days is None else f" in the last {days} days"
        return Reading(
            quantity=self.counted or Counted(self.unit.removesuffix("s"), self.unit),
            high=f"{self.fact}{window}",
            none=f"{self.none}{window}" if self.none else "",
            usual=self.usual,
        )


def count(name: str, measure: Measure, days: int | None, words: CountWords, group: str) -> Feature:
    """Declare a count over a window; None: of all that is known."""
    meaning = words.meaning
    return Feature(
        name=name if days is None else f"{name}_{days}d",
        meaning=meaning if days is None else f"{meaning} in the last {days} days",
        unit=words.unit,
        null_means="never unknown" if days is None else NOT_OBSERVED,
        group=group,
        high=words.high,
        low=words.low,
        reading=words.reading(days),
        compute=lambda asof: asof.total(measure, days),
    )


RECEIVED = CountWords(
    meaning="messages from the contact",
    unit="messages",
    high="writes a lot",
    low="writes little",
    fact="wrote {}",
    usual="most wrote {}",
)
SENT = CountWords(
    meaning="messages to the contact",
    unit="messages",
    high="we write a lot",
    low="we write little",
    fact="we wrote {}",
    usual="usually {}",
)
ACTIVE = CountWords(
    meaning="days on which the contact wrote",
    unit="days",
    high="was in touch on many days",
    low="was in touch on few days",
    fact="wrote on {}",
    none="did not write",
    usual="most on {}",
)
TALKS = CountWords(
    meaning="conversations begun by either side after 24 hours without any message",
    unit="conversations",
    high="many separate conversations",
    low="few separate conversations",
    fact="had {} with us",
    none="had no conversation with us",
    usual="most had {}",
)
OPENED = CountWords(
    meaning="conversations begun by the contact after 24 hours without any message",
    unit="conversations",
    high="often writes first",
    low="seldom writes first",
    fact="began {}",
    none="began no conversation",
    usual="most began {}",
)


def _trend_feature(
    name: str, measure: Measure, spans: tuple[int, int], who: str, group: str = "trend"
) -> Feature:
    short, long = spans
    return Feature(
        name=f"{name}_trend_{short}d_{long}d",
        meaning=f"daily pace of {name.replace('_', ' ')}, last {short} against last {long} days",
        unit="times",
        maximum=float(long) / short * 10_000,
        null_means=NOT_OBSERVED,
        group=group,
        high=f"{who} more than before",
        low=f"{who} less than before",
        reading=Reading(
            quantity=Percent(),
            high=f"{who} in the last {short} days at about {{}} of the pace over {long} days",
            usual="usually about {}",
        ),
        compute=trend(measure, short, long),
    )


def _received_share(days: int | None) -> Compute:
    def compute(asof: AsOf) -> Values:
        received, sent = asof.total("is_in", days), asof.total("is_out", days)
        return ratio(received, received + sent)

    return compute


def _per_active_day(asof: AsOf) -> Values:
    days = asof.total("starts_active_day", 90)
    return np.where(days > 0, ratio(asof.total("is_in", 90), days), np.nan)


FEATURES = (
    *(count("messages_received_count", "is_in", days, RECEIVED, "volume") for days in WINDOWS_DAYS),
    count("messages_received_count", "is_in", None, RECEIVED, "volume"),
    *(count("messages_sent_count", "is_out", days, SENT, "our_volume") for days in WINDOWS_DAYS),
    count("messages_sent_count", "is_out", None, SENT, "our_volume"),
    *(
        count("active_days_count", "starts_active_day", days, ACTIVE, "volume")
        for days in WINDOWS_DAYS
    ),
    count("active_days_count", "starts_active_day", None, ACTIVE, "volume"),
    count("conversations_count", "starts_conversation", 30, TALKS, "volume"),
    count("conversations_count", "starts_conversation", 90, TALKS, "volume"),
    count("conversations_opened_count", "is_opening", 30, OPENED, "volume"),
    count("conversations_opened_count", "is_opening", 90, OPENED, "volume"),
    _trend_feature("messages_received", "is_in", (7, 30), "writes"),
    _trend_feature("messages_received", "is_in", (30, 90), "writes"),
    _trend_feature("active_days", "starts_active_day", (7, 30), "was in touch"),
    _trend_feature("active_days", "starts_active_day", (30, 90), "was in touch"),
    _trend_feature("messages_sent", "is_out", (30, 90), "we write", "our_volume"),
    Feature(
        name="received_share_30d",
        meaning="share of the messages either way that came from the contact, last 30 days",
        unit="share",
        maximum=1.0,
        null_means="no message in the last 30 days, or they were not all observed",
        group="volume",
        high="does most of the writing",
        low="leaves most of the writing to us",
        reading=Reading(
            quantity=Percent(),
            high="wrote {} of the messages of the last 30 days",
            usual="most {}",
        ),
        compute=_received_share(30),
    ),
    Feature(
        name="received_share",
        meaning="share of all messages either way that came from the contact",
        unit="share",
        maximum=1.0,
        null_means="there is no message yet",
        group="volume",
        high="does most of the writing",
        low="leaves most of the writing to us",
        reading=Reading(
            quantity=Percent(),
            high="wrote {} of all messages",
            usual="most {}",
        ),
        compute=_received_share(None),
    ),
    Feature(
        name="messages_received_per_active_day_90d",
        meaning="messages from the contact per day on which it wrote, last 90 days",
        unit="messages a day",
        null_means="no message from the contact in the last 90 days, or not all observed",
        group="volume",
        high="writes at length when in touch",
        low="writes briefly when in touch",
        reading=Reading(
            quantity=Number(),
            high="messages on a day in touch: {}",
            usual="most {}",
        ),
        compute=_per_active_day,
    ),
    Feature(
        name="automatic_sent_share_90d",
        meaning="share of our messages written by a rule or a bot, last 90 days",
        unit="share",
        maximum=1.0,
        null_means="we did not write in the last 90 days, or they were not all observed",
        group="our_volume",
        high="mostly hears from our automatic messages",
        low="mostly hears from a person",
        reading=Reading(
            quantity=Percent(),
            high="{} of our messages were automatic",
            usual="usually {}",
        ),
        compute=lambda asof: asof.share("is_automatic_out", "is_out", 90),
    ),
)
"""Declared features of this family."""
