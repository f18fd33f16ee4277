"""The ladder of recipes: from the simple rule to a blend, and which of them the data supports.

Input: the design matrix of a fit, its labels, its inner folds. Output: for each rung a weighted
sum of fitted members (`WeightedSum`) with the margins that it gives to rows which it had not seen,
and the rung to ship. Rungs are compared by their log loss on the inner folds, after a
calibration that is itself fitted on the other folds. The blend is shipped unless another rung is
better by a standard error: what hedges errs least where little can be known (decision record 0024).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from chatlift.errors import Unavailable
from chatlift.learn.calibration import platt, sigmoid
from chatlift.learn.estimators import (
    ESTIMATORS,
    Fitted,
    FittedLogistic,
    Logistic,
    Matrix,
    Parameters,
    Part,
    Vector,
    XGBoostRegression,
)
from chatlift.vocabulary import Rung

Mask = NDArray[np.bool_]
Contacts = NDArray[np.int64]

RULE_L2 = 1.0
BLEND_PRIOR = (0.6, 0.2, 0.2)
"""Weights of prescribed algorithm, companion and rule that a blend is drawn towards."""
BLEND_PULL = 50.0
"""How strongly: a hundred rows outweigh it, so that only small accounts feel it."""
LEAST_WEIGHT = 1e-6
"""A member with less is left out."""
RULE_FALLBACKS: Mapping[str, str] = MappingProxyType({"lead.source": "contact.source"})
"""The attribute that a rule looks at where the first was never imported."""


class Member(StrEnum):
    """A fitted part of a rung."""

    RULE = "rule"
    CORRECTION = "correction"
    PRESCRIBED = "prescribed"
    COMPANION = "companion"


MEMBERS_OF: Mapping[Rung, tuple[Member, ...]] = MappingProxyType(
    {
        Rung.RULE: (Member.RULE,),
        Rung.SHRUNKEN: (Member.RULE, Member.CORRECTION),
        Rung.FULL: (Member.PRESCRIBED,),
        Rung.BLEND: (Member.PRESCRIBED, Member.COMPANION, Member.RULE),
    }
)
"""The members of each rung; those of a blend have fitted weights, all others count once."""
ALWAYS_FITTED = (Rung.RULE, Rung.FULL)
"""Rungs whose figures stand beside those of every version."""


@dataclass(frozen=True, kw_only=True)
class Companion:
    """What stands beside a prescribed algorithm in a blend: one that errs in other ways."""

    estimator: str
    parameters: Parameters


COMPANIONS: Mapping[str, Companion] = MappingProxyType(
    {
        "xgboost_regression": Companion(estimator="logistic", parameters={"l2": 200.0}),
        "xgboost_forest": Companion(estimator="logistic", parameters={"l2": 200.0}),
        "logistic": Companion(estimator="xgboost_regression", parameters={}),
    }
)
"""By the prescribed algorithm."""


@dataclass(frozen=True)
class WeightedSum:
    """Log-odds of several fitted members, each times a weight that is not negative."""

    members: Mapping[Member, Fitted]
    weights: Mapping[Member, float]

    def margins(self, matrix: Matrix) -> Vector:
        """Return one margin per row."""
        parts = [
            weight * self.members[member].margins(matrix) for member, weight in self.weights.items()
        ]
        return np.asarray(np.sum(parts, axis=0))

    def contributions(self, matrix: Matrix, *, is_exact: bool = True) -> Vector:
        """Return what each column adds to the margin, then the base value, per row.

        Parameters
        ----------
        is_exact
            Whether trees give exact values; a fast estimate of them otherwise.
        """
        parts = [
            weight * self.members[member].contributions(matrix, is_exact=is_exact)
            for member, weight in self.weights.items()
        ]
        return np.asarray(np.sum(parts, axis=0))


@dataclass(frozen=True)
class FittedRule:
    """A logistic regression on one to three inputs; without any of them, a constant."""

    columns: tuple[int, ...]
    """Places of the inputs in the design matrix."""
    is_logged: tuple[bool, ...]
    """Whether log(1 + x) is taken of an input, as of spans and counts."""
    logistic: FittedLogistic | None
    """None where there is no input."""
    base: float = 0.0
    """Log-odds of the share of ones, where there is no input."""

    def margins(self, matrix: Matrix) -> Vector:
        """Return one margin per row."""
        if self.logistic is None:
            return np.full(len(matrix), self.base)
        return self.logistic.margins(self._inputs(matrix))

    def contributions(self, matrix: Matrix, *, is_exact: bool = True) -> Vector:  # noqa: ARG002
        """Return what each design column adds, then the base value, per row."""
        values = np.zeros((len(matrix), matrix.shape[1] + 1))
        values[:, -1] = self.base
        if self.logistic is not None:
            values[:, [*self.columns, -1]] = self.logistic.contributions(self._inputs(matrix))
        return values

    def dump(self) -> bytes:
        """Return the rule as JSON."""
        logistic = json.loads(self.logistic.dump()) if self.logistic else None
        return json.dumps(
            {
                "columns": self.columns,
                "is_logged": self.is_logged,
                "logistic": logistic,
                "base": self.base,
            }
        ).encode("utf-8")

    @classmethod
    def load(cls, content: bytes) -> FittedRule:
        """Read what `dump` wrote.

        Raises
        ------
        Unavailable
            If the content is no rule.
        """
        try:
            document = json.loads(content)
            logistic = document["logistic"]
            rule = cls(
                columns=tuple(int(place) for place in document["columns"]),
                is_logged=tuple(bool(flag) for flag in document["is_logged"]),
                logistic=Logistic().load(json.dumps(logistic).encode()) if logistic else None,
                base=float(document["base"]),
            )
            rule._check()
            return rule
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as error:
            raise Unavailable(
                "The file of the simple rule cannot be read. It is damaged or was made by another "
                "program; roll back to the version before or train again."
            ) from error

    def _check(self) -> None:
        """Refuse parts that do not belong together."""
        curves = len(self.logistic.curves.knots) if self.logistic else 0
        sizes = {len(self.columns), len(self.is_logged), curves}
        if len(sizes) > 1 or min(self.columns, default=0) < 0 or not np.isfinite(self.base):
            raise ValueError(sizes)

    def _inputs(self, matrix: Matrix) -> Matrix:
        chosen = matrix[:, list(self.columns)]
        logged = np.log1p(np.maximum(chosen, 0))
        return np.where(np.array(self.is_logged), logged, chosen)


@dataclass(frozen=True, kw_only=True)
class RuleInputs:
    """The columns of a design that the simple rule looks at."""

    columns: tuple[int, ...]
    is_logged: tuple[bool, ...]

    @classmethod
    def of(cls, names: Sequence[str], design_columns: Sequence[str]) -> RuleInputs:
        """Find the named features and attributes; what does not exist here is left out.

        Examples
        --------
        >>> RuleInputs.of(["lead.source", "hours_since"], ["hours_since", "lead.source=ad"])
        RuleInputs(columns=(0, 1), is_logged=(True, False))
        """
        places = sorted({place for name in names for place in _places(name, design_columns)})
        logged = tuple(_is_logged(design_columns[place]) for place in places)
        return cls(columns=tuple(places), is_logged=logged)

    def fit(self, matrix: Matrix, labels: Vector) -> FittedRule:
        """Fit the rule on these rows."""
        if not self.columns:
            ones, others = labels.sum() + 0.5, len(labels) - labels.sum() + 0.5
            return FittedRule((), (), None, float(np.log(ones / others)))
        empty = FittedRule(self.columns, self.is_logged, None)
        inputs = empty._inputs(matrix)
        logistic = Logistic().fit(inputs, labels, {"l2": RULE_L2}, 0)
        return FittedRule(self.columns, self.is_logged, logistic)


def _places(name: str, design_columns: Sequence[str]) -> list[int]:
    found = [
        place
        for place, column in enumerate(design_columns)
        if column == name or column.startswith(f"{name}=")
    ]
    return found or (
        _places(RULE_FALLBACKS[name], design_columns) if name in RULE_FALLBACKS else []
    )


def _is_logged(column: str) -> bool:
    return "hours" in column or "_count" in column


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One rung, fitted on all rows, with what it says of rows it had not seen."""

    rung: Rung
    estimator: WeightedSum
    margins: Vector
    """One per row, by members fitted on the other inner folds."""
    losses: Vector
    """Log loss per row of its calibrated margins, calibrated on the other inner folds."""
    inner: tuple[WeightedSum, ...] = ()
    """The rung without each inner fold, in the order of the folds."""


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The rungs that were fitted, and the one to ship."""

    candidates: Mapping[Rung, Candidate]
    chosen: Rung
    prescribed: Fitted
    """The prescribed algorithm fitted on all rows, also where another rung is shipped."""
    rounds: int
    """Boosting rounds kept of the prescribed algorithm; 0 where it has none."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a ladder is fitted on: one entry per example."""

    matrix: Matrix
    labels: Vector
    folds: NDArray[np.int64]
    contacts: Contacts
    inputs: RuleInputs
    directions: tuple[int, ...] = ()
    """Per design column +1, -1 or 0: how trees may move along it; empty: as they like."""

    @cached_property
    def masks(self) -> list[Mask]:
        """The rows of each inner fold."""
        return [self.folds == fold for fold in np.unique(self.folds)]


