"""Logistic regression on curves: exact contributions, equal bits, plain files, odd columns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chatlift.errors import Unavailable
from chatlift.learn.curves import lines_and_bends
from chatlift.learn.estimators import ESTIMATORS, FittedLogistic, Logistic, Matrix, Vector

NAMES = ("helps", "noise", "long tail", "yes or no", "constant", "never known", "both ends help")
HELPS, BOTH_ENDS = NAMES.index("helps"), NAMES.index("both ends help")


def example(rows: int = 400, seed: int = 3) -> tuple[Matrix, Vector]:
    """Columns as in `NAMES`; one value in ten is unknown."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(rows, len(NAMES)))
    odds = 2 * columns[:, HELPS] + 2 * (np.abs(columns[:, BOTH_ENDS]) - 0.8)
    columns[:, 2] = np.exp(6 * columns[:, 2])
    columns[:, 3] = columns[:, 3] > 1
    columns[:, 4] = 7.0
    columns[rng.random(columns.shape) < 0.1] = np.nan
    columns[:, 5] = np.nan
    labels = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    return columns.astype(np.float32), labels


@pytest.fixture(scope="module")
def fitted() -> FittedLogistic:
    return Logistic().fit(*example(), {}, 0)


def area(scores: NDArray[Any], labels: Vector) -> float:
    """The share of pairs of a one and a zero that the scores put in order."""
    ones, zeros = scores[labels == 1], scores[labels == 0]
    return float((ones[:, None] > zeros).mean())


def test_contributions_have_one_column_each_and_the_base_and_sum_to_margins(
    fitted: FittedLogistic,
) -> None:
    matrix, _ = example(seed=4)
    parts = fitted.contributions(matrix)
    assert parts.shape == (len(matrix), len(NAMES) + 1)
    assert np.isfinite(parts).all()
    assert np.allclose(parts.sum(axis=1), fitted.margins(matrix), rtol=0, atol=1e-12)
    assert (parts[:, -1] == fitted.intercept).all()


def test_what_helps_helps_on_rows_it_has_not_seen(fitted: FittedLogistic) -> None:
    matrix, labels = example(seed=4)
    assert area(fitted.margins(matrix), labels) > 0.75
    moved = np.abs(fitted.contributions(matrix)).mean(axis=0)
    assert set(np.argsort(-moved[:-1])[:2].tolist()) == {HELPS, BOTH_ENDS}


def test_without_a_bend_both_ends_cannot_help() -> None:
    matrix, labels = example(rows=2000)
    ends = matrix[:, [BOTH_ENDS]]
    bent, straight = (Logistic().fit(ends, labels, {"bend": b}, 0).margins(ends) for b in (0.3, 0))
    assert area(bent, labels) > area(straight, labels) + 0.1


def test_without_a_bend_a_curve_only_rises_or_only_falls() -> None:
    matrix, labels = example()
    levels = Logistic().fit(matrix, labels, {"bend": 0}, 0).curves.levels
    steps = np.diff(levels, axis=1)
    assert ((steps >= 0).all(axis=1) | (steps <= 0).all(axis=1)).all()


@pytest.mark.parametrize("place", [4, 5], ids=["constant", "never known"])
def test_a_column_that_says_nothing_moves_nothing(fitted: FittedLogistic, place: int) -> None:
    matrix, labels = example()
    matrix[:, 4] = 7.0
    fitted = Logistic().fit(matrix, labels, {}, 0)
    assert not fitted.contributions(matrix)[:, place].any()


def test_one_row_has_the_same_bits_as_in_a_batch(fitted: FittedLogistic) -> None:
    matrix, _ = example(rows=150, seed=5)
    together = fitted.margins(matrix)
    alone = [fitted.margins(matrix[row : row + 1])[0] for row in range(len(matrix))]
    assert together.tobytes() == np.array(alone).tobytes()
    assert together[::-1].tobytes() == fitted.margins(np.ascontiguousarray(matrix[::-1])).tobytes()


@settings(max_examples=40, deadline=None)
@given(
    value=st.one_of(st.floats(width=32), st.just(np.inf), st.just(-np.inf)),
    place=st.integers(0, len(NAMES) - 1),
)
def test_no_value_whatever_makes_a_margin_that_is_no_number(
    fitted: FittedLogistic, value: float, place: int
) -> None:
    matrix, _ = example(rows=1)
    matrix[0, place] = value
    assert np.isfinite(fitted.margins(matrix)).all()


def test_a_huge_value_in_training_spoils_no_other(fitted: FittedLogistic) -> None:
    matrix, labels = example()
    matrix[7, HELPS] = 3e38
    other, _ = example(seed=4)
    near = Logistic().fit(matrix, labels, {}, 0).margins(other)
    assert np.abs(near - fitted.margins(other)).max() < 0.25


def test_unknown_counts_by_itself() -> None:
    """The value is unknown in most rows of one outcome and in few of the other."""
    labels = np.repeat([0.0, 1.0], 200)
    matrix = np.random.default_rng(2).normal(size=(400, 1)).astype(np.float32)
    matrix[20:200] = np.nan
    matrix[390:] = np.nan
    fitted = Logistic().fit(matrix, labels, {"l2": 1.0}, 0)
    assert fitted.unknown[0] < -1
    assert fitted.margins(np.array([[np.nan]], dtype=np.float32))[0] < fitted.margins(matrix[:1])[0]


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_without_any_column_the_base_rate_is_the_answer(share: float) -> None:
    labels = (np.arange(200) < 200 * share).astype(np.float64)
    for matrix in (np.empty((200, 0), np.float32), np.full((200, 2), np.nan, np.float32)):
        margins = Logistic().fit(matrix, labels, {}, 0).margins(matrix)
        assert 1 / (1 + np.exp(-margins)) == pytest.approx(np.full(200, share))


