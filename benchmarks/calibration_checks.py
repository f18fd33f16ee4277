"""Measure how often the calibration checks refuse a perfect model, and how often they see a gap.

python -m benchmarks.calibration_checks [--rows 100 200 500 2000] [--samples 400] [--first 0]

A perfect model says the very chance by which each outcome is drawn. The other one says chances that
are too high by 0.15 on average, too low where the base rate is above one half: its log-odds are
shifted by what that takes. Both go through `metrics.measure_calibration` and
`gate.calibration_checks`, as a version does. `alone`: every row is of another contact. `clustered`:
five rows a contact, whose outcomes are alike beyond their chances (three in ten of the contacts
have one luck for all their rows), as repeated questions about one person are.

Samples from 1000000 on are for development, those from 0 are reported. Wanted: all checks together
refuse at most 1 % of the perfect models, and at least 90 % of those with the gap.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from benchmarks.common import markdown, share_of
from benchmarks.workers import as_they_end
from numpy.typing import NDArray

from chatlift.learn.calibration import sigmoid
from chatlift.learn.evaluation import CALIBRATION_REPORTED
from chatlift.learn.gate import calibration_checks
from chatlift.learn.metrics import Judged, Vector, measure_calibration
from chatlift.learn.threads import one_thread_each

Contacts = NDArray[np.int64]

SIZES = (100, 200, 500, 2_000)
BASE_RATES = (0.05, 0.1, 0.3, 0.5, 0.7)
SPREAD = 1.2
"""Standard deviation of the true log-odds; the best possible ROC AUC is then about 0.77."""
TRUE_GAP = 0.15
ROWS_A_CONTACT = 5
SHARED_LUCK = 0.3
"""Share of the contacts whose rows have one luck together."""


class Rows(StrEnum):
    """Whose the rows are."""

    ALONE = "alone"
    CLUSTERED = "clustered"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One unit of work: so many samples of one kind."""

    rows: Rows
    count: int
    base_rate: float
    first: int
    samples: int

    @property
    def key(self) -> tuple[int, int, int]:
        """Numbers that give each case chances of its own."""
        return self.count, list(Rows).index(self.rows), round(1_000 * self.base_rate)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """How many samples of a case were refused."""

    case: Case
    perfect: int
    perfect_by: tuple[str, ...]
    """Name of every failed check of a perfect model."""
    with_gap: int


def intercept_for(rate: float, shift: float = 0.0) -> float:
    """Return the mean of normal log-odds of spread `SPREAD` whose mean chance is the rate.

    Parameters
    ----------
    shift
        Added to all log-odds before their mean chance is taken.

    Examples
    --------
    >>> abs(round(intercept_for(0.5), 6))
    0.0
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = sigmoid(middle + shift + SPREAD * nodes) @ weights / weights.sum()
        low, high = (low, middle) if mean > rate else (middle, high)
    return (low + high) / 2


def gap_shift(rate: float) -> float:
    """Return the shift of all log-odds that moves their mean chance by `TRUE_GAP`.

    Examples
    --------
    >>> gap_shift(0.3) > 0 > gap_shift(0.7)
    True
    """
    wrong = rate + TRUE_GAP if rate <= 0.5 else rate - TRUE_GAP
    return intercept_for(wrong) - intercept_for(rate)


def contacts_of(rows: Rows, count: int) -> Contacts:
    """Return the contact of each row.

    Examples
    --------
    >>> contacts_of(Rows.CLUSTERED, 7).tolist()
    [0, 0, 0, 0, 0, 1, 1]
    """
    return np.arange(count) // (ROWS_A_CONTACT if rows is Rows.CLUSTERED else 1)


def outcomes_of(chances: Vector, contacts: Contacts, random: np.random.Generator) -> Vector:
    """Draw an outcome per row, each with its own chance; some contacts have one luck for all."""
    own = random.random(len(chances))
    size = int(contacts.max()) + 1
    together, is_shared = random.random(size), random.random(size) < SHARED_LUCK
    luck = np.where(is_shared[contacts], together[contacts], own)
    return (luck < chances).astype(np.float64)


def failed_checks(labels: Vector, chances: Vector, contacts: Contacts, seed: int) -> list[str]:
    """Return the names of the gate's calibration checks that refuse these answers."""
    judged = Judged(labels, chances, np.zeros(len(labels)), contacts)
    figures = measure_calibration([judged], CALIBRATION_REPORTED, seed)
    return [check.name for check in calibration_checks(figures) if not check.passed]


def refused_of(case: Case) -> Refused:
    """Draw the samples of a case and count what is refused."""
    contacts = contacts_of(case.rows, case.count)
    intercept, shift = intercept_for(case.base_rate), gap_shift(case.base_rate)
    perfect, with_gap = [], 0
    with one_thread_each():
        for sample in range(case.first, case.first + case.samples):
            random = np.random.default_rng([sample, *case.key])
            log_odds = intercept + SPREAD * random.normal(size=case.count)
            labels = outcomes_of(sigmoid(log_odds), contacts, random)
            perfect.append(failed_checks(labels, sigmoid(log_odds), contacts, sample))
            with_gap += bool(failed_checks(labels, sigmoid(log_odds + shift), contacts, sample))
    return Refused(
        case=case,
        perfect=sum(bool(names) for names in perfect),
        perfect_by=tuple(name for names in perfect for name in names),
        with_gap=with_gap,
    )


HEADER = ["rows", "count", "base rate", "perfect refused", "by", "gap of 0.15 refused"]


def row_of(refused: Refused) -> list[object]:
    """Return the row of one case."""
    case = refused.case
    names = sorted(set(refused.perfect_by))
    by = ", ".join(f"{name} {refused.perfect_by.count(name)}" for name in names)
    return [
        *(case.rows, case.count, case.base_rate, share_of(refused.perfect, case.samples)),
        *(by or "-", share_of(refused.with_gap, case.samples)),
    ]


def summary_rows(found: Sequence[Refused]) -> list[list[object]]:
    """Return per kind and count of rows what was refused at all base rates together."""
    rows: list[list[object]] = []
    for key in sorted({(one.case.rows, one.case.count) for one in found}):
        group = [one for one in found if (one.case.rows, one.case.count) == key]
        samples = sum(one.case.samples for one in group)
        perfect = share_of(sum(one.perfect for one in group), samples)
        rows.append([*key, perfect, share_of(sum(one.with_gap for one in group), samples)])
    samples = sum(one.case.samples for one in found)
    perfect = share_of(sum(one.perfect for one in found), samples)
    with_gap = share_of(sum(one.with_gap for one in found), samples)
    return [*rows, ["all", "-", perfect, with_gap]]


def main() -> None:
    """Print a row per case as it ends, then the summary."""
    parser = argparse.ArgumentParser(description="Put the calibration checks to the test.")
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--samples", type=int, default=400, help="samples of each case")
    parser.add_argument("--first", type=int, default=0, help="first sample; development: 1000000")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    cases = [
        Case(rows=rows, count=count, base_rate=rate, first=chosen.first, samples=chosen.samples)
        for count in chosen.rows
        for rows in Rows
        for rate in BASE_RATES
    ]
    found: list[Refused] = []
    print(markdown(HEADER, []), flush=True)
    for refused in as_they_end(refused_of, cases, chosen.processes):
        found.append(refused)
        print("| " + " | ".join(str(cell) for cell in row_of(refused)) + " |", flush=True)
    header = ["rows", "count", "perfect refused", f"gap of {TRUE_GAP:g} refused"]
    print(f"\n{markdown(header, summary_rows(found))}")


if __name__ == "__main__":
    main()
