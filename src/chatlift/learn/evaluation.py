"""How good is the recipe, honestly: nested out-of-fold figures, the temporal holdout, rivals.

Input: a snapshot of mature examples and a recipe. Output: an `Evaluation`. Every prediction
behind a figure comes from a fit that saw neither the row nor any other row of its contact (folds)
or any outcome decided after the first judged cutoff (holdout). What ships later is refitted on
all rows; its figures on them are never shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import count

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.learn.anchoring import anchor_shift, walking_shifts
from chatlift.learn.calibration import log_odds_of, shifted
from chatlift.learn.fitting import Fit, FittedModel, Recipe, fit
from chatlift.learn.folds import Rows as RowNumbers
from chatlift.learn.folds import Split, grouped_folds, temporal_split
from chatlift.learn.metrics import (
    Figure,
    Judged,
    Vector,
    interval_of,
    measure,
    measure_calibration,
    measure_difference,
)
from chatlift.learn.snapshots import Snapshot
from chatlift.learn.specs.base import ModelSpec, Readiness
from chatlift.learn.threads import SideBySide, run_all
from chatlift.vocabulary import Progress, ReportProgress, Rung, no_progress

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
    "log_loss",
)
RIVAL_REPORTED = ("mae", "r2", "accuracy", "f1", "roc_auc", "brier", "log_loss")
CALIBRATION_REPORTED = ("mean_score_gap", "calibration_slope", "calibration_error")
CALIBRATION_LEVEL = 0.99
"""Of the intervals that may refuse a version; three of them together err at most once in 33."""
ONE_SIDED_LEVEL = 0.90
"""Central share of an interval whose lower end is exceeded with 95 %."""
LEAST_TRAINING_SHARE = 0.5
"""A judged fit on less of the examples says too little of what ships; folds decide then."""


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
    """Entities with a leading row among the judged ones: the figures are theirs."""
    purged: int
    """Examples left out because their horizon reached into the holdout."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions of rows by fits that had not seen them; one entry per row and repeat."""

    rows: RowNumbers
    """Row of the snapshot."""
    repeat: RowNumbers
    fold: RowNumbers
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

    def where(self, mask: NDArray[np.bool_] | RowNumbers) -> Predictions:
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
    """The simple rule."""
    reference: Rival
    prescribed: Rival
    """The prescribed algorithm, whatever rung was chosen."""
    rungs: Mapping[Rung, Rival]
    """Every rung, judged on the same rows; `auc_gain` is that of the chosen over it."""
    chosen_rungs: Mapping[Rung, int]
    """How many of the judged fits chose each rung."""
    calibration: Mapping[str, Figure]
    """Mean gap, slope and error of calibration, with the 99 % intervals that the gate reads."""
    brier_gain: Figure
    """Brier score of the base rate less the model's, paired; the interval is of 90 %, so that
    its lower end is exceeded with 95 %."""
    rule_brier_gain: Figure
    """Brier score of the simple rule less the model's, in the same way."""
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
    """Predict every row by fits on the other folds, `repeats` times with other folds.

    The probabilities are anchored walking forward: see `learn.anchoring`.
    """
    dealt = _dealt(snapshot, options, repeats)
    tasks = _fold_tasks(snapshot, recipe, dealt, fit_with, report)
    return _walked([judged.chosen for judged in run_all(tasks, options.threads)], snapshot)


def _walked(parts: Sequence[Predictions], snapshot: Snapshot) -> Predictions:
    """Join out-of-fold predictions, each anchored to what was decided before its block of time."""
    repeats = join(parts).by_repeat()
    return join([_anchored(repeat, snapshot) for repeat in repeats])


def _anchored(predictions: Predictions, snapshot: Snapshot) -> Predictions:
    rows = predictions.rows
    shifts = walking_shifts(
        log_odds_of(predictions.probabilities),
        snapshot.labels[rows],
        snapshot.begun[rows],
        snapshot.decided[rows],
        snapshot.entities[rows],
    )
    return replace(predictions, probabilities=shifted(predictions.probabilities, shifts))


