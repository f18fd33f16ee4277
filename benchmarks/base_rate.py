"""Measure how near the mean score stays to the truth while the base rate moves.

python -m benchmarks.base_rate [--leads 300 1000 3000 10000] [--seeds 20] [--first 0]

The generator cannot move a base rate, so the world is our own: leads with three features that
carry signal and two that do not, over 365 days. The base rate moves by 10 points over the year and
goes on at that pace: `rising` from 0.25 to 0.35, `falling` back, `stepping` in one step after half
of the year; `steady` stays. The shipped recipe is fitted on day 365 on the leads whose 30 days are
over, and scores 4,000 leads of the following month. The truth is the mean of their true chances,
so that no luck of outcomes is in it. `not anchored` is the same fit without its last step.

Seeds 1000 to 1019 are for development, 0 to 19 are reported. Wanted: the mean score is within 0.03
of the truth in at least 90 % of the seeds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from benchmarks.common import markdown, share_of
from benchmarks.workers import add_seed_options, as_they_end, seeds_of
from benchmarks.worlds import HORIZON_DAYS, Values, recipe_of, snapshot_of

from chatlift.learn.calibration import sigmoid
from chatlift.learn.fitting import fit
from chatlift.learn.threads import one_thread_each

SIZES = (300, 1_000, 3_000, 10_000)
YEAR_DAYS = 365
NEXT_MONTH_DAYS = 30
SCORED_LEADS = 4_000
WEIGHTS = (0.8, -0.6, 0.4, 0.0, 0.0)
"""What each feature, drawn from the normal law, adds to the log-odds."""
NEAR = 0.03
"""Distance of mean score and truth that is wanted."""


class Shape(StrEnum):
    """How the base rate moves."""

    RISING = "rising"
    FALLING = "falling"
    STEPPING = "stepping"
    STEADY = "steady"


RATES: Mapping[Shape, tuple[float, float]] = MappingProxyType(
    {
        Shape.RISING: (0.25, 0.35),
        Shape.FALLING: (0.35, 0.25),
        Shape.STEPPING: (0.25, 0.35),
        Shape.STEADY: (0.30, 0.30),
    }
)
"""Base rate on the first day and after a year."""


@dataclass(frozen=True, kw_only=True)
class World:
    """One unit of work: a year to live through, and a size."""

    shape: Shape
    leads: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """Mean score less the truth in the following month."""

    world: World
    rung: str
    anchored: float
    not_anchored: float
    shift: float
    """What the anchor adds to the log-odds."""
    seconds: float


def rates_on(shape: Shape, days: Values) -> Values:
    """Return the base rate of each day.

    Examples
    --------
    >>> rates_on(Shape.RISING, np.array([0.0, 365.0, 401.5])).round(3).tolist()
    [0.25, 0.35, 0.36]
    >>> rates_on(Shape.STEPPING, np.array([100.0, 300.0])).tolist()
    [0.25, 0.35]
    """
    first, last = RATES[shape]
    if shape is Shape.STEPPING:
        return np.where(days < YEAR_DAYS / 2, first, last)
    return np.asarray(first + (last - first) * days / YEAR_DAYS)


def chances_of(numbers: Values, rates: Values) -> Values:
    """Return the true chance of each lead: its features on top of the base rate of its day.

    The mean chance of many leads of one day is that day's base rate.
    """
    return sigmoid(numbers @ np.array(WEIGHTS) + intercepts_of(rates))


def intercepts_of(rates: Values) -> Values:
    """Return the log-odds of a lead whose features are all 0, for base rates from 0.01 to 0.99.

    Read from a table: the features' share of the log-odds follows the normal law, and the mean
    over it rises with the intercept.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    spread = float(np.linalg.norm(WEIGHTS))
    grid = np.linspace(-7, 7, 2_801)
    means = sigmoid(grid[:, None] + spread * nodes) @ weights / weights.sum()
    return np.asarray(np.interp(rates, means, grid))


