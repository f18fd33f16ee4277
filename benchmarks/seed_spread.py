"""Measure how much the ranking of one table depends on the seed of its fit.

python -m benchmarks.seed_spread [--seeds 5] [--first 0] [--fits 10] [--processes 2]

The tables are our own, with the traits of a bank's campaigns: 2,500 leads in three years, ten
figures of the economy that drift from month to month and are nearly the same for all leads of a
month, four features that carry weak signals, one that carries none. Each month has a mood that
moves the outcomes of all its leads. The state of the economy, which nobody sees, makes most of the
mood and a part of every figure: many figures together tell it better than the one that fits the
past best, so that trees which see few columns each rank better. The newest fifth is held out in
time. Each table (a seed) is fitted with ten seeds of the fit, in the ways compared.

Seeds 1000 to 1019 are for development, 0 to 4 are reported. Wanted: within a table, the ROC AUC of
the shipped recipe differs by at most 0.02 between the seeds of the fit.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from benchmarks.common import markdown, share_of
from benchmarks.workers import add_seed_options, as_they_end, seeds_of
from benchmarks.worlds import Values, recipe_of, snapshot_of

from chatlift.learn.calibration import sigmoid
from chatlift.learn.fitting import fit
from chatlift.learn.folds import temporal_split
from chatlift.learn.metrics import Judged, measure_values
from chatlift.learn.snapshots import Snapshot
from chatlift.learn.threads import one_thread_each
from chatlift.vocabulary import Rung

LEADS = 2_500
MONTHS = 36
DAYS_A_MONTH = 30
ECONOMY = 10
SIGNALS = (0.3, -0.25, 0.2, 0.15, 0.0)
"""What each feature of a lead, drawn from the normal law, adds to the log-odds."""
PERSISTENCE = 0.9
"""Correlation of the economy in neighbouring months."""
FIGURE_SHARE = 0.6
"""Correlation of each figure with the state of the economy."""
MOOD_SHARE = 0.9
"""Correlation of a month's mood with the state of the economy."""
MOOD = 1.0
"""Standard deviation of what a month adds to the log-odds of all its leads."""
WITHIN_MONTH = 0.02
"""How much the economy's figures differ within a month, beside 1 from month to month."""
HELD_OUT = 0.2
MOST_SPREAD = 0.02


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way of fitting that is compared."""

    basis: Rung | None
    parameters: Mapping[str, float]


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "shipped": Way(basis=None, parameters={}),
        "full": Way(basis=Rung.FULL, parameters={}),
        "full, all columns": Way(basis=Rung.FULL, parameters={"column_share": 1.0}),
        "full, one tree a round": Way(basis=Rung.FULL, parameters={"trees_per_round": 1}),
        "full, one tree a round, all columns": Way(
            basis=Rung.FULL, parameters={"trees_per_round": 1, "column_share": 1.0}
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One unit of work: a table, a way, and the seeds of the fits."""

    table: int
    way: str
    fits: int


@dataclass(frozen=True, kw_only=True)
class Spread:
    """ROC AUC on the holdout, one per seed of the fit."""

    unit: Unit
    aucs: tuple[float, ...]
    rungs: tuple[str, ...]
    seconds: float

    @property
    def width(self) -> float:
        """Largest less smallest."""
        return max(self.aucs) - min(self.aucs)


def table_of(seed: int) -> tuple[Values, Values, Values]:
    """Return the numbers, the outcomes and the days of one table.

    The first columns are the features of the leads, the others the figures of the economy.
    """
    random = np.random.default_rng([seed, ECONOMY])
    state = drifting(1, random)
    figures = mixed(state, drifting(ECONOMY, random), FIGURE_SHARE)
    mood = MOOD * mixed(state[:, 0], random.normal(size=MONTHS), MOOD_SHARE)
    month = np.sort(random.integers(0, MONTHS, LEADS))
    own = random.normal(size=(LEADS, len(SIGNALS)))
    economy = figures[month] + WITHIN_MONTH * random.normal(size=(LEADS, ECONOMY))
    chances = sigmoid(own @ np.array(SIGNALS) + mood[month] - 1.0)
    labels = (random.random(LEADS) < chances).astype(np.float64)
    days = DAYS_A_MONTH * (month + random.random(LEADS))
    return np.column_stack([own, economy]), labels, days


