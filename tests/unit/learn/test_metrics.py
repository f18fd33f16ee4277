from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlift.learn.metrics import (
    METRICS,
    Figure,
    Judged,
    measure,
    measure_calibration,
    resample,
)


def judged(labels: list[int], probabilities: list[float], threshold: float = 0.5) -> Judged:
    chances = np.array(probabilities)
    return Judged(
        np.array(labels, dtype=float),
        chances,
        (chances >= threshold).astype(float),
        np.arange(len(labels)),
    )


def value(name: str, rows: Judged) -> float:
    return float(METRICS[name](rows, np.ones((1, len(rows))))[0])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.7, 0.9])),
        min_size=4,
        max_size=60,
    ).filter(lambda rows: len({label for label, _ in rows}) == 2)
)
def test_figures_agree_with_scikit_learn_ties_included(rows: list[tuple[int, float]]) -> None:
    from sklearn import metrics as theirs

    labels, chances = [list(part) for part in zip(*rows, strict=True)]
    ours = judged(labels, chances)  # type: ignore[arg-type]
    acted = ours.decisions
    expected = {
        "roc_auc": theirs.roc_auc_score(labels, chances),
        "average_precision": theirs.average_precision_score(labels, chances),
        "brier": theirs.brier_score_loss(labels, chances),
        "r2": theirs.r2_score(labels, chances),
        "mae": 100 * theirs.mean_absolute_error(labels, chances),
        "accuracy": theirs.accuracy_score(labels, acted),
        "precision": theirs.precision_score(labels, acted, zero_division=0),
        "recall": theirs.recall_score(labels, acted, zero_division=0),
        "f1": theirs.f1_score(labels, acted, zero_division=0),
    }
    for name, right in expected.items():
        assert value(name, ours) == pytest.approx(right, abs=1e-9), name


def test_a_weight_of_two_is_the_same_as_a_row_twice() -> None:
    rows = judged([0, 1, 1], [0.2, 0.4, 0.9])
    twice = judged([0, 1, 1, 1], [0.2, 0.4, 0.9, 0.9])
    for name in ("roc_auc", "average_precision", "brier", "lift_20", "f1"):
        weighted = METRICS[name](rows, np.array([[1.0, 1.0, 2.0]]))[0]
        assert weighted == pytest.approx(value(name, twice)), name


def test_lift_is_the_rate_at_the_top_over_the_base_rate() -> None:
    rows = judged(
        [1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1]
    )
    # Both of the top 20 % are ones against 20 % overall: 1.0 / 0.2.
    assert value("lift_20", rows) == pytest.approx(5.0)


def test_a_perfectly_calibrated_line_has_slope_one_and_intercept_zero() -> None:
    rng = np.random.default_rng(3)
    chances = rng.uniform(0.05, 0.95, 20_000)
    labels = (rng.random(20_000) < chances).astype(int)
    rows = judged(labels.tolist(), chances.tolist())
    assert value("calibration_slope", rows) == pytest.approx(1.0, abs=0.05)
    assert value("calibration_intercept", rows) == pytest.approx(0.0, abs=0.05)


def test_contacts_are_resampled_as_a_whole() -> None:
    weights = resample(np.array([7, 7, 7, 9]), seed=0)
    assert (weights[:, 0] == weights[:, 1]).all()
    # Two contacts drawn twice: the weights of one row of each always add up to two.
    assert (weights[1:, 0] + weights[1:, 3] == 2).all()


def test_an_interval_covers_the_truth_about_19_times_in_20() -> None:
    rng = np.random.default_rng(11)
    inside = 0
    for seed in range(200):
        labels = (rng.random(150) < 0.3).astype(int)
        rows = judged(labels.tolist(), [0.3] * 150)
        figure = measure([rows], ["base_rate"], seed=seed)["base_rate"]
        assert figure.low is not None
        assert figure.high is not None
        inside += figure.low <= 0.3 <= figure.high
    # 200 x 0.95 = 190; four spreads of sqrt(200 x .95 x .05) = 3.1 below are 177.
    assert inside >= 177


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 1), st.floats(0.01, 0.99), st.integers(1, 5)),
        min_size=1,
        max_size=40,
    ),
    repeats=st.integers(1, 2),
    seed=st.integers(0, 3),
)
def test_every_interval_holds_its_own_value(
    rows: list[tuple[int, float, int]], repeats: int, seed: int
) -> None:
    labels, chances, contacts = (np.array(part) for part in zip(*rows, strict=True))
    told = [
        Judged(labels.astype(float), given, (given >= 0.5).astype(float), contacts)
        for given in (chances, chances[::-1])
    ]
    for name, figure in measure(told[:repeats], list(METRICS), seed=seed).items():
        if figure.low is not None:
            assert figure.value is not None
            assert figure.high is not None
            assert figure.low <= figure.value <= figure.high, name


def calibration_truths_held(gap: float, times: int = 60) -> int:
    rng = np.random.default_rng(5)
    held = 0
    for seed in range(times):
        chances = rng.uniform(0.05, 0.85, 400)
        labels = (rng.random(400) < chances + gap).astype(int)
        rows = judged(labels.tolist(), chances.tolist())
        figure = measure([rows], ["calibration_error"], seed=seed)["calibration_error"]
        assert figure.low is not None
        assert figure.high is not None
        held += figure.low <= gap <= figure.high
    return held


@pytest.mark.parametrize(("gap", "least"), [(0.0, 40), (0.05, 50), (0.1, 50)])
def test_the_calibration_errors_interval_knows_that_noise_widens_gaps(
    gap: float, least: int
) -> None:
    """Plain quantiles hold a true error of 0 in none of 60 samples."""
    assert calibration_truths_held(gap) >= least


def test_no_rows_give_no_figures() -> None:
    assert measure([], ["mae"], seed=0) == {"mae": Figure(None)}


def test_a_calibration_error_of_few_rows_has_no_lower_end() -> None:
    """Half of the rows are positive and all are given 0.9, which is off by 0.4."""

    def error_of(count: int) -> Figure:
        labels = (np.arange(count) % 2).astype(np.float64)
        judged = Judged(labels, np.full(count, 0.9), np.zeros(count), np.arange(count))
        return measure_calibration([judged], ["calibration_error"], 0)["calibration_error"]

    few, many = error_of(100), error_of(400)
    assert few.low == 0.0
    assert many.low is not None
    assert many.low > 0.2
    assert few.value == pytest.approx(0.4, abs=0.05)