@dataclass(frozen=True, kw_only=True)
class _FittedMember:
    """A member fitted on all rows, with its margins of rows it had not seen."""

    fitted: Fitted
    margins: Vector
    inner: Sequence[Fitted]
    """One fit without each inner fold."""
    rounds: int = 0


def climb(
    rows: Rows, estimator: str, parameters: Parameters, seed: int, *, only: Rung | None = None
) -> Ladder:
    """Fit the rungs and choose one.

    Parameters
    ----------
    only
        The rung to ship, beside which only the rule and the prescribed algorithm are fitted, so
        that their figures can stand beside its own; None: the one that the data supports.
    """
    rungs = tuple(rung for rung in Rung if only is None or rung in {only, *ALWAYS_FITTED})
    needed = {Member.PRESCRIBED, *(member for rung in rungs for member in MEMBERS_OF[rung])}
    members = _members(rows, estimator, parameters, seed, needed)
    candidates = {rung: _candidate(rung, members, rows) for rung in rungs}
    prescribed = members[Member.PRESCRIBED]
    return Ladder(
        candidates=candidates,
        chosen=only or choose(candidates, rows.contacts, has_rule=bool(rows.inputs.columns)),
        prescribed=prescribed.fitted,
        rounds=prescribed.rounds,
    )


