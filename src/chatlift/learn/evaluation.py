"""How good is the recipe, honestly: nested out-of-fold figures, the temporal holdout, rivals.

Input: a snapshot of mature examples and a recipe. Output: an `Evaluation`. Every prediction
behind a figure comes from a fit that saw neither the row nor any other row of its contact (folds)
or any outcome decided after the first judged cutoff (holdout). What ships later is refitted on
all rows; its figures on them are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import count

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.learn.baselines import rule_probabilities
from chatlift.learn.fitting import Fit, FittedModel, Recipe, fit
from chatlift.learn.folds import Rows, Split, grouped_folds, temporal_split
from chatlift.learn.metrics import Figure, Judged, Vector, interval_of, measure, measure_difference
from chatlift.learn.snapshots import Snapshot
from chatlift.learn.specs.base import ModelSpec, Readiness
from chatlift.learn.threads import SideBySide, run_all
from chatlift.vocabulary import Progress, ReportProgress, no_progress

HOLDOUT_FROM_ENTITIES = 200
REPEATS_IF_SMALL = 3

REPORTED = (
    "mae",
    "r2",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "average_precision",
    "brier",
    "calibration_error",
    "lift_10",
    "lift_20",
    "base_rate",
    "mean_score_gap",
    "calibration_slope",
    "calibration_intercept",
)
RIVAL_REPORTED = ("mae", "r2", "accuracy", "f1", "roc_auc", "brier")


class Basis(StrEnum):
    """Which rows the leading figures were measured on."""

    OUT_OF_FOLD = "out_of_fold"
    HOLDOUT = "holdout"


BASIS_WORDS = {
    Basis.OUT_OF_FOLD: "out of fold over all mature examples (each predicted by fits that saw "
    "neither it nor its contact)",
    Basis.HOLDOUT: "on the newest examples, by a fit on what was decided before them",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person may choose about the evaluation."""

    test_size: float = 0.2
    cv_folds: int = 5
    seed: int = 0
    threads: int = 1
    """Fits side by side, each on one thread."""


@dataclass(frozen=True, kw_only=True)
class Rival:
    """Something simpler or other that was judged on the same rows."""

    name: str
    figures: dict[str, Figure]
    auc_gain: Figure
    """ROC AUC of the model less that of the rival, paired."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What the figures rest on."""

    entities: int
    examples: int
    contacts: int
    positive_entities: int
    training_entities: int
    """Entities of the judged fit (holdout), or of an average fold's training rows."""
    training_examples: int
    judged_entities: int
    purged: int
    """Examples left out because their horizon reached into the holdout."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions of rows by fits that had not seen them; one entry per row and repeat."""

    rows: Rows
    """Row of the snapshot."""
    repeat: Rows
    fold: Rows
    """-1: the temporal holdout."""
    probabilities: Vector
    thresholds: Vector

    def judged(self, snapshot: Snapshot) -> Judged:
        """Return these predictions beside their labels."""
        return Judged(
            snapshot.labels[self.rows],
            self.probabilities,
            (self.probabilities >= self.thresholds).astype(np.float64),
            snapshot.contacts[self.rows],
        )

    def where(self, mask: NDArray[np.bool_] | Rows) -> Predictions:
        """Return the chosen entries (mask or numbers)."""
        return Predictions(
            rows=self.rows[mask],
            repeat=self.repeat[mask],
            fold=self.fold[mask],
            probabilities=self.probabilities[mask],
            thresholds=self.thresholds[mask],
        )

    def by_repeat(self) -> list[Predictions]:
        """Return one set per repeat, each in the order of the snapshot."""
        found = []
        for number in np.unique(self.repeat):
            part = self.where(self.repeat == number)
            order = np.argsort(part.rows, kind="stable")
            found.append(part.where(order))
        return found


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was measured, on what."""

    basis: Basis
    figures: dict[str, Figure]
    """The leading figures: on leading rows of the basis."""
    out_of_fold: dict[str, Figure]
    holdout: dict[str, Figure] | None
    """None where the purge left too little to claim a temporal figure."""
    unseen_contacts: dict[str, Figure] | None
    """Holdout figures on contacts that had no earlier example."""
    by_age: dict[str, dict[str, Figure]]
    """Leads: figures by age in days; empty for other models."""
    rule: Rival
    reference: Rival
    brier_gain: Figure
    """Brier score of the base rate less the model's, paired."""
    counts: Counts
    predictions: Predictions
    """Out-of-fold entries, then holdout entries."""


