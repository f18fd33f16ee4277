"""Measure how often the gate errs against a champion, on generated data of realistic difficulty.

python -m benchmarks.gate [--repeats 20] [--first 0] [--model lead_scoring|churn|engagement]

A year of weekly retrainings of one account without a true difference: an *equal recipe* (a
parameter moved by a hair) is offered at every look that new data allows, and every fourth week the
champion's own recipe is refreshed. A champion change is wrong if the equal recipe is promoted, or
if a refresh ranks worse by 0.02 ROC AUC or more on a second account of the same kind. Features only
know what came before their cutoff, so cutting the examples is the same as cutting the history.

Last, the other error: of two simulated recipes, one truly better by 0.05 ROC AUC, how often is the
better one accepted at its first look, with so many outcomes that neither has seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
from benchmarks.common import fresh_home, markdown, share_of

from chatlift.learn.calibration import sigmoid
from chatlift.learn.comparing import Champion, compare
from chatlift.learn.evaluation import Options, out_of_fold
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import FittedModel, Recipe, fit
from chatlift.learn.gate import FEWEST_NEW_SHARE, AgainstChampion, champion_checks, gain_spread
from chatlift.learn.metrics import Judged, Vector, measure_difference, measure_values
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.threads import one_thread_each
from chatlift.registry.serving import history_of
from chatlift.registry.workspace import open_workspace
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.vocabulary import ModelName
from chatlift.workflows.generate import generate

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
FIRST_SHARE = 0.5
"""Share of the examples that the first champion is fitted on."""
WEEKS = 52
REFRESH_EVERY = 4
TRULY_WORSE = 0.02
OTHER_ACCOUNT = 10_000
"""Added to a seed for the account that refreshes are judged on."""
TRUE_GAIN_AUC = 0.05
TRUE_GAIN_REPEATS = 200
HAIR: Mapping[ModelName, Mapping[str, float]] = {
    ModelName.LEAD_SCORING: {"learning_rate": 0.148},
    ModelName.CHURN: {"trees": 99},
    ModelName.ENGAGEMENT: {"l2": 196.0},
}
"""What makes the equal recipe another one."""


@dataclass(kw_only=True)
class Year:
    """What the gate did in one simulated year."""

    looks: int = 0
    equal_promoted: int = 0
    refreshes: int = 0
    refreshes_refused: int = 0
    refreshes_worse: int = 0
    """Promoted refreshes that rank worse on the second account by `TRULY_WORSE`."""

    @property
    def is_wrong(self) -> bool:
        """Whether any change of the champion was wrong."""
        return self.equal_promoted + self.refreshes_worse > 0


def year_of(model: ModelName, seed: int) -> Snapshot:
    """Return all mature examples of one generated account of 300 leads."""
    request = SimulationRequest(
        until=UNTIL,
        contacts=400,
        conversations=360,
        closed_leads=300,
        open_leads=50,
        seed=seed,
        difficulty=Difficulty.REALISTIC,
    )
    with fresh_home() as settings, open_workspace(settings) as opened:
        generate(request, crm=opened.crm, truth_folder=opened.truth_folder)
        history, key = history_of(opened), opened.text_key
    spec = SPECS[model]
    mature = spec.examples(history, spec.spans).filter(pl.col("label").is_not_null())
    return take_snapshot(history, mature, catalogue(model), key=key)


def weeks_of(snapshot: Snapshot) -> list[Snapshot]:
    """Return what was mature when the champion was fitted, and in each week after it."""
    ends = snapshot.decided
    first, last = np.quantile(ends, FIRST_SHARE), ends.max()
    instants = np.linspace(first, last, WEEKS + 1)
    return [snapshot.take(ends <= instant) for instant in instants]


def champion_of(snapshot: Snapshot, recipe: Recipe) -> Champion:
    """Return the champion as fitted on the first part."""
    cutoffs = snapshot.examples["cutoff"].dt.timestamp("us").to_list()
    return Champion(
        number=1,
        model=fit(snapshot, recipe),
        has_same_spans=True,
        trained_on=frozenset(zip(snapshot.entities.tolist(), cutoffs, strict=True)),
        looks_before=0,
        entities_at_last_look=len(np.unique(snapshot.entities)),
    )


def against(champion: Champion, snapshot: Snapshot, recipe: Recipe) -> AgainstChampion:
    """Compare a recipe with the champion at one look."""
    options = Options(threads=2)
    ours = out_of_fold(snapshot, recipe, options, repeats=1)
    return compare(champion, snapshot, ours, recipe, options)


def passes(found: AgainstChampion) -> bool:
    """Tell whether every check against the champion passes."""
    return all(check.passed for check in champion_checks(found))


def auc_on(model: FittedModel, judge: Snapshot) -> float:
    """Return the ROC AUC of a model on another account of the same kind."""
    rows = judge.take(judge.is_leading)
    judged = Judged(rows.labels, model.probabilities(rows), np.zeros(len(rows)), rows.contacts)
    value = measure_values([judged], ["roc_auc"])["roc_auc"]
    return float("nan") if value is None else value


def refreshed(
    champion: Champion, snapshot: Snapshot, recipe: Recipe, judge: Snapshot, year: Year
) -> Champion:
    """Offer a refresh; return who serves afterwards."""
    comparison = against(champion, snapshot, recipe)
    year.refreshes += 1
    if not passes(comparison):
        year.refreshes_refused += 1
        return champion
    successor = champion_of(snapshot, recipe)
    loss = auc_on(champion.model, judge) - auc_on(successor.model, judge)
    year.refreshes_worse += loss >= TRULY_WORSE
    return replace(
        successor,
        looks_before=champion.looks_before,
        entities_at_last_look=champion.entities_at_last_look,
        refresh_gain=champion.refresh_gain + float(comparison.brier_gains[0]),
        refresh_variance=champion.refresh_variance + gain_spread(comparison) ** 2,
    )


def challenged(
    champion: Champion, snapshot: Snapshot, equal: Recipe, year: Year
) -> tuple[Champion, bool]:
    """Offer the equal recipe where there is enough new data; return who serves afterwards."""
    entities = len(np.unique(snapshot.entities))
    before = champion.entities_at_last_look
    if (entities - before) / before < FEWEST_NEW_SHARE:
        return champion, False
    year.looks += 1
    is_promoted = passes(against(champion, snapshot, equal))
    year.equal_promoted += is_promoted
    successor = champion_of(snapshot, equal) if is_promoted else champion
    looked = replace(
        successor,
        looks_before=champion.looks_before + 1,
        entities_at_last_look=entities,
        refresh_gain=0.0 if is_promoted else champion.refresh_gain,
        refresh_variance=0.0 if is_promoted else champion.refresh_variance,
    )
    return looked, is_promoted


def simulated_year(model: ModelName, seed: int) -> Year:
    """Retrain for a year without a true difference."""
    spec = SPECS[model]
    names = tuple(feature.name for feature in catalogue(model))
    recipe = Recipe(estimator=spec.estimator, parameters=spec.parameters(), seed=0, features=names)
    equal = replace(recipe, parameters=spec.parameters(HAIR[model]))
    judge, year = year_of(model, seed + OTHER_ACCOUNT), Year()
    with one_thread_each():
        first, *later = weeks_of(year_of(model, seed))
        champion = champion_of(first, recipe)
        for week, snapshot in enumerate(later, start=1):
            champion, is_promoted = challenged(champion, snapshot, equal, year)
            if is_promoted:
                recipe, equal = equal, recipe
            elif week % REFRESH_EVERY == 0:
                champion = refreshed(champion, snapshot, replace(recipe, seed=week), judge, year)
    return year


def true_gain_accepted(outcomes: int, seed: int) -> bool:
    """Compare two calibrated scores, one better by 0.05 ROC AUC, at a first look.

    Three causes make up the log-odds; the worse score knows the first, the better one two. Both
    give the chance that follows from what they know.
    """
    random = np.random.default_rng(seed)
    first, second, third = random.normal(size=(3, outcomes))
    log_odds = FIRST * first + SECOND * second + THIRD * third
    labels = (random.random(outcomes) < sigmoid(log_odds)).astype(np.float64)
    contacts, zeros = np.arange(outcomes), np.zeros(outcomes)
    unknown = np.hypot(SECOND, THIRD)
    worse = Judged(labels, chance(FIRST * first, unknown), zeros, contacts)
    better = Judged(labels, chance(FIRST * first + SECOND * second, THIRD), zeros, contacts)
    gains = measure_difference([worse], [better], "brier", seed=seed)
    return passes(
        AgainstChampion(
            champion_number=1,
            is_refresh=False,
            brier_gains=gains,
            unseen_positives=int(labels.sum()),
            unseen_negatives=int((1 - labels).sum()),
            is_cross_fitted=False,
            new_entity_share=FEWEST_NEW_SHARE,
            look=1,
        )
    )


FIRST, SECOND, THIRD = 1.1, 0.73, 0.38
"""Weights of the causes. The ROC AUC of the worse score is 0.733, of the better one 0.783."""


def chance(log_odds: Vector, spread: float) -> Vector:
    """Return the mean chance where so much of the log-odds, normally spread, is unknown.

    By the usual approximation of the logistic-normal integral (MacKay 1992).
    """
    return sigmoid(log_odds / np.sqrt(1 + np.pi * spread**2 / 8))


def main() -> None:
    """Print one row per model, then the share of true gains accepted."""
    parser = argparse.ArgumentParser(description="Measure the gate's own error rates.")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--model", choices=list(ModelName))
    chosen = parser.parse_args()
    models = [ModelName(chosen.model)] if chosen.model else list(ModelName)
    header = ["model", "years with a wrong change", "equal recipe promoted", "looks"]
    print(markdown([*header, "refreshes", "refused", "worse by 0.02 AUC"], []), flush=True)
    for model in models:
        seeds = range(chosen.first, chosen.first + chosen.repeats)
        years = [simulated_year(model, seed) for seed in seeds]
        cells = [
            str(model),
            share_of(sum(year.is_wrong for year in years), len(years)),
            *(
                str(sum(getattr(year, name) for year in years))
                for name in (
                    "equal_promoted",
                    "looks",
                    "refreshes",
                    "refreshes_refused",
                    "refreshes_worse",
                )
            ),
        ]
        print("| " + " | ".join(cells) + " |", flush=True)
    print()
    print(markdown(["outcomes", "recipe better by 0.05 AUC accepted"], []), flush=True)
    for outcomes in (200, 500, 1_000, 2_000):
        accepted = sum(true_gain_accepted(outcomes, seed) for seed in range(TRUE_GAIN_REPEATS))
        print(f"| {outcomes:,} | {share_of(accepted, TRUE_GAIN_REPEATS)} |", flush=True)


if __name__ == "__main__":
    main()
