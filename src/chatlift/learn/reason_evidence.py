"""What may be told as a reason: evidence from the inner fits of a training.

Input: inner fits, each with rows that it has not seen, their labels, and what each design column
added to its answers about them. Output: a `ReasonEvidence` of aggregated numbers that is kept with
the version. A group of columns is worth telling only if what it adds goes with the outcome on rows
that the fit had not seen, in every inner fit. A column is told only in the direction in which it
went with the outcome, and an unknown value only where it helped.

Every contact has the same weight, however many examples it has, and a rate needs ten contacts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chatlift.learn.estimators import Matrix, Vector
from chatlift.learn.features.attributes import MISSING
from chatlift.learn.reason_groups import groups_of, membership

Rows = NDArray[np.int64]

ERROR_SHARE = 0.05
"""Chance that any group of pure noise passes, over all groups of a version together."""
CLEAR = NormalDist().inv_cdf(1 - ERROR_SHARE)
"""Standard errors from zero that the direction of one column of a group that passed needs."""
CLEAR_IF_MISSING = 2.0
FEWEST_CONTACTS = 10
"""No rate of fewer contacts is kept or shown."""
MIDDLE = (1 / 3, 2 / 3)
"""Shares of the known values below its two ends."""
MOST_ROWS = 1_000
"""Of an inner fit; evenly spread, which keeps the cost of the evidence small beside the fit's."""
DIGITS = 5


class Explaining(Protocol):
    """A fit that says what each column added to its margins."""

    def contributions(self, matrix: Matrix, *, is_exact: bool = True) -> Vector:
        """Return the contribution of every column, then the base value, per row."""


class Examples(Protocol):
    """What is read of a snapshot: one entry per row."""

    @property
    def labels(self) -> Vector:
        """0 or 1."""

    @property
    def contacts(self) -> Rows:
        """The contact of each example."""


@dataclass(frozen=True, kw_only=True)
class InnerFit:
    """Rows that one inner fit has not seen, and what moved its answers about them."""

    design: Matrix
    """One row per held-out example, one column per design column, NaN where unknown."""
    labels: Vector
    contacts: Rows
    contributions: Vector
    """Shape of `design`: what each column added to the margin."""


@dataclass(frozen=True, kw_only=True)
class ColumnEvidence:
    """What training showed of one design column."""

    direction: int = 0
    """+1 if high values went with the outcome, -1 if low ones did, 0 if neither is clear."""
    rate: float | None = None
    """Of a 0/1 column: share with the outcome among those with 1; None below ten contacts."""
    rate_without: float | None = None
    """The same among those with 0."""
    missing_rate: float | None = None
    """Share with the outcome where the value is unknown; None unless that helped unseen rows."""
    middle: tuple[float, float] | None = None
    """The middle third of the known values: one within is no reason. None where too few contacts
    have one."""


@dataclass(frozen=True, kw_only=True)
class ReasonEvidence:
    """What may be told as a reason by one version; aggregated numbers only."""

    base_rate: float
    """Share with the outcome over the training rows, every contact weighing the same."""
    stable_groups: frozenset[str]
    columns: Mapping[str, ColumnEvidence]
    reference: tuple[tuple[float, ...], ...] = field(default=())
    """Mean contribution per design column of those scored when the version was made; one row, or
    one per part of the week (`reason_reference`). Empty: none was taken."""

    def with_reference(self, means: Vector) -> ReasonEvidence:
        """Return the evidence with reference means, one row per slot."""
        rows = tuple(tuple(round(value, DIGITS) for value in row) for row in means.tolist())
        return replace(self, reference=rows)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "base_rate": self.base_rate,
            "stable_groups": sorted(self.stable_groups),
            "columns": {
                name: [one.direction, one.rate, one.rate_without, one.missing_rate, one.middle]
                for name, one in self.columns.items()
            },
            "reference": [list(row) for row in self.reference],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> ReasonEvidence:
        """Read what `to_json` wrote."""
        columns = found["columns"]
        return cls(
            base_rate=float(found["base_rate"]),
            stable_groups=frozenset(str(name) for name in found["stable_groups"]),
            columns={
                str(name): ColumnEvidence(
                    direction=int(direction),
                    rate=rate,
                    rate_without=rate_without,
                    missing_rate=missing_rate,
                    middle=middle and (float(middle[0]), float(middle[1])),
                )
                for name, (direction, rate, rate_without, missing_rate, middle) in columns.items()
            },
            reference=tuple(tuple(float(value) for value in row) for row in found["reference"]),
        )


