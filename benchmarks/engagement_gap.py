"""Measure how far engagement's logistic regression ranks from its reference, XGBoost.

python -m benchmarks.engagement_gap [--difficulty easy|realistic] [--seeds 20] [--first 0]

Both predict the same generated accounts out of fold, on the same folds, each with its defaults and
its own text weights and calibration. The gap is the reference's figure less that of the logistic
regression: below 0 the prescribed algorithm ranks better.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
from benchmarks.common import fresh_home, markdown

from chatlift.learn.evaluation import Options, out_of_fold
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import Recipe
from chatlift.learn.metrics import Judged, measure
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.threads import one_thread_each
from chatlift.registry.serving import history_of
from chatlift.registry.workspace import open_workspace
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.vocabulary import ModelName
from chatlift.workflows.generate import generate

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
SPEC = SPECS[ModelName.ENGAGEMENT]
WANTED = 0.005
"""The gap in ROC AUC that the median seed should stay within."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """How well one algorithm did on one account."""

    roc_auc: float
    log_loss: float
    """Nats per example."""


@dataclass(frozen=True, kw_only=True)
class SeedGap:
    """Both algorithms on one account."""

    seed: int
    examples: int
    logistic: Ranked
    reference: Ranked

    @property
    def auc_gap(self) -> float:
        """ROC AUC of the reference less that of the logistic regression."""
        return self.reference.roc_auc - self.logistic.roc_auc

    @property
    def loss_gap(self) -> float:
        """Log loss of the logistic regression less that of the reference."""
        return self.logistic.log_loss - self.reference.log_loss


def sends_of(seed: int, difficulty: Difficulty) -> Snapshot:
    """Return all mature sends of one generated account of default size."""
    request = SimulationRequest(until=UNTIL, seed=seed, difficulty=difficulty)
    with fresh_home() as settings, open_workspace(settings) as opened:
        generate(request, crm=opened.crm, truth_folder=opened.truth_folder)
        history, key = history_of(opened), opened.text_key
    mature = SPEC.examples(history, SPEC.spans).filter(pl.col("label").is_not_null())
    return take_snapshot(history, mature, catalogue(SPEC.model), key=key)


def ranked(snapshot: Snapshot, recipe: Recipe) -> Ranked:
    """Measure a recipe out of fold."""
    [judged] = out_of_fold(snapshot, recipe, Options(threads=1), repeats=1).by_repeat()
    found = judged.judged(snapshot)
    auc = measure([found], ("roc_auc",), seed=0)["roc_auc"].value
    return Ranked(roc_auc=float("nan") if auc is None else auc, log_loss=log_loss(found))


def log_loss(judged: Judged) -> float:
    """Return the mean negative log-likelihood of the labels."""
    chance = np.clip(judged.probabilities, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.log(np.where(judged.labels == 1, chance, 1 - chance))))


def gap_of(seed: int, difficulty: Difficulty) -> SeedGap:
    """Measure both algorithms on one account."""
    snapshot = sends_of(seed, difficulty)
    recipe = Recipe(
        estimator=SPEC.estimator,
        parameters=SPEC.parameters(),
        seed=0,
        features=snapshot.feature_names,
        directions={
            feature.name: direction
            for feature in catalogue(SPEC.model)
            if (direction := feature.direction.get(SPEC.model, 0))
        },
    )
    # As the evaluation fits it: the reference takes its own defaults, and trees know the senses.
    other = replace(recipe, estimator=SPEC.reference_estimator, parameters={"text_strength": 1.0})
    with one_thread_each():
        return SeedGap(
            seed=seed,
            examples=len(snapshot),
            logistic=ranked(snapshot, recipe),
            reference=ranked(snapshot, other),
        )


def row_of(gap: SeedGap) -> list[object]:
    """Return the cells of one seed."""
    return [
        gap.seed,
        gap.examples,
        f"{gap.logistic.roc_auc:.3f}",
        f"{gap.reference.roc_auc:.3f}",
        f"{gap.auc_gap:+.3f}",
        f"{gap.loss_gap:+.3f}",
    ]


HEADER = ("seed", "examples", "logistic AUC", "reference AUC", "AUC gap", "log loss gap")


def summary(difficulty: Difficulty, gaps: Sequence[SeedGap]) -> list[object]:
    """Return the cells of one difficulty: medians and extremes over its seeds."""
    auc, loss = [gap.auc_gap for gap in gaps], [gap.loss_gap for gap in gaps]
    return [
        difficulty,
        f"{np.median([gap.logistic.roc_auc for gap in gaps]):.3f}",
        f"{np.median([gap.reference.roc_auc for gap in gaps]):.3f}",
        f"{np.median(auc):+.4f} ({min(auc):+.3f} to {max(auc):+.3f})",
        f"{sum(gap <= WANTED for gap in auc)} of {len(auc)}",
        f"{np.median(loss):+.4f} ({min(loss):+.3f} to {max(loss):+.3f})",
    ]


SUMMARY = (
    "difficulty",
    "logistic AUC, median",
    "reference AUC, median",
    "AUC gap, median (extremes)",
    f"seeds within {WANTED}",
    "log loss gap, median (extremes)",
)


def main() -> None:
    """Print a row per seed as it ends, then a row per difficulty."""
    parser = argparse.ArgumentParser(description="Measure engagement against its reference.")
    parser.add_argument("--difficulty", choices=list(Difficulty))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    rows = []
    for difficulty in [Difficulty(chosen.difficulty)] if chosen.difficulty else list(Difficulty):
        print(f"{difficulty}\n\n{markdown(HEADER, [])}", flush=True)
        gaps = []
        for seed in range(chosen.first, chosen.first + chosen.seeds):
            gaps.append(gap_of(seed, difficulty))
            print("| " + " | ".join(str(cell) for cell in row_of(gaps[-1])) + " |", flush=True)
        print()
        rows.append(summary(difficulty, gaps))
    print(markdown(SUMMARY, rows))


if __name__ == "__main__":
    main()
