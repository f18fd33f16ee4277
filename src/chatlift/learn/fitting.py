"""One fit, whole: attribute types, text weights, trees or coefficients, calibration, threshold.

Everything is learned from the rows handed in. What a later step learns from an earlier one's
output is learned on output for rows that the earlier one had not seen (inner folds): the text
scores in the design matrix, the margins behind the calibration, the threshold, the number of
trees. So a fit may be judged on any row outside it, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.errors import NotReady
from chatlift.learn.calibration import Calibrator, calibrate
from chatlift.learn.estimators import (
    ESTIMATORS,
    Estimator,
    Fitted,
    Matrix,
    Vector,
    XGBoostRegression,
)
from chatlift.learn.features.attributes import AttributeEncoder
from chatlift.learn.features.text import TextWeights, documents_of, learn_text_weights
from chatlift.learn.folds import Rows, grouped_folds
from chatlift.learn.snapshots import Snapshot, numbers_of

INNER_FOLDS = 3
TEXT_COLUMNS = ("text_score_mean_30d", "text_score_mean_last_3")
"""Mean text score of the inbound messages of 30 days, and of the last three of them."""
LAST_MESSAGES = 3
EVERY_ROW = slice(None)
TEXT_UNIT = 1_000_000
"""Text scores are whole millionths of log-odds, so that sums do not depend on their order."""
FEWEST_TEXT_ENTITIES = 20
"""With fewer training entities that wrote any words, text is left out."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to fit: all that makes two fits on the same rows the same."""

    estimator: str
    parameters: Mapping[str, float]
    seed: int
    features: tuple[str, ...] = ()
    """Names of the declared features to use, in order."""
    left_out: tuple[str, ...] = ()
    """Names of imported attributes not to look at, such as `lead.close_reason`."""


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A fit that can score any snapshot with the same declared features."""

    recipe: Recipe
    encoder: AttributeEncoder
    text: TextWeights | None
    """None where there was too little text to learn from."""
    estimator: Fitted
    calibrator: Calibrator
    threshold: float
    """Probability from which on the model would act."""
    medians: Vector
    """Median of each design column over the training rows; NaN where never known."""
    rounds: int = 0
    """Boosting rounds kept; 0 where the algorithm has none."""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the design columns, in order."""
        return (*self.recipe.features, *self.encoder.columns, *TEXT_COLUMNS)

    def design(self, snapshot: Snapshot) -> Matrix:
        """Return one row per example, one column per design column, NaN where unknown."""
        return design_matrix(
            snapshot, self.recipe.features, self.encoder, text_scores(self.text, snapshot)
        )

    def margins(self, snapshot: Snapshot) -> Vector:
        """Return one margin per example."""
        return self.estimator.margins(self.design(snapshot))

    def probabilities(self, snapshot: Snapshot) -> Vector:
        """Return one calibrated probability per example."""
        return self.probabilities_of(self.design(snapshot))

    def probabilities_of(self, design: Matrix) -> Vector:
        """Return one calibrated probability per row of a design matrix."""
        return self.calibrator.probabilities(self.estimator.margins(design))


def text_scores(
    weights: TextWeights | None, snapshot: Snapshot, rows: NDArray[np.bool_] | slice = EVERY_ROW
) -> Vector:
    """Return one column per name in `TEXT_COLUMNS`; NaN where the window holds no message.

    Parameters
    ----------
    rows
        The examples to answer for, one row each.
    """
    starts, ends = snapshot.starts[rows], snapshot.ends[rows]
    if weights is None:
        return np.full((len(starts), len(TEXT_COLUMNS)), np.nan)
    newest = np.maximum(starts, ends - LAST_MESSAGES)
    windows = np.concatenate([starts, newest]), np.concatenate([ends, ends])
    means = weights.window_means(snapshot.tokens, *windows)
    return means.reshape(len(TEXT_COLUMNS), -1).T / TEXT_UNIT