def inner_fits(
    fitted: Sequence[Explaining],
    matrix: Matrix,
    examples: Examples,
    held_out: Sequence[NDArray[np.bool_]],
) -> list[InnerFit]:
    """Return the inner fits of a training, each with at most `MOST_ROWS` rows it has not seen.

    Parameters
    ----------
    held_out
        Per fit a mask of the rows of `matrix` that it has not seen.
    """
    found = []
    for one, inside in zip(fitted, held_out, strict=True):
        rows = evenly(np.flatnonzero(inside), MOST_ROWS)
        found.append(
            InnerFit(
                design=matrix[rows],
                labels=examples.labels[rows],
                contacts=examples.contacts[rows],
                contributions=one.contributions(matrix[rows], is_exact=False)[:, :-1],
            )
        )
    return found


def evenly(rows: Rows, most: int) -> Rows:
    """Return at most `most` of the rows, evenly spread.

    Examples
    --------
    >>> evenly(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]


def evidence_of(
    inner: Sequence[InnerFit], *, columns: Sequence[str], medians: Vector
) -> ReasonEvidence:
    """Return what may be told as a reason.

    Parameters
    ----------
    columns
        Names of the design columns.
    medians
        The middle value of each column over the training rows; NaN where never known.
    """
    pooled = _Pooled.of(inner)
    names, members = membership(groups_of(columns))
    by_group = pooled.contributions @ members
    is_known = ~np.isnan(pooled.design)
    side = np.where(is_known, np.sign(pooled.design - medians), 0.0)
    directions = pooled.signs(pooled.centred(side, is_known), CLEAR)
    needed = NormalDist().inv_cdf(1 - ERROR_SHARE / max(len(names), 1))
    stable = pooled.signs(pooled.centred(by_group), needed) > 0
    own_group = by_group @ members.T
    missing_rates = _missing_rates(pooled, columns, is_known, own_group)
    rates, rates_without = _rates(pooled, is_known)
    middles = _middles(pooled, is_known)
    return ReasonEvidence(
        base_rate=pooled.base_rate,
        stable_groups=frozenset(np.array(names, dtype=object)[stable].tolist()),
        columns={
            name: ColumnEvidence(
                direction=int(directions[place]),
                rate=rates[place],
                rate_without=rates_without[place],
                missing_rate=missing_rates[place],
                middle=middles[place],
            )
            for place, name in enumerate(columns)
        },
    )


@dataclass(frozen=True, kw_only=True)
class _Pooled:
    """The held-out rows of all inner fits, those of a contact together."""

    design: Matrix
    labels: Vector
    contributions: Vector
    fold: Rows
    weights: Vector
    """One divided by the number of rows of the contact."""
    contact_starts: Rows
    """First row of each contact."""

    @classmethod
    def of(cls, inner: Sequence[InnerFit]) -> _Pooled:
        contacts = np.concatenate([one.contacts for one in inner])
        order = np.argsort(contacts, kind="stable")
        _, starts, counts = np.unique(contacts[order], return_index=True, return_counts=True)
        fold = np.repeat(np.arange(len(inner)), [len(one.labels) for one in inner])
        return cls(
            design=np.vstack([one.design for one in inner])[order],
            labels=np.concatenate([one.labels for one in inner])[order],
            contributions=np.vstack([one.contributions for one in inner])[order],
            fold=fold[order],
            weights=np.repeat(1.0 / counts, counts),
            contact_starts=starts,
        )

    @property
    def base_rate(self) -> float:
        return float(np.average(self.labels, weights=self.weights))

    def centred(self, values: Vector, is_known: NDArray[np.bool_] | None = None) -> Vector:
        """Return values less their fold's mean; 0 where unknown."""
        result = np.array(values, dtype=np.float64)
        for fold in np.unique(self.fold):
            inside = self.fold == fold
            weights = np.broadcast_to(self.weights[inside, None], result[inside].shape)
            if is_known is not None:
                weights = weights * is_known[inside]
            total = np.maximum(weights.sum(axis=0), 1e-12)
            result[inside] -= (weights * result[inside]).sum(axis=0) / total
        return result if is_known is None else np.where(is_known, result, 0.0)

    def signs(self, centred: Vector, clear: float) -> Vector:
        """Return the sign of the covariance with the outcome where it is clear, otherwise 0.

        Clear: so many standard errors from zero, counted by contact, and alike in every fold.
        """
        outcome = self.centred(self.labels[:, None])
        products = self.weights[:, None] * centred * outcome
        by_contact = np.add.reduceat(products, self.contact_starts, axis=0)
        total = by_contact.sum(axis=0)
        error = np.sqrt((by_contact**2).sum(axis=0))
        folds = np.array([products[self.fold == f].sum(axis=0) for f in np.unique(self.fold)])
        agree = np.all(folds * np.sign(total) > 0, axis=0)
        return np.where(agree & (np.abs(total) > clear * error), np.sign(total), 0.0)

    def contacts_with(self, mask: NDArray[np.bool_]) -> Rows:
        """Return how many contacts have the mask in any of their rows, per column."""
        return np.asarray(np.logical_or.reduceat(mask, self.contact_starts, axis=0).sum(axis=0))

    def rates(self, mask: NDArray[np.bool_]) -> list[float | None]:
        """Return the share with the outcome among the masked rows, per column."""
        weights = self.weights[:, None] * mask
        totals, ones = weights.sum(axis=0), self.labels @ weights
        enough = self.contacts_with(mask) >= FEWEST_CONTACTS
        shares = np.divide(ones, totals, out=np.zeros_like(ones), where=totals > 0)
        pairs = zip(shares.tolist(), enough.tolist(), strict=True)
        return [round(share, DIGITS) if is_enough else None for share, is_enough in pairs]


