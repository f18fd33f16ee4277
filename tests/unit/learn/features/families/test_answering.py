"""The share of sends answered near an hour: own sends, weighted by their distance on the dial."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tests.histories import at, history

from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.features.engine import compute_features
from chatlift.vocabulary import ModelName

NAME = "sends_answered_share_near_hour"
HOUR = 1 / 24


def shares(cutoffs: list[float], messages: list[tuple[int, str, float, str]]) -> list[float | None]:
    """Return the feature of contact 1 at each cutoff, in days."""
    examples = pl.DataFrame(
        {"contact_id": [1] * len(cutoffs), "cutoff": [at(c) for c in cutoffs]}
    ).with_columns(lead_id=pl.lit(None, dtype=pl.Int64))
    feature = [one for one in catalogue(ModelName.ENGAGEMENT) if one.name == NAME]
    told = history(contacts=[(1, 0.0), (2, 0.0)], messages=messages)
    return compute_features(told, examples, feature)[NAME].to_list()


def answered_mornings(weeks: int = 1) -> list[tuple[int, str, float, str]]:
    """Sends at 9:00, answered at once, and sends at 21:00, never answered; three days apart."""
    sent = []
    for week in range(weeks):
        sent.append((1, "out", 10 + 6 * week + 9 * HOUR, ""))
        sent.append((1, "in", 10 + 6 * week + 9 * HOUR + 0.01, ""))
        sent.append((1, "out", 13 + 6 * week + 21 * HOUR, ""))
    return sent


def weight(hours: float) -> float:
    return ((1 + np.cos(2 * np.pi * hours / 24)) / 2) ** 2


@pytest.mark.parametrize(("hour", "near", "far"), [(9, 0, 12), (21, 12, 0), (13, 4, 8), (3, 6, 6)])
def test_each_send_weighs_by_its_distance_and_two_imagined_ones_by_the_overall_rate(
    hour: int, near: int, far: int
) -> None:
    """Of two sends one was answered: overall (1 + 1) / (2 + 2) = 0.5, so 2 x 0.5 more answers."""
    [share] = shares([20 + hour * HOUR], answered_mornings())
    answered, missed = weight(near), weight(far)
    assert share == pytest.approx((answered + 1) / (answered + missed + 2), abs=2e-3)


def test_much_evidence_at_an_hour_outweighs_the_overall_rate() -> None:
    """Forty answered at 9:00 and forty not at 21:00, with a weight of next to 0 from there."""
    morning, evening = shares([260 + 9 * HOUR, 260 + 21 * HOUR], answered_mornings(40))
    assert morning == pytest.approx((40 + 1) / (40 + 2), abs=2e-3)
    assert evening == pytest.approx((0 + 1) / (40 + 2), abs=2e-3)


def test_before_the_first_send_it_is_unknown() -> None:
    assert shares([5.0], answered_mornings()) == [None]


def test_an_answer_counts_at_the_hour_of_its_send_and_from_its_own_instant_on() -> None:
    """Sent at 9:00 on day 10, answered at 21:00: until then the send counts as not answered."""
    sent, answered = 10 + 9 * HOUR, 10 + 21 * HOUR
    before, after = shares(
        [answered, 11 + 9 * HOUR], [(1, "out", sent, ""), (1, "in", answered, "")]
    )
    weighed = weight(12) + 2
    assert before == pytest.approx((0 + 2 / 3) / weighed, abs=2e-3)
    assert after == pytest.approx((1 + 2 * 2 / 3) / (1 + 2), abs=2e-3)


def test_other_contacts_change_nothing() -> None:
    own = answered_mornings()
    others = [(2, side, day, text) for _, side, day, text in answered_mornings(5)]
    assert shares([50.0], own) == shares([50.0], own + others)


def test_it_is_a_share_at_any_hour_of_any_send() -> None:
    rng = np.random.default_rng(0)
    sent = []
    for day in range(1, 120, 2):
        sent.append((1, "out", day + float(rng.uniform(0, 0.9)), ""))
        if rng.random() < 0.9:
            sent.append((1, "in", sent[-1][2] + 0.01, ""))
    found = shares([130 + hour * HOUR for hour in range(24)], sent)
    assert all(share is not None and 0 <= share <= 1 for share in found)