@pytest.mark.parametrize("l2", [0.0001, 1.0, 10_000.0])
def test_any_allowed_penalty_fits_few_rows_without_a_warning(l2: float) -> None:
    matrix, labels = example(rows=40)
    margins = Logistic().fit(matrix, labels, {"l2": l2}, 0).margins(matrix)
    assert np.isfinite(margins).all()


def test_a_stronger_penalty_moves_less() -> None:
    matrix, labels = example()
    spreads = [Logistic().fit(matrix, labels, {"l2": l2}, 0).margins(matrix).std() for l2 in (1, 9)]
    assert spreads[0] > spreads[1]


def test_the_seed_changes_nothing() -> None:
    first, second = (Logistic().fit(*example(), {}, seed).dump() for seed in (0, 1))
    assert first == second


def test_what_was_dumped_loads_to_the_same_bits(fitted: FittedLogistic) -> None:
    matrix, _ = example(seed=4)
    again = Logistic().load(fitted.dump())
    assert again.margins(matrix).tobytes() == fitted.margins(matrix).tobytes()
    assert again.dump() == fitted.dump()


OLD: dict[str, Any] = {
    "kind": "logistic",
    "mean": [10.0, 0.0],
    "scale": [2.0, 1.0],
    "weights": [0.5, -1.0, 0.25, 0.0],
    "intercept": -0.5,
}
"""As versions wrote it that had a straight line per column."""


@pytest.mark.parametrize(
    ("row", "margin"),
    [
        ((10, 0), -0.5),
        ((14, 0), -0.5 + 0.5 * 2),
        ((8, 3), -0.5 - 0.5 - 3),
        ((np.nan, 0), -0.5 + 0.25),
        ((1000, 0), -0.5 + 0.5 * 5),
        ((10, -99), -0.5 + 5),
    ],
)
def test_an_older_artifact_answers_as_it_did(row: tuple[float, float], margin: float) -> None:
    loaded = Logistic().load(json.dumps(OLD).encode())
    assert loaded.margins(np.array([row], dtype=np.float32)) == pytest.approx([margin])


NEW: dict[str, Any] = {"knots": [[0, 1]], "levels": [[0, 1]], "unknown": [0], "intercept": 0}


@pytest.mark.parametrize(
    "content",
    [
        [],
        OLD | {"mean": [1.0]},
        OLD | {"weights": [1.0, 2.0, 3.0]},
        OLD | {"scale": [-1.0, 1.0]},
        OLD | {"intercept": None},
        NEW | {"levels": [[0]]},
        NEW | {"levels": [[0, "x"]]},
        NEW | {"knots": [[1, 0]]},
        NEW | {"knots": [[]], "levels": [[]]},
        NEW | {"knots": [[[0, 1]]], "levels": [[[0, 1]]]},
        NEW | {"unknown": [0, 0]},
        NEW | {"unknown": [float("nan")]},
        NEW | {"intercept": float("inf")},
    ],
)
def test_a_file_that_is_no_model_says_what_to_do(content: Any) -> None:
    with pytest.raises(Unavailable, match="roll back to the version before"):
        Logistic().load(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("xgboost_regression", {"trees": 20}),
        (
            "xgboost_forest",
            {"trees": 20, "max_depth": 4, "leaf_rows": 5, "column_share": 1.0, "row_share": 0.8},
        ),
    ],
)
def test_trees_that_are_held_to_a_direction_never_turn(
    name: str, parameters: dict[str, float]
) -> None:
    """The outcome rises with the column and falls again; a rising answer stays level then."""
    random = np.random.default_rng(0)
    column = random.uniform(-1, 1, 600)
    labels = (random.random(600) < 0.9 - 0.8 * np.abs(column)).astype(np.float64)
    matrix = column.reshape(-1, 1).astype(np.float32)
    grid = np.linspace(-1, 1, 50).reshape(-1, 1).astype(np.float32)
    free = ESTIMATORS[name].fit(matrix, labels, parameters, 0)
    held = ESTIMATORS[name].fit(matrix, labels, parameters, 0, directions=(1,))
    assert np.diff(free.margins(grid)).min() < 0
    assert np.diff(held.margins(grid)).min() >= -1e-6


def test_one_strong_column_among_many_weak_ones_is_held_less() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(6)
    matrix = rng.normal(size=(300, 40)).astype(np.float32)
    labels = (rng.random(300) < 1 / (1 + np.exp(-3.0 * matrix[:, 0]))).astype(np.float64)
    strong = Logistic().fit(matrix, labels, {}, 0)
    lines, bends = lines_and_bends(matrix)
    basis = np.hstack([lines.of(matrix), 0.3 * bends.of(matrix)])
    even = LogisticRegression(C=1 / Logistic.fallback["l2"]).fit(basis, labels)
    moved = strong.contributions(matrix)[:, 0].std()
    assert moved > 1.5 * (even.coef_[0, 0] * basis[:, 0]).std()
