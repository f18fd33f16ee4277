"""How values read: zero and one, shares as counts, a silence beside the contact's own pauses."""

from __future__ import annotations

import math

from chatlift.learn.features.catalogue import all_features
from chatlift.learn.features.reading import Counted, Duration, OwnPace, Percent, Reading

WROTE = Reading(
    quantity=Counted("message", "messages"), high="wrote {} this week", usual="most wrote {}"
)


def test_zero_and_one_read_as_people_say_them() -> None:
    assert WROTE.of(12.0, 3.0) == "wrote 12 messages this week; most wrote 3"
    assert WROTE.of(1.0, 0.0) == "wrote 1 message this week; most wrote none"
    assert WROTE.of(0.0, 3.0) == "wrote no messages this week; most wrote 3"


def test_zero_may_have_a_sentence_of_its_own() -> None:
    active = Reading(
        quantity=Counted("day", "days"),
        high="wrote on {}",
        none="did not write",
        usual="most on {}",
    )
    assert active.of(0.0, 3.0) == "did not write; most on 3"


def test_a_smoothed_share_is_told_by_its_counts() -> None:
    """(3 + 1) / (4 + 2) is what 3 of 4 is smoothed to; nobody could check 67 %."""
    share = Reading(
        quantity=Percent(), high="answered {} messages", usual="most {}", whole="sends_count"
    )
    assert share.of(4 / 6, 0.5, 4.0) == "answered 3 of 4 messages; most about 50 %"
    assert share.of(4 / 6, 0.5, None) == "answered about 67 % of messages; most about 50 %"
    assert share.of(4 / 6, 0.5, math.nan) == "answered about 67 % of messages; most about 50 %"


def test_a_silence_stands_beside_the_contacts_own_pauses() -> None:
    pace = OwnPace(quantity=Duration(), high="silent for {}", usual="usually {}", whole="silence")
    assert pace.of(3.0, 1.2, 72.0) == "silent for 3 days; usually 24 hours"
    assert pace.of(0.5, 1.2, 36.0) == "silent for 36 hours; usually 3 days"
    assert pace.of(1.1, 1.2, 36.0) is None  # Longer than usual for it, shorter than for most.
    assert pace.of(3.0, 1.2, None) is None


def test_what_a_share_is_of_is_a_declared_feature() -> None:
    names = {feature.name for feature in all_features()}
    readings = [feature.reading for feature in all_features() if feature.reading]
    assert {reading.whole for reading in readings if reading.whole} <= names