def design_matrix(
    snapshot: Snapshot, features: tuple[str, ...], encoder: AttributeEncoder, text: Vector
) -> Matrix:
    """Put declared features, encoded attributes and the text score side by side."""
    cutoffs = snapshot.examples.get_column("cutoff")
    parts = [
        snapshot.columns_of(features),
        numbers_of(encoder.encode(snapshot.attributes, cutoffs)),
        text.astype(np.float32),
    ]
    return np.ascontiguousarray(np.hstack(parts))


def fit(snapshot: Snapshot, recipe: Recipe) -> FittedModel:
    """Fit the recipe on all rows of the snapshot; each needs a label.

    Raises
    ------
    NotReady
        If an outcome is too rare for every inner fold to leave some of it to the others.
    """
    labels = snapshot.labels
    folds = grouped_folds(snapshot.contacts, labels, folds=INNER_FOLDS, seed=recipe.seed)
    _need_both_outcomes(labels, folds)
    attributes = snapshot.attributes.drop(recipe.left_out, strict=False)
    encoder = AttributeEncoder.learn(attributes, snapshot.contacts.tolist())
    text, unseen_text = _fit_text(snapshot, folds, recipe)
    matrix = design_matrix(snapshot, recipe.features, encoder, unseen_text)
    estimator = ESTIMATORS[recipe.estimator]
    inner = _inner_margins(estimator, matrix, labels, folds, recipe)
    calibrator = calibrate(inner.margins, labels, folds, entities=len(np.unique(snapshot.entities)))
    parameters = dict(recipe.parameters) | ({"trees": inner.rounds} if inner.rounds else {})
    return FittedModel(
        recipe=recipe,
        encoder=encoder,
        text=text,
        estimator=estimator.fit(matrix, labels, parameters, recipe.seed),
        calibrator=calibrator,
        threshold=best_f1_threshold(calibrator.probabilities(inner.margins), labels),
        medians=_medians(matrix),
        rounds=inner.rounds,
    )


def _need_both_outcomes(labels: Vector, folds: Rows) -> None:
    if any(len(np.unique(labels[~inside])) < 2 for inside in _masks(folds)):
        rarer = int(min(labels.sum(), (1 - labels).sum()))
        raise NotReady(
            f"The rarer outcome is that of {rarer} of {len(labels)} examples of a fit, and comes "
            "from too few contacts to be judged on contacts that a fit has not seen. Import more "
            "history, or wait and train again."
        )