def out_of_fold(
    snapshot: Snapshot,
    recipe: Recipe,
    options: Options,
    *,
    repeats: int,
    fit_with: Fit = fit,
    report: ReportProgress = no_progress,
) -> Predictions:
    """Predict every row by fits on the other folds, `repeats` times with other folds."""
    dealt = _dealt(snapshot, options, repeats)
    tasks = _fold_tasks(snapshot, recipe, dealt, fit_with, report)
    return join(run_all(tasks, options.threads))


def _dealt(snapshot: Snapshot, options: Options, repeats: int) -> list[Rows]:
    """Return for each repeat the fold of every row."""
    return [
        grouped_folds(
            snapshot.contacts,
            snapshot.labels,
            folds=options.cv_folds,
            seed=options.seed + 1000 * repeat,
        )
        for repeat in range(repeats)
    ]


def _fold_tasks(
    snapshot: Snapshot,
    recipe: Recipe,
    dealt: Sequence[Rows],
    fit_with: Fit,
    report: ReportProgress,
) -> list[Callable[[], Predictions]]:
    """Return one task per repeat and fold: fit on the others, predict the fold."""
    done = count(1)

    def judge(repeat: int, fold: int, folds: Rows) -> Predictions:
        inside = folds == fold
        fitted = fit_with(snapshot.take(~inside), _reseeded(recipe, repeat, fold))
        found = predictions_of(fitted, snapshot, np.flatnonzero(inside), repeat, fold)
        number, total = next(done), len(tasks)
        told = f"fold {number} of {total}"
        report(Progress(phase="folds", fraction=number / total, message=told))
        return found

    tasks: list[Callable[[], Predictions]] = [
        partial(judge, repeat, int(fold), folds)
        for repeat, folds in enumerate(dealt)
        for fold in np.unique(folds)
    ]
    return tasks


def _reseeded(recipe: Recipe, repeat: int, fold: int) -> Recipe:
    return replace(recipe, seed=recipe.seed + 1000 * repeat + fold)


def predictions_of(
    fitted: FittedModel, snapshot: Snapshot, rows: Rows, repeat: int, fold: int
) -> Predictions:
    """Predict the named rows with a fit that has not seen them."""
    return Predictions(
        rows=rows,
        repeat=np.full(len(rows), repeat),
        fold=np.full(len(rows), fold),
        probabilities=fitted.probabilities(snapshot.take(rows)),
        thresholds=np.full(len(rows), fitted.threshold),
    )