def _members(
    rows: Rows, estimator: str, parameters: Parameters, seed: int, needed: set[Member]
) -> dict[Member, _FittedMember]:
    members: dict[Member, _FittedMember] = {}
    if needed & {Member.RULE, Member.CORRECTION}:
        members[Member.RULE] = _rule_member(rows)
    if Member.CORRECTION in needed:
        offsets = _Offsets(
            whole=members[Member.RULE].fitted.margins(rows.matrix),
            inner=tuple(rule.margins(rows.matrix) for rule in members[Member.RULE].inner),
        )
        members[Member.CORRECTION] = _member(rows, estimator, parameters, seed, offsets)
    if Member.PRESCRIBED in needed:
        members[Member.PRESCRIBED] = _member(rows, estimator, parameters, seed)
    if Member.COMPANION in needed:
        companion = COMPANIONS[estimator]
        members[Member.COMPANION] = _member(rows, companion.estimator, companion.parameters, seed)
    return members


def _rule_member(rows: Rows) -> _FittedMember:
    inner = [rows.inputs.fit(rows.matrix[~mask], rows.labels[~mask]) for mask in rows.masks]
    margins = np.zeros(len(rows.labels))
    for mask, rule in zip(rows.masks, inner, strict=True):
        margins[mask] = rule.margins(rows.matrix[mask])
    fitted = rows.inputs.fit(rows.matrix, rows.labels)
    return _FittedMember(fitted=fitted, margins=margins, inner=inner)


@dataclass(frozen=True, kw_only=True)
class _Offsets:
    """Log-odds that corrections start from, per row."""

    whole: Vector
    """By the rule fitted on all rows."""
    inner: tuple[Vector, ...]
    """By the rules fitted without each inner fold."""


def _member(
    rows: Rows, name: str, parameters: Parameters, seed: int, offsets: _Offsets | None = None
) -> _FittedMember:
    """Fit an algorithm, or a correction to the offsets."""
    algorithm = ESTIMATORS[name]
    # What corrects the rule may have to go against the sense of a column.
    directions = rows.directions if offsets is None else ()
    trains, judges = [], []
    for place, mask in enumerate(rows.masks):
        start = None if offsets is None else offsets.inner[place]
        trains.append(_part(rows, ~mask, start))
        judges.append(_part(rows, mask, start))
    rounds = 0
    inner: Sequence[Fitted]
    if isinstance(algorithm, XGBoostRegression):
        inner, rounds = algorithm.side_by_side(trains, judges, parameters, seed, directions)
        parameters = dict(parameters) | {"trees": rounds}
    else:
        inner = [
            algorithm.fit(train.matrix, train.labels, parameters, seed, train.offset, directions)
            for train in trains
        ]
    margins = [one.margins(judge.matrix) for one, judge in zip(inner, judges, strict=True)]
    whole = None if offsets is None else offsets.whole
    fitted = algorithm.fit(rows.matrix, rows.labels, parameters, seed, whole, directions)
    return _FittedMember(
        fitted=fitted, margins=_gathered(rows, margins), inner=inner, rounds=rounds
    )


