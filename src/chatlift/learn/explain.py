"""Why a score is what it is: up to three reasons each way, in the words of the features.

Contributions are exact (tree SHAP, or coefficient x value), summed over each feature's declared
group, so that ten ways of counting messages make one reason. The column that moves its group
most lends its words. A reason never says *because*.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chatlift.learn.estimators import Matrix, Vector
from chatlift.learn.features.declare import Feature
from chatlift.learn.fitting import TEXT_COLUMNS, FittedModel
from chatlift.learn.snapshots import Snapshot

MOST_REASONS = 3
LEAST_SHARE = 0.02
"""A group that moves less than this share of all movement is not worth a seller's time."""
ATTRIBUTES_GROUP = "attributes"
TEXT_GROUP = "text"
TEXT_WORDS = ("writes like those who did", "writes like those who did not")


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One thing that moved a score."""

    group: str
    feature: str
    """The column that moved the group most."""
    words: str
    raises: bool
    share: float
    """Share of all movement, 0 to 1."""
    message_id: int | None = None
    """For text: the message that moved the text score most."""


@dataclass(frozen=True)
class _Column:
    """How one design column is told."""

    name: str
    group: str
    high: str
    low: str
    unknown: str


@dataclass(frozen=True)
class Explainer:
    """Tells why a model scores as it does: made once for a model, used for all that it says."""

    model: FittedModel
    columns: tuple[_Column, ...]
    groups: Mapping[str, list[int]]
    """Places of the columns of each group."""

    @classmethod
    def of(cls, model: FittedModel, features: Sequence[Feature]) -> Explainer:
        """Prepare a model's reasons.

        Parameters
        ----------
        features
            The declared features of the model, for their groups and words.
        """
        declared = {feature.name: feature for feature in features}
        columns = tuple(_column(name, model, declared) for name in model.columns)
        groups: dict[str, list[int]] = defaultdict(list)
        for place, column in enumerate(columns):
            groups[column.group].append(place)
        return cls(model, columns, groups)

    def reasons(
        self, snapshot: Snapshot, design: Matrix, rows: Sequence[int]
    ) -> list[tuple[Reason, ...]]:
        """Return the reasons of the named examples: those that raise it first, strongest first.

        Parameters
        ----------
        design
            The model's design matrix of the whole snapshot.
        """
        values = design[rows]
        contributions = self.model.estimator.contributions(values)[:, :-1]
        messages = strongest_messages(self.model, snapshot, rows)
        return [
            self._reasons_of(*row)
            for row in zip(contributions, values.tolist(), messages, strict=True)
        ]

    def _reasons_of(
        self, contributions: Vector, values: list[float], message_id: int | None
    ) -> tuple[Reason, ...]:
        total = float(np.abs(contributions).sum()) or 1.0
        by_column, found = contributions.tolist(), []
        for group, places in self.groups.items():
            moved = float(contributions[places].sum())
            if abs(moved) / total < LEAST_SHARE:
                continue
            sign = 1.0 if moved > 0 else -1.0
            lead = max(places, key=lambda place: by_column[place] * sign)
            found.append(
                Reason(
                    group=group,
                    feature=self.columns[lead].name,
                    words=self._words(lead, values[lead], raises=moved > 0),
                    raises=moved > 0,
                    share=abs(moved) / total,
                    message_id=message_id if group == TEXT_GROUP else None,
                )
            )
        found.sort(key=lambda reason: -reason.share)
        raising = [reason for reason in found if reason.raises][:MOST_REASONS]
        lowering = [reason for reason in found if not reason.raises][:MOST_REASONS]
        return (*raising, *lowering)

    def _words(self, place: int, value: float, *, raises: bool) -> str:
        column, median = self.columns[place], float(self.model.medians[place])
        if column.group == TEXT_GROUP:
            return TEXT_WORDS[0] if raises else TEXT_WORDS[1]
        if math.isnan(value):
            return column.unknown
        return column.high if value > median or math.isnan(median) else column.low


def _column(name: str, model: FittedModel, declared: Mapping[str, Feature]) -> _Column:
    if name in TEXT_COLUMNS:
        return _Column(name, TEXT_GROUP, *TEXT_WORDS, "has written no words lately")
    if name in declared:
        feature = declared[name]
        return _Column(name, feature.group, feature.high, feature.low, feature.null_means)
    return _attribute_column(name, model)


def _attribute_column(name: str, model: FittedModel) -> _Column:
    attribute = name.split("=", 1)[0]
    subject, _, what = attribute.partition(".")
    high, low = model.encoder.words(name)
    unknown = f"{subject}'s {what.replace('_', ' ')} is unknown"
    return _Column(name, f"{ATTRIBUTES_GROUP}:{attribute}", high, low, unknown)


def strongest_messages(
    model: FittedModel, snapshot: Snapshot, rows: Sequence[int]
) -> list[int | None]:
    """Return per named example the message that pulls the text score furthest its way."""
    if model.text is None:
        return [None] * len(rows)
    scores = model.text.message_scores(snapshot.tokens)
    found: list[int | None] = []
    for row in rows:
        start, end = snapshot.starts[row], snapshot.ends[row]
        window = scores[start:end]
        if not len(window):
            found.append(None)
            continue
        strongest = int(np.argmax(window * (1 if window.sum() >= 0 else -1)))
        found.append(int(snapshot.message_ids[start + strongest]))
    return found