def join(parts: Sequence[Predictions]) -> Predictions:
    """Put predictions one after the other."""
    return Predictions(
        rows=np.concatenate([part.rows for part in parts]),
        repeat=np.concatenate([part.repeat for part in parts]),
        fold=np.concatenate([part.fold for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
        thresholds=np.concatenate([part.thresholds for part in parts]),
    )


def can_fit(snapshot: Snapshot, floors: Readiness) -> bool:
    """Tell whether these rows alone meet the floors."""
    entities, labels = snapshot.entities, snapshot.labels
    return (
        len(np.unique(entities)) >= floors.entities
        and len(snapshot) >= floors.examples
        and all(len(np.unique(entities[labels == label])) >= floors.per_class for label in (0, 1))
    )


@dataclass(frozen=True)
class _Judging:
    """The rows on which everything is compared, and the folds or split that made them."""

    basis: Basis
    parts: tuple[tuple[Rows, Rows], ...]
    """Pairs of training rows and judged rows."""


def evaluate(
    snapshot: Snapshot,
    spec: ModelSpec,
    recipe: Recipe,
    options: Options,
    floors: Readiness,
    beside: SideBySide,
    *,
    fit_with: Fit = fit,
    report: ReportProgress = no_progress,
) -> Evaluation:
    """Measure the recipe on rows it has not seen, beside its rivals.

    Parameters
    ----------
    snapshot
        Mature examples only; it meets the floors.
    beside
        Where the fits run, while the figures of those that are done are computed.
    fit_with
        The fit to be judged; the prescribed one by default.
    """
    split = temporal_split(snapshot.examples, test_size=options.test_size)
    has_holdout = can_fit(snapshot.take(split.train), floors) and len(split.judge) > 0
    judged_entities = len(np.unique(snapshot.entities[split.judge])) if has_holdout else 0
    decides_by_holdout = judged_entities >= HOLDOUT_FROM_ENTITIES
    dealt = _dealt(snapshot, options, 1 if decides_by_holdout else REPEATS_IF_SMALL)
    judging = _judging(split, dealt[0], decides_by_holdout)
    folds = beside.begin(_fold_tasks(snapshot, recipe, dealt, fit_with, report))
    holdouts = [partial(_holdout, snapshot, split, recipe, fit_with)] if has_holdout else []
    holdout = beside.begin(holdouts)
    other = beside.begin(_reference_tasks(snapshot, spec, recipe, judging))
    oof = join(folds())
    held = next(iter(holdout()), None)
    deciding = held if held is not None and decides_by_holdout else oof
    ours = _leading(deciding, snapshot)
    measured = measure(ours, REPORTED, seed=options.seed)
    return Evaluation(
        basis=judging.basis,
        figures=measured,
        out_of_fold=_figures(oof, snapshot, options, measured if deciding is oof else None),
        holdout=_holdout_figures(held, snapshot, options, measured if deciding is held else None),
        unseen_contacts=_unseen(held, snapshot, split, options),
        by_age=_by_age(deciding, snapshot, options),
        rule=_rule(snapshot, spec, judging, ours, options),
        brier_gain=_brier_gain(snapshot, judging, ours, options),
        counts=_counts(snapshot, split, judging),
        predictions=oof if held is None else join([oof, held]),
        reference=_compared(
            spec.reference_estimator, _leading(join(other()), snapshot)[0], ours, options
        ),
    )


def _holdout(snapshot: Snapshot, split: Split, recipe: Recipe, fit_with: Fit) -> Predictions:
    fitted = fit_with(snapshot.take(split.train), recipe)
    return predictions_of(fitted, snapshot, split.judge, 0, -1)


def _judging(split: Split, folds: Rows, decides_by_holdout: bool) -> _Judging:
    """Return the pairs of training and judged rows of the basis (first repeat)."""
    if decides_by_holdout:
        return _Judging(Basis.HOLDOUT, ((split.train, split.judge),))
    parts = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in np.unique(folds)]
    return _Judging(Basis.OUT_OF_FOLD, tuple(parts))


def _leading(predictions: Predictions, snapshot: Snapshot) -> list[Judged]:
    """One set of judged leading rows per repeat."""
    leading = predictions.where(snapshot.is_leading[predictions.rows])
    return [part.judged(snapshot) for part in leading.by_repeat()]


def _figures(
    predictions: Predictions,
    snapshot: Snapshot,
    options: Options,
    known: dict[str, Figure] | None = None,
) -> dict[str, Figure]:
    return known or measure(_leading(predictions, snapshot), REPORTED, seed=options.seed)


def _holdout_figures(
    held: Predictions | None,
    snapshot: Snapshot,
    options: Options,
    known: dict[str, Figure] | None,
) -> dict[str, Figure] | None:
    return _figures(held, snapshot, options, known) if held is not None else None


def _unseen(
    held: Predictions | None, snapshot: Snapshot, split: Split, options: Options
) -> dict[str, Figure] | None:
    if held is None:
        return None
    before = np.setdiff1d(np.arange(len(snapshot)), split.judge)
    is_new = ~np.isin(snapshot.contacts[held.rows], snapshot.contacts[before])
    judged = _leading(held.where(is_new), snapshot)
    return measure(judged, RIVAL_REPORTED, seed=options.seed) if judged else None


def _by_age(
    predictions: Predictions, snapshot: Snapshot, options: Options
) -> dict[str, dict[str, Figure]]:
    ages = snapshot.examples.get_column("age_days")
    found = {}
    for age in sorted(ages.drop_nulls().unique().to_list()):
        at_age = (ages == age).fill_null(value=False).to_numpy()
        rows = predictions.where(at_age[predictions.rows])
        judged = [part.judged(snapshot) for part in rows.by_repeat()]
        found[f"{age:g}"] = measure(judged, RIVAL_REPORTED, seed=options.seed)
    return found


def _rule(
    snapshot: Snapshot,
    spec: ModelSpec,
    judging: _Judging,
    ours: list[Judged],
    options: Options,
) -> Rival:
    def answer(train: Snapshot, judge: Snapshot) -> tuple[Vector, float]:
        return rule_probabilities(spec, train, judge), 0.5

    judged = _rival(snapshot, judging, answer)
    return _compared(spec.rule_words, judged, ours, options)


def _reference_tasks(
    snapshot: Snapshot, spec: ModelSpec, recipe: Recipe, judging: _Judging
) -> list[Callable[[], Predictions]]:
    strength = recipe.parameters.get("text_strength", 1.0)
    other = replace(
        recipe, estimator=spec.reference_estimator, parameters={"text_strength": strength}
    )

    def answer(train: Snapshot, judge: Snapshot) -> tuple[Vector, float]:
        fitted = fit(train, other)
        return fitted.probabilities(judge), fitted.threshold

    return _rival_tasks(snapshot, judging, answer)


Answer = Callable[[Snapshot, Snapshot], tuple[Vector, float]]
"""Learns from the first and gives probabilities of the second, and a threshold."""


def _rival(snapshot: Snapshot, judging: _Judging, answer: Answer) -> Judged:
    """Judge something else on the leading rows of the basis, learned on the same rows as ours."""
    parts = [task() for task in _rival_tasks(snapshot, judging, answer)]
    return _leading(join(parts), snapshot)[0]


def _rival_tasks(
    snapshot: Snapshot, judging: _Judging, answer: Answer
) -> list[Callable[[], Predictions]]:
    def judge(train: Rows, judged: Rows) -> Predictions:
        found, threshold = answer(snapshot.take(train), snapshot.take(judged))
        zeros = np.zeros(len(judged), dtype=np.int64)
        return Predictions(
            rows=judged,
            repeat=zeros,
            fold=zeros,
            probabilities=np.clip(found, 1e-4, 1 - 1e-4),
            thresholds=np.full(len(judged), threshold),
        )

    return [partial(judge, train, judged) for train, judged in judging.parts]


def _compared(name: str, judged: Judged, ours: list[Judged], options: Options) -> Rival:
    gain = measure_difference(ours, [judged], "roc_auc", seed=options.seed)
    return Rival(
        name=name,
        figures=measure([judged], RIVAL_REPORTED, seed=options.seed),
        auc_gain=interval_of(gain),
    )


def _brier_gain(
    snapshot: Snapshot, judging: _Judging, ours: list[Judged], options: Options
) -> Figure:
    def answer(train: Snapshot, judge: Snapshot) -> tuple[Vector, float]:
        return np.full(len(judge), train.labels.mean()), 0.5

    base = _rival(snapshot, judging, answer)
    return interval_of(measure_difference([base], ours, "brier", seed=options.seed))


def _counts(snapshot: Snapshot, split: Split, judging: _Judging) -> Counts:
    entities = snapshot.entities
    sizes = [
        (len(np.unique(entities[t])), len(t), len(np.unique(entities[j]))) for t, j in judging.parts
    ]
    training_entities, training_examples, _ = np.mean(sizes, axis=0)
    leading = snapshot.is_leading
    return Counts(
        entities=len(np.unique(entities)),
        examples=len(snapshot),
        contacts=len(np.unique(snapshot.contacts)),
        positive_entities=len(np.unique(entities[leading & (snapshot.labels == 1)])),
        training_entities=round(float(training_entities)),
        training_examples=round(float(training_examples)),
        judged_entities=int(np.sum([size[2] for size in sizes])),
        purged=split.purged,
    )


def evaluation_rows(snapshot: Snapshot, predictions: Predictions) -> pl.DataFrame:
    """Return one row per stored prediction: entity, contact, cutoff, fold, label, probability."""
    told = snapshot.examples.select("entity_id", "contact_id", "cutoff", "label", "is_leading")[
        predictions.rows
    ]
    return told.with_columns(
        repeat=pl.Series(predictions.repeat),
        fold=pl.Series(predictions.fold),
        probability=pl.Series(predictions.probabilities),
        threshold=pl.Series(predictions.thresholds),
    )
