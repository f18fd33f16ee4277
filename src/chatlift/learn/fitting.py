"""One fit, whole: attribute types, text weights, trees or coefficients, calibration, threshold.

Everything is learned from the rows handed in. What a later step learns from an earlier one's
output is learned on output for rows that the earlier one had not seen (inner folds): the text
scores in the design matrix, the margins behind the calibration, the threshold, the number of
trees. So a fit may be judged on any row outside it, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.errors import NotReady
from chatlift.learn.anchoring import anchor_shift
from chatlift.learn.calibration import Calibrator, calibrate, log_odds_of, shifted
from chatlift.learn.estimators import Fitted, Matrix, Vector
from chatlift.learn.features.attributes import AttributeEncoder
from chatlift.learn.features.text import TextWeights, documents_of, learn_text_weights
from chatlift.learn.folds import Rows as RowNumbers
from chatlift.learn.folds import grouped_folds
from chatlift.learn.ladder import Candidate, Ladder, Rows, RuleInputs, WeightedSum, climb
from chatlift.learn.reason_evidence import ReasonEvidence, evidence_of, inner_fits
from chatlift.learn.snapshots import Snapshot, numbers_of
from chatlift.vocabulary import FactSubject, Rung

INNER_FOLDS = 5
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
    """The prescribed algorithm."""
    parameters: Mapping[str, float]
    seed: int
    features: tuple[str, ...] = ()
    """Names of the declared features to use, in order."""
    left_out: tuple[str, ...] = ()
    """Names of imported attributes not to look at, such as `lead.close_reason`."""
    rule: tuple[str, ...] = ()
    """Features and attributes that the simple rule looks at."""
    directions: Mapping[str, int] = field(default_factory=dict)
    """Features along which trees may only rise (+1) or only fall (-1)."""
    basis: Rung | None = Rung.FULL
    """The rung to fit; None: all are fitted and the inner folds choose. A fit names its own."""


@dataclass(frozen=True, kw_only=True)
class InnerRows:
    """The rows of a fit, and the fits without each of its inner folds."""

    fits: tuple[WeightedSum, ...]
    held_out: list[NDArray[np.bool_]]
    """Per fit a mask of the rows that it has not seen."""
    matrix: Matrix
    """The design, with text scores by fits that had not seen the row."""
    snapshot: Snapshot


@dataclass(frozen=True, kw_only=True)
class FittedModel:
    """A fit that can score any snapshot with the same declared features."""

    recipe: Recipe
    encoder: AttributeEncoder
    text: TextWeights | None
    """None where there was too little text to learn from."""
    estimator: WeightedSum
    """What the rung of the recipe is made of."""
    prescribed: Fitted
    """The prescribed algorithm, also where the rung makes no use of it."""
    calibrator: Calibrator
    anchor: float = 0.0
    """Shift of the calibrated log-odds to the newest outcomes."""
    threshold: float
    """Probability from which on the model would act."""
    medians: Vector
    """Median of each design column over the training rows; NaN where never known."""
    kept_evidence: ReasonEvidence | None = None
    """What may be told as a reason, where it was gathered already."""
    rounds: int = 0
    """Boosting rounds kept of the prescribed algorithm; 0 where it has none."""
    rungs: Mapping[Rung, FittedModel] = field(default_factory=dict, compare=False)
    """Every rung that was fitted on the same rows; empty in a model read from its files."""
    inner: InnerRows | None = field(default=None, compare=False, repr=False)
    """What evidence is gathered from; None in a model read from its files."""

    @cached_property
    def evidence(self) -> ReasonEvidence | None:
        """What may be told as a reason; None: the version was made before it was gathered.

        It is gathered when it is first asked for, since most fits are only judged.
        """
        if self.kept_evidence is not None or self.inner is None:
            return self.kept_evidence
        inner = self.inner
        return evidence_of(
            inner_fits(inner.fits, inner.matrix, inner.snapshot, inner.held_out),
            columns=self.columns,
            medians=self.medians,
        )

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the design columns, in order."""
        return (*self.recipe.features, *self.encoder.columns, *TEXT_COLUMNS)

    @property
    def basis(self) -> Rung:
        """The rung that was fitted."""
        return self.recipe.basis or Rung.FULL

    def design(self, snapshot: Snapshot) -> Matrix:
        """Return one row per example, one column per design column, NaN where unknown."""
        return design_matrix(
            snapshot, self.recipe.features, self.encoder, text_scores(self.text, snapshot)
        )

    def contributions(self, design: Matrix) -> Vector:
        """Return what each design column adds to the log-odds of the answer, one row per row.

        Without the base value. Where the calibration is a straight line in log-odds its slope is
        in it; a stepped one counts as slope 1.
        """
        slope = 1.0 if self.calibrator.knots else self.calibrator.slope
        return slope * self.estimator.contributions(design)[:, :-1]

    def margins(self, snapshot: Snapshot) -> Vector:
        """Return one margin per example."""
        return self.estimator.margins(self.design(snapshot))

    def probabilities(self, snapshot: Snapshot) -> Vector:
        """Return one calibrated, anchored probability per example."""
        return self.probabilities_of(self.design(snapshot))

    def probabilities_of(self, design: Matrix) -> Vector:
        """Return one calibrated, anchored probability per row of a design matrix."""
        return self.probabilities_from(self.estimator.margins(design))

    def probabilities_from(self, margins: Vector) -> Vector:
        """Return one calibrated, anchored probability per margin."""
        return shifted(self.calibrator.probabilities(margins), self.anchor)


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
    folds = grouped_folds(snapshot.contacts, snapshot.labels, folds=INNER_FOLDS, seed=recipe.seed)
    _need_both_outcomes(snapshot.labels, folds)
    attributes = _attributes_of_entities(snapshot).drop(recipe.left_out, strict=False)
    encoder = AttributeEncoder.learn(attributes, snapshot.contacts.tolist())
    text, unseen_text = _fit_text(snapshot, folds, recipe)
    matrix = design_matrix(snapshot, recipe.features, encoder, unseen_text)
    rows = Rows(
        matrix=matrix,
        labels=snapshot.labels,
        folds=folds,
        contacts=snapshot.contacts,
        inputs=RuleInputs.of(recipe.rule, (*recipe.features, *encoder.columns)),
        directions=_directions(recipe, encoder),
    )
    ladder = climb(rows, recipe.estimator, recipe.parameters, recipe.seed, only=recipe.basis)
    shared = _Shared(snapshot, recipe, encoder, text, ladder, rows, _medians(matrix))
    rungs = {rung: shared.model(candidate) for rung, candidate in ladder.candidates.items()}
    return replace(rungs[ladder.chosen], rungs=rungs)