def _dealt(snapshot: Snapshot, options: Options, repeats: int) -> list[RowNumbers]:
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


@dataclass(frozen=True, kw_only=True)
class _JudgedFit:
    """What one fit says of the rows it had not seen."""

    chosen: Predictions
    """By the rung that the fit chose."""
    rungs: Mapping[Rung, Predictions]
    """By every rung that was fitted."""
    rung: Rung


def _judged_fit(
    fitted: FittedModel,
    snapshot: Snapshot,
    rows: RowNumbers,
    repeat: int,
    fold: int,
    *,
    is_anchored: bool,
) -> _JudgedFit:
    unseen = snapshot.take(rows)
    design = fitted.design(unseen)

    def predictions(model: FittedModel) -> Predictions:
        margins = model.estimator.margins(design)
        probabilities = (
            model.probabilities_from(margins)
            if is_anchored
            else model.calibrator.probabilities(margins)
        )
        return Predictions(
            rows=rows,
            repeat=np.full(len(rows), repeat),
            fold=np.full(len(rows), fold),
            probabilities=probabilities,
            thresholds=np.full(len(rows), model.threshold),
        )

    return _JudgedFit(
        chosen=predictions(fitted),
        rungs={rung: predictions(model) for rung, model in fitted.rungs.items()},
        rung=fitted.basis,
    )


def _fold_tasks(
    snapshot: Snapshot,
    recipe: Recipe,
    dealt: Sequence[RowNumbers],
    fit_with: Fit,
    report: ReportProgress,
) -> list[Callable[[], _JudgedFit]]:
    """Return one task per repeat and fold: fit on the others, predict the fold."""
    done = count(1)

    def judge(repeat: int, fold: int, folds: RowNumbers) -> _JudgedFit:
        inside = folds == fold
        fitted = fit_with(snapshot.take(~inside), _reseeded(recipe, repeat, fold))
        judged = _judged_fit(
            fitted, snapshot, np.flatnonzero(inside), repeat, fold, is_anchored=False
        )
        number, total = next(done), len(tasks)
        message = f"fold {number} of {total}"
        report(Progress(phase="folds", fraction=number / total, message=message))
        return judged

    tasks: list[Callable[[], _JudgedFit]] = [
        partial(judge, repeat, int(fold), folds)
        for repeat, folds in enumerate(dealt)
        for fold in np.unique(folds)
    ]
    return tasks


def _reseeded(recipe: Recipe, repeat: int, fold: int) -> Recipe:
    return replace(recipe, seed=recipe.seed + 1000 * repeat + fold)


def predictions_of(
    fitted: FittedModel, snapshot: Snapshot, rows: RowNumbers, repeat: int, fold: int
) -> Predictions:
    """Predict the named rows with a fit that has not seen them."""
    return _judged_fit(fitted, snapshot, rows, repeat, fold, is_anchored=True).chosen


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
    parts: tuple[tuple[RowNumbers, RowNumbers], ...]
    """Pairs of training rows and judged rows."""