def drifting(count: int, random: np.random.Generator) -> Values:
    """Return so many columns of one value a month, each near the one before; spread 1."""
    values = random.normal(size=(MONTHS, count))
    for month in range(1, MONTHS):
        values[month] = mixed(values[month - 1], values[month], PERSISTENCE)
    return values


def mixed(first: Values, second: Values, share: float) -> Values:
    """Return values of spread 1 that are correlated with the first ones by the share.

    Examples
    --------
    >>> mixed(np.array([1.0]), np.array([1.0]), 0.6).round(3).tolist()
    [1.4]
    """
    return np.asarray(share * first + np.sqrt(1 - share**2) * second)


def spread_of(unit: Unit) -> Spread:
    """Fit one table in one way with several seeds, each judged on the holdout."""
    began = time.perf_counter()
    snapshot = snapshot_of(*table_of(unit.table))
    split = temporal_split(snapshot.examples, test_size=HELD_OUT)
    train, judge = snapshot.take(split.train), snapshot.take(split.judge)
    with one_thread_each():
        found = [_fitted(unit.way, seed, train, judge) for seed in range(unit.fits)]
    aucs, rungs = zip(*found, strict=True)
    return Spread(unit=unit, aucs=aucs, rungs=rungs, seconds=time.perf_counter() - began)


def _fitted(way: str, seed: int, train: Snapshot, judge: Snapshot) -> tuple[float, str]:
    chosen = WAYS[way]
    recipe = recipe_of(
        len(SIGNALS) + ECONOMY,
        seed,
        rule=("x0", "x1"),
        basis=chosen.basis,
        parameters=dict(chosen.parameters),
    )
    model = fit(train, recipe)
    answers = model.probabilities(judge)
    judged = Judged(judge.labels, answers, np.zeros(len(answers)), judge.contacts)
    auc = measure_values([judged], ("roc_auc",))["roc_auc"]
    return (float("nan") if auc is None else auc), str(model.basis)


HEADER = ["table", "way", "rungs", "mean AUC", "smallest", "largest", "spread", "seconds"]


def row_of(spread: Spread) -> list[object]:
    """Return the row of one table and way."""
    rungs = ", ".join(f"{rung} {spread.rungs.count(rung)}" for rung in sorted(set(spread.rungs)))
    aucs = (np.mean(spread.aucs), min(spread.aucs), max(spread.aucs), spread.width)
    return [
        *(spread.unit.table, spread.unit.way, rungs),
        *(f"{value:.3f}" for value in aucs),
        f"{spread.seconds:.0f}",
    ]


def summary_rows(found: Iterable[Spread]) -> list[list[object]]:
    """Return per way the AUC, the largest spread, and how many tables have a small one."""
    groups: dict[str, list[Spread]] = {way: [] for way in WAYS}
    for spread in found:
        groups[spread.unit.way].append(spread)
    return [
        [
            way,
            f"{np.mean([auc for one in group for auc in one.aucs]):.3f}",
            f"{np.median([one.width for one in group]):.3f}",
            f"{max(one.width for one in group):.3f}",
            share_of(sum(one.width <= MOST_SPREAD for one in group), len(group)),
        ]
        for way, group in groups.items()
        if group
    ]


def main() -> None:
    """Print a row per table and way as it ends, then the summary."""
    parser = argparse.ArgumentParser(description="Fit the same tables with several seeds.")
    parser.add_argument("--fits", type=int, default=10, help="seeds of the fit, from 0")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    add_seed_options(parser, seeds=5)
    chosen = parser.parse_args()
    units = [
        Unit(table=table, way=way, fits=chosen.fits)
        for table in seeds_of(chosen)
        for way in chosen.ways
    ]
    found: list[Spread] = []
    print(markdown(HEADER, []), flush=True)
    for spread in as_they_end(spread_of, units, chosen.processes):
        found.append(spread)
        print("| " + " | ".join(str(cell) for cell in row_of(spread)) + " |", flush=True)
    header = ["way", "mean AUC", "median spread", "largest spread", f"spread <= {MOST_SPREAD:g}"]
    print(f"\n{markdown(header, summary_rows(found))}")


if __name__ == "__main__":
    main()
