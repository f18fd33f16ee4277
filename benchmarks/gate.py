"""Measure how often the gate errs against a champion, on generated data of realistic difficulty.

python -m benchmarks.gate [--repeats 40] [--looks 3] [--model lead_scoring|churn|engagement]

Nothing changes in this data, so two verdicts are wrong: that a *refresh* (the same recipe on more
data) is worse, and that an *equal recipe* (a parameter moved by a hair) is better. A year of one
account is cut at the instants at which more examples have become mature; features only know what
came before their cutoff, so cutting the examples is the same as cutting the history.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
from benchmarks.common import fresh_home, markdown, share_of

from chatlift.learn.comparing import Champion, compare
from chatlift.learn.evaluation import Options, out_of_fold
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import Recipe, fit
from chatlift.learn.gate import AgainstChampion, champion_checks
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
GROWTH = 1.15
"""Each look sees at least so many times the examples of the one before."""
HAIR: Mapping[ModelName, Mapping[str, float]] = {
    ModelName.LEAD_SCORING: {"learning_rate": 0.098},
    ModelName.CHURN: {"trees": 99},
    ModelName.ENGAGEMENT: {"l2": 9.8},
}
"""What makes the equal recipe another one."""


@dataclass(frozen=True, kw_only=True)
class Errors:
    """What the gate said in one repetition."""

    refresh_refused: bool
    equal_promoted_at: int | None
    """The look at which the equal recipe was promoted; None: never."""
    cross_fitted: int
    """Looks that had too few unseen rows and compared on the same folds."""


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


def looks_of(snapshot: Snapshot, looks: int) -> list[Snapshot]:
    """Return what was mature when the champion was fitted, and at each look after it."""
    ends = snapshot.examples["horizon_ends_at"]
    ordered = ends.sort()
    shares = [min(FIRST_SHARE * GROWTH**look, 1.0) for look in range(looks + 1)]
    known = [ordered[int(share * (len(ordered) - 1))] for share in shares]
    return [snapshot.take((ends <= instant).to_numpy()) for instant in known]


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


def errors_of(model: ModelName, seed: int, looks: int) -> Errors:
    """Refresh once and look several times at an equal recipe; say what the gate said."""
    spec = SPECS[model]
    names = tuple(feature.name for feature in catalogue(model))
    recipe = Recipe(estimator=spec.estimator, parameters=spec.parameters(), seed=0, features=names)
    equal = replace(recipe, parameters=spec.parameters(HAIR[model]))
    with one_thread_each():
        first, *later = looks_of(year_of(model, seed), looks)
        champion = champion_of(first, recipe)
        refreshed = passes(against(champion, later[0], replace(recipe, seed=1)))
        promoted_at, cross_fitted = None, 0
        for look, snapshot in enumerate(later, start=1):
            found = against(champion, snapshot, equal)
            cross_fitted += found.is_cross_fitted
            if passes(found):
                promoted_at = look
                break
            champion = replace(
                champion,
                looks_before=look,
                entities_at_last_look=len(np.unique(snapshot.entities)),
            )
    return Errors(
        refresh_refused=not refreshed, equal_promoted_at=promoted_at, cross_fitted=cross_fitted
    )


def main() -> None:
    """Print one row per model."""
    parser = argparse.ArgumentParser(description="Measure the gate's own error rates.")
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--looks", type=int, default=3)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--model", choices=list(ModelName))
    chosen = parser.parse_args()
    models = [ModelName(chosen.model)] if chosen.model else list(ModelName)
    header = ["model", "refresh called worse", "equal recipe promoted", "looks by cross-fitting"]
    print(markdown(header, []), flush=True)
    for model in models:
        seeds = range(chosen.first, chosen.first + chosen.repeats)
        found = [errors_of(model, seed, chosen.looks) for seed in seeds]
        promoted = sum(errors.equal_promoted_at is not None for errors in found)
        worse = sum(errors.refresh_refused for errors in found)
        cells = [
            str(model),
            share_of(worse, len(found)),
            f"{share_of(promoted, len(found))} within {chosen.looks} looks",
            str(sum(errors.cross_fitted for errors in found)),
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