def _medians(matrix: Matrix) -> Vector:
    """Return the median of each column over its known values; NaN where none is.

    Examples
    --------
    >>> _medians(np.array([[1, 4, np.nan], [2, np.nan, np.nan], [9, 8, np.nan]])).tolist()
    [2.0, 6.0, nan]
    """
    if not len(matrix):
        return np.full(matrix.shape[1], np.nan)
    ranked = np.sort(matrix, axis=0)  # Unknown values, which are NaN, come last.
    count = (~np.isnan(matrix)).sum(axis=0)
    columns = np.arange(matrix.shape[1])
    lower, upper = ranked[np.maximum(count - 1, 0) // 2, columns], ranked[count // 2, columns]
    return np.where(count > 0, np.mean([lower, upper], axis=0, dtype=np.float64), np.nan)


def _fit_text(snapshot: Snapshot, folds: Rows, recipe: Recipe) -> tuple[TextWeights | None, Vector]:
    """Return the weights from all rows, and for each row the score by the other folds."""
    unseen = text_scores(None, snapshot)
    strength = recipe.parameters.get("text_strength", 1.0)
    if strength == 0:
        return None, unseen
    rows = _newest_per_entity(snapshot, snapshot.ends > snapshot.starts)
    documents = _documents(snapshot, rows, recipe)
    weights = _learn_text(documents, snapshot.labels[rows], strength, recipe.seed)
    if weights is None:
        return None, unseen
    for fold in range(INNER_FOLDS):
        inside, others = folds == fold, folds[rows] != fold
        learned = _learn_text(
            documents[others], snapshot.labels[rows[others]], strength, recipe.seed
        )
        unseen[inside] = text_scores(learned, snapshot, inside)
    return weights, unseen


def _documents(snapshot: Snapshot, rows: Rows, recipe: Recipe) -> Any:
    """Return the text window of each named row as one document."""
    ends = snapshot.ends[rows]
    newest = int(recipe.parameters.get("text_messages", 0))
    starts = np.maximum(snapshot.starts[rows], ends - newest) if newest else snapshot.starts[rows]
    return documents_of(snapshot.tokens, starts, ends)


def _learn_text(documents: Any, labels: Vector, strength: float, seed: int) -> TextWeights | None:
    if len(labels) < FEWEST_TEXT_ENTITIES or len(np.unique(labels)) < 2:
        return None
    return learn_text_weights(documents, labels, strength=strength, seed=seed)


def _newest_per_entity(snapshot: Snapshot, usable: NDArray[np.bool_]) -> Rows:
    """Return one row per entity and label: its newest usable one.

    Folds keep an entity together, so a fold's newest rows are these as well.
    """
    rows = snapshot.examples.select("entity_id", "label", "cutoff").with_row_index("row")
    newest = (
        rows.filter(pl.Series(usable))
        .group_by("entity_id", "label")
        .agg(pl.col("row").sort_by("cutoff").last())
    )
    return newest.get_column("row").sort().to_numpy().astype(np.int64)


@dataclass(frozen=True)
class _Inner:
    margins: Vector
    rounds: int


def _inner_margins(
    estimator: Estimator, matrix: Matrix, labels: Vector, folds: Rows, recipe: Recipe
) -> _Inner:
    """Return for each row the margin by a fit on the other inner folds."""
    if isinstance(estimator, XGBoostRegression):
        return _boosted_inner_margins(estimator, matrix, labels, folds, recipe)
    margins = np.zeros(len(labels))
    for inside in _masks(folds):
        fitted = estimator.fit(matrix[~inside], labels[~inside], recipe.parameters, recipe.seed)
        margins[inside] = fitted.margins(matrix[inside])
    return _Inner(margins, 0)


def _boosted_inner_margins(
    estimator: XGBoostRegression, matrix: Matrix, labels: Vector, folds: Rows, recipe: Recipe
) -> _Inner:
    """Do the same for boosting; the folds also choose how many rounds are worth keeping."""
    masks = _masks(folds)
    fitted, rounds = estimator.side_by_side(
        [(matrix[~inside], labels[~inside]) for inside in masks],
        [(matrix[inside], labels[inside]) for inside in masks],
        recipe.parameters,
        recipe.seed,
    )
    margins = np.zeros(len(labels))
    for inside, one in zip(masks, fitted, strict=True):
        margins[inside] = one.margins(matrix[inside], rounds)
    return _Inner(margins, rounds)


def _masks(folds: Rows) -> list[NDArray[np.bool_]]:
    return [folds == fold for fold in np.unique(folds)]


def best_f1_threshold(probabilities: Vector, labels: Vector) -> float:
    """Return the probability from which on acting gives the highest F1.

    Half-way between the two neighbours at the best cut, so that it does not sit on a row.

    Examples
    --------
    >>> round(best_f1_threshold(np.array([0.1, 0.4, 0.8]), np.array([0.0, 1.0, 1.0])), 6)
    0.25
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(labels) + 1) + labels.sum())
    is_cut = np.r_[ranked[1:] != ranked[:-1], True]
    best = int(np.argmax(np.where(is_cut, f1, -1.0)))
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)


Fit = Callable[[Snapshot, Recipe], FittedModel]
"""What evaluation calls; a test may hand in a fit that cheats and see it caught."""