# Long because what is measured is named figure by figure.
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
    decides_by_holdout = has_holdout and _holdout_decides(snapshot, split)
    dealt = _dealt(snapshot, options, 1 if decides_by_holdout else REPEATS_IF_SMALL)
    judging = _judging(split, dealt[0], decides_by_holdout)
    folds = beside.begin(_fold_tasks(snapshot, recipe, dealt, fit_with, report))
    holdouts = [partial(_holdout, snapshot, split, recipe, fit_with)] if has_holdout else []
    holdout = beside.begin(holdouts)
    other = beside.begin(_reference_tasks(snapshot, spec, recipe, judging))
    fits = folds()
    oof = _walked([judged.chosen for judged in fits], snapshot)
    held_fit = next(iter(holdout()), None)
    held = held_fit.chosen if held_fit is not None else None
    deciding_fits = [held_fit] if decides_by_holdout and held_fit is not None else fits
    deciding = held if decides_by_holdout and held is not None else oof
    ours = _leading(deciding, snapshot)
    measured = measure(ours, REPORTED, seed=options.seed)
    bases = _base_rates(snapshot, judging)
    base = bases[0]
    by_rung = _judged_rungs(deciding_fits, snapshot, judging)
    rungs = _rung_rivals(by_rung, spec, ours, options)
    reference = _first_repeat(other(), snapshot, judging)
    return Evaluation(
        basis=judging.basis,
        figures=measured,
        out_of_fold=_figures(oof, snapshot, options, measured if deciding is oof else None),
        holdout=_holdout_figures(held, snapshot, options, measured if deciding is held else None),
        unseen_contacts=_unseen(held, snapshot, split, options),
        by_age=_by_age(deciding, snapshot, options),
        rule=rungs.get(Rung.RULE) or _compared(spec.rule_words, base, ours, options),
        prescribed=rungs.get(Rung.FULL) or _compared(spec.estimator, ours[0], ours, options),
        reference=_compared(spec.reference_estimator, reference, ours, options),
        rungs=rungs,
        chosen_rungs=_chosen_rungs(deciding_fits),
        calibration=measure_calibration(ours, CALIBRATION_REPORTED, options.seed),
        brier_gain=min((_brier_gain(one, ours, options) for one in bases), key=_lower_end),
        rule_brier_gain=_brier_gain(by_rung.get(Rung.RULE, base), ours, options),
        counts=_counts(snapshot, split, judging),
        predictions=oof if held is None else join([oof, held]),
    )


def _holdout_decides(snapshot: Snapshot, split: Split) -> bool:
    """Tell whether the holdout is large enough, and what was fitted before it as well."""
    judged_entities = _judged_entities(snapshot, split.judge)
    fewest = LEAST_TRAINING_SHARE * len(snapshot)
    return judged_entities >= HOLDOUT_FROM_ENTITIES and len(split.train) >= fewest


def _holdout(snapshot: Snapshot, split: Split, recipe: Recipe, fit_with: Fit) -> _JudgedFit:
    fitted = fit_with(snapshot.take(split.train), recipe)
    return _judged_fit(fitted, snapshot, split.judge, 0, -1, is_anchored=True)


def _rung_rivals(
    judged: Mapping[Rung, Judged], spec: ModelSpec, ours: list[Judged], options: Options
) -> dict[Rung, Rival]:
    return {
        rung: _compared(_rung_name(rung, spec), one, ours, options) for rung, one in judged.items()
    }


def _rung_name(rung: Rung, spec: ModelSpec) -> str:
    if rung is Rung.RULE:
        return spec.rule_words
    return spec.estimator if rung is Rung.FULL else str(rung)


def _judged_rungs(
    fits: Sequence[_JudgedFit], snapshot: Snapshot, judging: _Judging
) -> dict[Rung, Judged]:
    """Return what each rung says of the leading rows of the basis, in the first repeat."""
    return {
        rung: _first_repeat([judged.rungs[rung] for judged in fits], snapshot, judging)
        for rung in Rung
        if all(rung in judged.rungs for judged in fits)
    }


def _first_repeat(parts: Sequence[Predictions], snapshot: Snapshot, judging: _Judging) -> Judged:
    first = join([part for part in parts if not part.repeat.any()])
    judged = first if judging.basis is Basis.HOLDOUT else _walked([first], snapshot)
    return _leading(judged, snapshot)[0]


def _chosen_rungs(fits: Sequence[_JudgedFit]) -> dict[Rung, int]:
    counts = Counter(judged.rung for judged in fits)
    return {rung: counts[rung] for rung in Rung if counts[rung]}


