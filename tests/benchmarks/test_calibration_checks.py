from __future__ import annotations

import numpy as np
import pytest
from benchmarks.calibration_checks import (
    BASE_RATES,
    SPREAD,
    TRUE_GAP,
    Case,
    Refused,
    Rows,
    contacts_of,
    failed_checks,
    gap_shift,
    intercept_for,
    outcomes_of,
    summary_rows,
)

from chatlift.learn.calibration import sigmoid


@pytest.mark.parametrize("rate", BASE_RATES)
def test_the_two_models_are_right_and_wrong_by_the_gap(rate: float) -> None:
    log_odds = intercept_for(rate) + SPREAD * np.random.default_rng(0).normal(size=200_000)
    # One chance spreads by at most 0.25, so the mean of 200,000 by 0.0006.
    assert sigmoid(log_odds).mean() == pytest.approx(rate, abs=0.003)
    gap = sigmoid(log_odds + gap_shift(rate)).mean() - sigmoid(log_odds).mean()
    assert abs(gap) == pytest.approx(TRUE_GAP, abs=0.003)


def test_rows_of_one_contact_have_outcomes_alike_and_the_chances_that_they_should() -> None:
    contacts = contacts_of(Rows.CLUSTERED, 50_000)
    chances = np.full(50_000, 0.3)
    labels = outcomes_of(chances, contacts, np.random.default_rng(1))
    assert labels.mean() == pytest.approx(0.3, abs=0.01)
    # Of five rows alone the mean varies by 0.3 x 0.7 / 5; of three in ten contacts by 0.3 x 0.7.
    expected = 0.21 * (0.7 / 5 + 0.3)
    assert labels.reshape(-1, 5).mean(axis=1).var() == pytest.approx(expected, rel=0.05)


def test_a_gap_is_named_by_the_check_that_sees_it() -> None:
    chances = np.full(2_000, 0.3)
    labels = (np.arange(2_000) % 10 < 3).astype(np.float64)
    contacts = contacts_of(Rows.ALONE, 2_000)
    assert failed_checks(labels, chances, contacts, 0) == []
    assert "mean_score_is_base_rate" in failed_checks(labels, chances + 0.15, contacts, 0)


def test_the_summary_adds_up_base_rates_by_kind_and_count() -> None:
    found = [
        Refused(
            case=Case(rows=Rows.ALONE, count=count, base_rate=rate, first=0, samples=50),
            perfect=1,
            perfect_by=("calibration_error",),
            with_gap=45,
        )
        for count in (100, 200)
        for rate in (0.1, 0.3)
    ]
    rows = summary_rows(found)
    assert [row[:2] for row in rows] == [["alone", 100], ["alone", 200], ["all", "-"]]
    assert str(rows[0][2]).startswith("2 of 100")
    assert str(rows[2][3]).startswith("180 of 200")
