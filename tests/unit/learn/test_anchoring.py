from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlift.learn.anchoring import (
    LARGEST_SHIFT,
    MICROSECONDS_A_YEAR,
    Vector,
    anchor_shift,
    mean_points_moved,
    walking_shifts,
)
from chatlift.learn.calibration import sigmoid

YEAR = int(MICROSECONDS_A_YEAR)
MONTH = YEAR // 12


def year_of(count: int, drift: float, seed: int) -> tuple[Vector, Vector, np.ndarray]:
    """Rows over a year whose log-odds drift by so much in it, against a model that knows only
    the mean of the year."""
    random = np.random.default_rng(seed)
    begun = np.sort(random.integers(0, YEAR, count))
    log_odds = random.normal(-0.5, 1, count)
    truth = log_odds + drift * (begun / YEAR - 0.5)
    return log_odds, (random.random(count) < sigmoid(truth)).astype(np.float64), begun


def test_a_base_rate_that_moves_is_followed_to_the_end() -> None:
    log_odds, labels, begun = year_of(20_000, 0.8, 0)
    shift = anchor_shift(log_odds, labels, begun, np.arange(20_000), YEAR)
    assert shift == pytest.approx(0.4, abs=0.12)  # Half of the year's drift lies after its middle.


def test_a_base_rate_that_stays_is_left_alone() -> None:
    log_odds, labels, begun = year_of(20_000, 0.0, 1)
    assert abs(anchor_shift(log_odds, labels, begun, np.arange(20_000), YEAR)) < 0.12


def test_few_outcomes_shift_little() -> None:
    begun = np.arange(4) * MONTH
    few = anchor_shift(np.zeros(4), np.ones(4), begun, np.arange(4), YEAR)
    many = anchor_shift(np.zeros(400), np.ones(400), begun.repeat(100), np.arange(400), YEAR)
    assert 0 < few < 0.5
    assert many == LARGEST_SHIFT


def test_an_entity_counts_once_however_many_rows_it_has() -> None:
    begun = np.zeros(40, dtype=np.int64)
    one = anchor_shift(np.zeros(40), np.ones(40), begun, np.zeros(40, dtype=np.int64), YEAR)
    single = anchor_shift(np.zeros(1), np.ones(1), begun[:1], begun[:1], YEAR)
    assert one == pytest.approx(single)


def test_a_shift_is_told_in_points_of_the_score() -> None:
    """From 0.2 and 0.5 a shift of log(4) leads to 0.5 and 0.8: 30 points each."""
    after = np.array([0.5, 0.8])
    assert mean_points_moved(after, float(np.log(4))) == pytest.approx(30)
    assert mean_points_moved(np.array([0.2, 0.5]), -float(np.log(4))) == pytest.approx(-30)
    assert mean_points_moved(np.empty(0), 1.0) == 0


def test_true_chances_are_left_alone_however_fast_outcomes_end() -> None:
    """Wins come early, losses late: an open lead's chance falls with its age, and is given so."""
    random = np.random.default_rng(3)
    count, ages = 6_000, np.array([1.0, 3.0, 7.0, 14.0, 21.0])
    is_won = random.random(count) < 0.3
    days = np.where(is_won, random.exponential(3, count), random.exponential(15, count))
    lead, age = np.nonzero(days[:, None] >= ages)
    won_yet, lost_yet = 0.3 * np.exp(-ages / 3), 0.7 * np.exp(-ages / 15)
    log_odds = np.log(won_yet / lost_yet)[age]
    begun = random.integers(0, YEAR, count)[lead]
    shift = anchor_shift(log_odds, is_won[lead].astype(np.float64), begun, lead, YEAR)
    assert abs(shift) < 0.2


def test_no_outcome_is_no_reason_to_shift() -> None:
    nothing = np.empty(0)
    whole = np.empty(0, dtype=np.int64)
    assert anchor_shift(nothing, nothing, whole, whole, YEAR) == 0


@given(seed=st.integers(0, 50), cut=st.integers(1, 11))
def test_no_shift_knows_what_was_decided_after_its_block_began(seed: int, cut: int) -> None:
    log_odds, labels, begun = year_of(200, 0.5, seed)
    decided, entities = begun + MONTH, np.arange(200)
    instant = cut * MONTH
    before = walking_shifts(log_odds, labels, begun, decided, entities)
    later = np.where(decided > instant, 1 - labels, labels)
    after = walking_shifts(log_odds, later, begun, decided, entities)
    assert np.array_equal(before[begun <= instant], after[begun <= instant])