def _rates(
    pooled: _Pooled, is_known: NDArray[np.bool_]
) -> tuple[list[float | None], list[float | None]]:
    """Return for each 0/1 column the rates of those with 1 and with 0; None for other columns."""
    ones, zeros = pooled.design == 1, pooled.design == 0
    is_binary = np.all(ones | zeros | ~is_known, axis=0)
    return pooled.rates(ones & is_binary), pooled.rates(zeros & is_binary)


def _missing_rates(
    pooled: _Pooled, columns: Sequence[str], is_known: NDArray[np.bool_], own_group: Vector
) -> list[float | None]:
    """Return the rate of those whose value is unknown, where the group helped just those."""
    is_indicator = np.array([name.endswith(f"={MISSING}") for name in columns], dtype=np.bool_)
    is_missing = np.where(is_indicator, pooled.design == 1, ~is_known)
    helped = pooled.signs(pooled.centred(own_group) * is_missing, CLEAR_IF_MISSING) > 0
    rates = pooled.rates(is_missing)
    return [rate if helps else None for rate, helps in zip(rates, helped.tolist(), strict=True)]


def _middles(pooled: _Pooled, is_known: NDArray[np.bool_]) -> list[tuple[float, float] | None]:
    """Return per column where the middle third of its known values lies."""
    ranked = np.sort(pooled.design, axis=0)  # Unknown values, which are NaN, come last.
    last = np.maximum(is_known.sum(axis=0) - 1, 0)
    columns = np.arange(ranked.shape[1])
    bounds = [ranked[np.round(share * last).astype(np.int64), columns] for share in MIDDLE]
    enough = pooled.contacts_with(is_known) >= FEWEST_CONTACTS
    rows = zip(*(bound.tolist() for bound in bounds), enough.tolist(), strict=True)
    return [(low, high) if is_enough else None for low, high, is_enough in rows]