def _part(rows: Rows, mask: Mask, offset: Vector | None) -> Part:
    return Part(
        matrix=rows.matrix[mask],
        labels=rows.labels[mask],
        offset=None if offset is None else offset[mask],
    )


def _gathered(rows: Rows, parts: Sequence[Vector]) -> Vector:
    """Put the values of the inner folds in the order of the rows."""
    values = np.zeros(len(rows.labels))
    for mask, part in zip(rows.masks, parts, strict=True):
        values[mask] = part
    return values


def _candidate(rung: Rung, members: Mapping[Member, _FittedMember], rows: Rows) -> Candidate:
    names = MEMBERS_OF[rung]
    margins = np.column_stack([members[name].margins for name in names])
    if rung is Rung.BLEND:
        weights = blend_weights(margins, rows.labels)
        judged = _unseen(rows, lambda train: _blended(margins, rows.labels, train))
    else:
        weights = np.ones(len(names))
        judged = margins.sum(axis=1)
    calibrated = _unseen(rows, lambda train: _calibrated(judged, rows.labels, train))
    used = {
        name: weight for name, weight in zip(names, weights.tolist(), strict=True) if weight > 0
    }
    return Candidate(
        rung=rung,
        estimator=WeightedSum({name: members[name].fitted for name in used}, used),
        inner=tuple(
            WeightedSum({name: members[name].inner[place] for name in used}, used)
            for place in range(len(rows.masks))
        ),
        margins=margins @ weights,
        losses=-np.log(np.where(rows.labels > 0.5, calibrated, 1 - calibrated)),
    )


def _unseen(rows: Rows, learn: Callable[[Mask], Vector]) -> Vector:
    """Answer for each inner fold by what `learn` makes of the other folds' rows."""
    values = np.zeros(len(rows.labels))
    for mask in rows.masks:
        values[mask] = learn(~mask)[mask]
    return values


def _blended(margins: Vector, labels: Vector, train: Mask) -> Vector:
    return np.asarray(margins @ blend_weights(margins[train], labels[train]))


def _calibrated(margins: Vector, labels: Vector, train: Mask) -> Vector:
    return platt(margins[train], labels[train]).probabilities(margins)


def blend_weights(margins: Vector, labels: Vector) -> Vector:
    """Return the weights, none negative, whose sum of margins has the least log loss.

    Parameters
    ----------
    margins
        One row per example, one column per member, in the order of `MEMBERS_OF`.

    Returns
    -------
    Vector
        One weight per member; those of `BLEND_PRIOR` where no member is of any use.
    """
    from scipy.optimize import minimize

    def loss(values: Vector) -> tuple[float, Vector]:
        weights, intercept = values[:-1], values[-1]
        raised = margins @ weights + intercept
        rest = sigmoid(raised) - labels
        away = weights - prior
        value = np.logaddexp(0, raised).sum() - labels @ raised + BLEND_PULL * away @ away / 2
        return float(value), np.append(margins.T @ rest + BLEND_PULL * away, rest.sum())

    prior = np.array(BLEND_PRIOR)
    bounds = [(0.0, None)] * len(prior) + [(None, None)]
    start = np.append(prior, 0.0)
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x[:-1]
    weights = np.where(found > LEAST_WEIGHT, found, 0.0)
    return weights if weights.any() else prior


def choose(
    candidates: Mapping[Rung, Candidate], contacts: Contacts, *, has_rule: bool = True
) -> Rung:
    """Return the blend, unless the rung with the least loss is better by a standard error.

    Parameters
    ----------
    contacts
        The contact of each row; the standard error is that of differences summed by contact.
    has_rule
        Whether the rule has an input; without one it scores all alike and is not chosen.
    """
    rungs = [rung for rung in candidates if has_rule or rung is not Rung.RULE]
    best = min(rungs, key=lambda rung: round(float(candidates[rung].losses.mean()), 9))
    if Rung.BLEND not in rungs:
        return best
    excess = candidates[Rung.BLEND].losses - candidates[best].losses
    is_better = excess.mean() > standard_error(excess, contacts)
    return best if is_better else Rung.BLEND


def standard_error(values: Vector, contacts: Contacts) -> float:
    """Return the standard error of the mean of values that are alike within a contact.

    Examples
    --------
    >>> float(standard_error(np.array([1.0, 1.0, 3.0, 3.0]), np.array([1, 1, 2, 2])))
    1.0
    """
    member = np.unique(contacts, return_inverse=True)[1]
    rest = np.bincount(member, weights=values - values.mean())
    if len(rest) < 2:
        return 0.0
    return float(np.sqrt((rest**2).sum() * len(rest) / (len(rest) - 1))) / len(values)