def gaps_of(world: World) -> Gaps:
    """Live through a year, fit at its end, score the following month."""
    began = time.perf_counter()
    random = np.random.default_rng([world.seed, world.leads, list(Shape).index(world.shape)])
    days = np.sort(random.uniform(0, YEAR_DAYS, world.leads))
    days = days[days <= YEAR_DAYS - HORIZON_DAYS]
    numbers = random.normal(size=(len(days), len(WEIGHTS)))
    chances = chances_of(numbers, rates_on(world.shape, days))
    labels = (random.random(len(days)) < chances).astype(np.float64)
    later = random.uniform(YEAR_DAYS, YEAR_DAYS + NEXT_MONTH_DAYS, SCORED_LEADS)
    asked = random.normal(size=(SCORED_LEADS, len(WEIGHTS)))
    truth = chances_of(asked, rates_on(world.shape, later)).mean()
    scored = snapshot_of(asked, np.zeros(SCORED_LEADS), later)
    with one_thread_each():
        model = fit(
            snapshot_of(numbers, labels, days),
            recipe_of(len(WEIGHTS), world.seed, rule=("x0", "x1")),
        )
        anchored = model.probabilities(scored).mean()
        not_anchored = replace(model, anchor=0.0).probabilities(scored).mean()
    return Gaps(
        world=world,
        rung=model.basis,
        anchored=float(anchored - truth),
        not_anchored=float(not_anchored - truth),
        shift=model.anchor,
        seconds=time.perf_counter() - began,
    )


HEADER = ["shape", "leads", "seed", "rung", "gap", "gap not anchored", "shift", "seconds"]


def row_of(gaps: Gaps) -> list[object]:
    """Return the row of one world."""
    world = gaps.world
    return [
        *(world.shape, world.leads, world.seed, gaps.rung),
        *(f"{gaps.anchored:+.3f}", f"{gaps.not_anchored:+.3f}", f"{gaps.shift:+.2f}"),
        f"{gaps.seconds:.0f}",
    ]


def near_share(gaps: Sequence[float]) -> str:
    """Return how many mean scores lie within `NEAR` of the truth.

    Examples
    --------
    >>> near_share([0.01, -0.04])
    '1 of 2 = 50.0 % (1.3 to 98.7 %)'
    """
    return share_of(sum(abs(gap) <= NEAR for gap in gaps), len(gaps))


def summary_rows(found: Iterable[Gaps]) -> list[list[object]]:
    """Return per shape and size how many gaps are small, with and without the anchor."""
    groups: dict[tuple[Shape, int], list[Gaps]] = {}
    for gaps in sorted(
        found, key=lambda one: (list(Shape).index(one.world.shape), one.world.leads)
    ):
        groups.setdefault((gaps.world.shape, gaps.world.leads), []).append(gaps)
    return [
        [
            *key,
            near_share([one.anchored for one in group]),
            f"{np.mean([one.anchored for one in group]):+.3f}",
            near_share([one.not_anchored for one in group]),
            f"{np.mean([one.not_anchored for one in group]):+.3f}",
        ]
        for key, group in groups.items()
    ]


def main() -> None:
    """Print a row per world as it ends, then the summary."""
    parser = argparse.ArgumentParser(description="Move the base rate, compare the mean score.")
    parser.add_argument("--leads", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--shapes", nargs="+", choices=list(Shape), default=list(Shape))
    add_seed_options(parser)
    chosen = parser.parse_args()
    worlds = [
        World(shape=Shape(shape), leads=leads, seed=seed)
        for leads in chosen.leads
        for shape in chosen.shapes
        for seed in seeds_of(chosen)
    ]
    found: list[Gaps] = []
    print(markdown(HEADER, []), flush=True)
    for gaps in as_they_end(gaps_of, worlds, chosen.processes):
        found.append(gaps)
        print("| " + " | ".join(str(cell) for cell in row_of(gaps)) + " |", flush=True)
    within = f"within {NEAR:g} of the truth"
    header = ["shape", "leads", within, "mean gap", f"not anchored, {within}", "mean gap"]
    print(f"\n{markdown(header, summary_rows(found))}")


if __name__ == "__main__":
    main()