def _judging(split: Split, folds: RowNumbers, decides_by_holdout: bool) -> _Judging:
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


def _reference_tasks(
    snapshot: Snapshot, spec: ModelSpec, recipe: Recipe, judging: _Judging
) -> list[Callable[[], Predictions]]:
    strength = recipe.parameters.get("text_strength", 1.0)
    other = replace(
        recipe,
        estimator=spec.reference_estimator,
        parameters={"text_strength": strength},
        basis=Rung.FULL,
    )
    is_holdout = judging.basis is Basis.HOLDOUT

    def judge(place: int, train: RowNumbers, rows: RowNumbers) -> Predictions:
        fitted = fit(snapshot.take(train), other)
        return _judged_fit(fitted, snapshot, rows, 0, place, is_anchored=is_holdout).chosen

    return [partial(judge, place, *part) for place, part in enumerate(judging.parts)]


def _base_rates(snapshot: Snapshot, judging: _Judging) -> tuple[Judged, Judged]:
    """Judge the share of ones among the training rows on the leading rows of the basis.

    Once as it is and once following the newest outcomes as the version does: a version has to be
    better than both, or following alone, or not following alone, would pass for skill.
    """
    parts = [
        Predictions(
            rows=rows,
            repeat=np.zeros(len(rows), dtype=np.int64),
            fold=np.zeros(len(rows), dtype=np.int64),
            probabilities=np.full(
                len(rows), np.clip(snapshot.labels[train].mean(), 1e-4, 1 - 1e-4)
            ),
            thresholds=np.full(len(rows), 0.5),
        )
        for train, rows in judging.parts
    ]
    level_as_is = _leading(join(parts), snapshot)[0]
    if judging.basis is Basis.OUT_OF_FOLD:
        return level_as_is, _leading(_walked(parts, snapshot), snapshot)[0]
    [(train, _)] = judging.parts
    level = np.full(len(train), parts[0].probabilities[0])
    shift = anchor_shift(
        log_odds_of(level),
        snapshot.labels[train],
        snapshot.begun[train],
        snapshot.entities[train],
        int(snapshot.decided[train].max()),
    )
    followed = replace(parts[0], probabilities=shifted(parts[0].probabilities, shift))
    return level_as_is, _leading(followed, snapshot)[0]


def _compared(name: str, judged: Judged, ours: list[Judged], options: Options) -> Rival:
    gain = measure_difference(ours, [judged], "roc_auc", seed=options.seed)
    return Rival(
        name=name,
        figures=measure([judged], RIVAL_REPORTED, seed=options.seed),
        auc_gain=interval_of(gain),
    )


def _lower_end(figure: Figure) -> float:
    return -np.inf if figure.low is None else figure.low


def _brier_gain(rival: Judged, ours: list[Judged], options: Options) -> Figure:
    gains = measure_difference([rival], ours, "brier", seed=options.seed)
    return interval_of(gains, ONE_SIDED_LEVEL)


def _counts(snapshot: Snapshot, split: Split, judging: _Judging) -> Counts:
    entities = snapshot.entities
    sizes = [
        (len(np.unique(entities[t])), len(t), _judged_entities(snapshot, j))
        for t, j in judging.parts
    ]
    training_entities, training_examples, _ = np.mean(sizes, axis=0)
    return Counts(
        entities=len(np.unique(entities)),
        examples=len(snapshot),
        contacts=len(np.unique(snapshot.contacts)),
        positive_entities=len(np.unique(entities[snapshot.labels == 1])),
        training_entities=round(float(training_entities)),
        training_examples=round(float(training_examples)),
        judged_entities=int(np.sum([size[2] for size in sizes])),
        purged=split.purged,
    )


def _judged_entities(snapshot: Snapshot, rows: RowNumbers) -> int:
    """Count the entities that have a leading row among the judged ones."""
    return len(np.unique(snapshot.entities[rows][snapshot.is_leading[rows]]))


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
