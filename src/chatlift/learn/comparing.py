"""A new fit against the champion, paired, on rows that neither has seen.

*Unseen by the champion* means: the example is not among those it was fitted on. Our side answers
by fits that have not seen the row. Those of a new recipe have not seen its contact either (out of
fold). Those of a refresh may know of it what the champion knows: were the contact wholly hidden
from them, a champion that knows its past would look better than it is, and a third of all
refreshes of engagement was called worse (docs/benchmarks.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from chatlift.learn.evaluation import (
    Basis,
    Options,
    Predictions,
    join,
    out_of_fold,
    predictions_of,
)
from chatlift.learn.fitting import FittedModel, Recipe, fit
from chatlift.learn.folds import grouped_folds
from chatlift.learn.gate import FEWEST_UNSEEN_PER_CLASS, AgainstChampion
from chatlift.learn.metrics import Judged, Vector, measure_difference
from chatlift.learn.snapshots import Snapshot
from chatlift.learn.threads import run_all
from chatlift.vocabulary import Rung


@dataclass(frozen=True, kw_only=True)
class Champion:
    """The version that serves, as the comparison needs it."""

    number: int
    model: FittedModel
    has_same_spans: bool
    """Its cutoffs and labels were made by the same spans as today's."""
    trained_on: frozenset[tuple[int, int]]
    """(entity id, cutoff in microseconds) of every example it was fitted on."""
    looks_before: int
    """New recipes that were compared with a champion of the account and model before."""
    entities_at_last_look: int
    """Mature entities at the last such look, or when the first champion was trained."""
    refresh_gain: float = 0.0
    """Sum of the Brier gains of the refreshes since the last new recipe."""
    refresh_variance: float = 0.0
    """Sum of the variances of those gains."""


def compare(
    champion: Champion,
    snapshot: Snapshot,
    ours: Predictions,
    recipe: Recipe,
    options: Options,
    *,
    basis: Basis = Basis.OUT_OF_FOLD,
) -> AgainstChampion:
    """Measure the new recipe against the champion on the snapshot's rows.

    Parameters
    ----------
    ours
        Predictions by fits that had seen neither the row nor its contact: out of fold, all
        repeats, and on the holdout. A new recipe is compared by them.
    basis
        Which of them decide: those of the judged fit.
    """
    judged = ours.where(ours.fold == -1 if basis is Basis.HOLDOUT else ours.fold >= 0)
    is_refresh = champion.has_same_spans and same_recipe(recipe, champion.model.recipe)
    is_new = _is_new(champion, snapshot)
    unseen = is_new & snapshot.is_leading
    if not is_refresh:
        unseen &= np.isin(np.arange(len(snapshot)), judged.rows)
    positives, negatives = _classes(snapshot, unseen)
    is_thin = min(positives, negatives) < FEWEST_UNSEEN_PER_CLASS
    if is_thin and not is_refresh:
        gains = _cross_fitted(champion, snapshot, ours, options)
    elif not unseen.any():
        gains = np.empty(0)
    else:
        rival = _refreshed(champion, snapshot, is_new, recipe, options) if is_refresh else judged
        gains = _on_unseen(champion, snapshot, rival, unseen, options)
    entities = len(np.unique(snapshot.entities))
    before = max(champion.entities_at_last_look, 1)
    return AgainstChampion(
        champion_number=champion.number,
        is_refresh=is_refresh,
        brier_gains=gains,
        unseen_positives=positives,
        unseen_negatives=negatives,
        is_cross_fitted=is_thin and not is_refresh,
        new_entity_share=(entities - before) / before,
        look=champion.looks_before + 1,
        replaces_rule=champion.model.basis is Rung.RULE and recipe.basis is not Rung.RULE,
        earlier_gain=champion.refresh_gain,
        earlier_variance=champion.refresh_variance,
    )


def same_recipe(first: Recipe, second: Recipe) -> bool:
    """Tell whether two recipes differ by nothing but the seed."""
    return (
        first.estimator == second.estimator
        and dict(first.parameters) == dict(second.parameters)
        and first.features == second.features
        and first.left_out == second.left_out
        and first.rule == second.rule
        and dict(first.directions) == dict(second.directions)
        and first.basis == second.basis
    )


def _is_new(champion: Champion, snapshot: Snapshot) -> NDArray[np.bool_]:
    cutoffs = snapshot.examples.get_column("cutoff").dt.timestamp("us").to_list()
    keys = zip(snapshot.entities.tolist(), cutoffs, strict=True)
    return np.array([key not in champion.trained_on for key in keys], dtype=np.bool_)


def _classes(snapshot: Snapshot, rows: NDArray[np.bool_]) -> tuple[int, int]:
    """Count distinct entities of each class among the rows."""
    counts = [
        len(np.unique(snapshot.entities[rows & (snapshot.labels == label)])) for label in (1, 0)
    ]
    return counts[0], counts[1]


def _on_unseen(
    champion: Champion,
    snapshot: Snapshot,
    ours: Predictions,
    unseen: NDArray[np.bool_],
    options: Options,
) -> Vector:
    rows = np.flatnonzero(unseen)
    theirs = Judged(
        snapshot.labels[rows],
        champion.model.probabilities(snapshot.take(rows)),
        np.zeros(len(rows)),
        snapshot.contacts[rows],
    )
    return measure_difference([theirs], _judged(ours, snapshot, unseen), "brier", seed=options.seed)


def _refreshed(
    champion: Champion,
    snapshot: Snapshot,
    is_new: NDArray[np.bool_],
    recipe: Recipe,
    options: Options,
) -> Predictions:
    """Predict the new rows, each by a fit on all rows but the new ones of its fold's contacts.

    They keep the champion's anchor: one of their own would know outcomes of the same weeks.
    """
    folds = grouped_folds(
        snapshot.contacts, snapshot.labels, folds=options.cv_folds, seed=options.seed
    )

    def judge(fold: int) -> Predictions:
        judged = is_new & (folds == fold)
        fitted = replace(fit(snapshot.take(~judged), recipe), anchor=champion.model.anchor)
        return predictions_of(fitted, snapshot, np.flatnonzero(judged), 0, fold)

    held = [int(fold) for fold in np.unique(folds[is_new])]
    return join(run_all([partial(judge, fold) for fold in held], options.threads))


def _cross_fitted(
    champion: Champion, snapshot: Snapshot, ours: Predictions, options: Options
) -> Vector:
    """Refit both recipes on the same folds (first repeat) and pair them row by row."""
    theirs = out_of_fold(snapshot, champion.model.recipe, options, repeats=1)
    first = ours.where((ours.repeat == 0) & (ours.fold >= 0))
    leading = snapshot.is_leading
    return measure_difference(
        _judged(theirs, snapshot, leading),
        _judged(first, snapshot, leading),
        "brier",
        seed=options.seed,
    )


def _judged(
    predictions: Predictions, snapshot: Snapshot, wanted: NDArray[np.bool_]
) -> list[Judged]:
    chosen = predictions.where(wanted[predictions.rows])
    return [part.judged(snapshot) for part in chosen.by_repeat()]