def _attributes_of_entities(snapshot: Snapshot) -> pl.DataFrame:
    """Return the attributes that examples of this kind can have: contacts have none of leads."""
    if snapshot.examples.get_column("lead_id").count():
        return snapshot.attributes
    return snapshot.attributes.select(
        name for name in snapshot.attributes.columns if not name.startswith(f"{FactSubject.LEAD}.")
    )


def _directions(recipe: Recipe, encoder: AttributeEncoder) -> tuple[int, ...]:
    """Return one direction per design column; a higher text score always means more likely."""
    own = tuple(recipe.directions.get(name, 0) for name in recipe.features)
    return (*own, *(0 for _ in encoder.columns), *(1 for _ in TEXT_COLUMNS))


@dataclass(frozen=True)
class _Shared:
    """What all rungs of one fit have in common."""

    snapshot: Snapshot
    recipe: Recipe
    encoder: AttributeEncoder
    text: TextWeights | None
    ladder: Ladder
    rows: Rows
    medians: Vector

    def model(self, candidate: Candidate) -> FittedModel:
        """Calibrate and anchor a rung and find its threshold, on rows its members had not seen."""
        snapshot, labels = self.snapshot, self.snapshot.labels
        entities = len(np.unique(snapshot.entities))
        calibrator = calibrate(candidate.margins, labels, self.rows.folds, entities=entities)
        chances = calibrator.probabilities(candidate.margins)
        return FittedModel(
            recipe=replace(self.recipe, basis=candidate.rung),
            encoder=self.encoder,
            text=self.text,
            estimator=candidate.estimator,
            prescribed=self.ladder.prescribed,
            calibrator=calibrator,
            anchor=anchor_shift(
                log_odds_of(chances),
                labels,
                snapshot.begun,
                snapshot.entities,
                int(snapshot.decided.max()),
            ),
            threshold=best_f1_threshold(chances, labels),
            medians=self.medians,
            rounds=self.ladder.rounds,
            inner=InnerRows(
                fits=candidate.inner,
                held_out=self.rows.masks,
                matrix=self.rows.matrix,
                snapshot=snapshot,
            ),
        )


def _need_both_outcomes(labels: Vector, folds: RowNumbers) -> None:
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


def _fit_text(
    snapshot: Snapshot, folds: RowNumbers, recipe: Recipe
) -> tuple[TextWeights | None, Vector]:
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


def _documents(snapshot: Snapshot, rows: RowNumbers, recipe: Recipe) -> Any:
    """Return the text window of each named row as one document."""
    ends = snapshot.ends[rows]
    newest = int(recipe.parameters.get("text_messages", 0))
    starts = np.maximum(snapshot.starts[rows], ends - newest) if newest else snapshot.starts[rows]
    return documents_of(snapshot.tokens, starts, ends)


def _learn_text(documents: Any, labels: Vector, strength: float, seed: int) -> TextWeights | None:
    has_words = np.diff(documents.indptr) > 0  # A log without text has messages, and no words.
    if has_words.sum() < FEWEST_TEXT_ENTITIES or len(np.unique(labels)) < 2:
        return None
    return learn_text_weights(documents, labels, strength=strength, seed=seed)


def _newest_per_entity(snapshot: Snapshot, usable: NDArray[np.bool_]) -> RowNumbers:
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


def _masks(folds: RowNumbers) -> list[NDArray[np.bool_]]:
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
