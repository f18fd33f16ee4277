"""Why a score is what it is: up to three reasons each way, in the words of the features.

Contributions are exact (tree SHAP, or coefficient x value), summed over each feature's declared
group, so that ten ways of counting messages make one reason. The column that moves its group
most lends its words. A reason never says *because*.
"""

from __future__ import annotations

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


def explain(
    model: FittedModel, snapshot: Snapshot, features: Sequence[Feature]
) -> list[tuple[Reason, ...]]:
    """Return the reasons of each example: those that raise it first, strongest first.

    Parameters
    ----------
    features
        The declared features of the model, for their groups and words.
    """
    matrix = model.design(snapshot)
    contributions = model.estimator.contributions(matrix)[:, :-1]
    columns = _columns(model, features)
    messages = strongest_messages(model, snapshot)
    return [
        _reasons_of(contributions[row], matrix[row], columns, model.medians, messages[row])
        for row in range(len(snapshot))
    ]


def _reasons_of(
    contributions: Vector,
    values: Matrix,
    columns: Sequence[_Column],
    medians: Vector,
    message_id: int | None,
) -> tuple[Reason, ...]:
    total = float(np.abs(contributions).sum()) or 1.0
    by_group: dict[str, list[int]] = defaultdict(list)
    for index, column in enumerate(columns):
        by_group[column.group].append(index)
    found = []
    for group, indices in by_group.items():
        moved = float(contributions[indices].sum())
        if abs(moved) / total < LEAST_SHARE:
            continue
        lead = max(indices, key=lambda index: contributions[index] * np.sign(moved))
        found.append(
            Reason(
                group=group,
                feature=columns[lead].name,
                words=_words(columns[lead], float(values[lead]), float(medians[lead]), moved > 0),
                raises=moved > 0,
                share=abs(moved) / total,
                message_id=message_id if group == TEXT_GROUP else None,
            )
        )
    found.sort(key=lambda reason: -reason.share)
    raising = [reason for reason in found if reason.raises][:MOST_REASONS]
    lowering = [reason for reason in found if not reason.raises][:MOST_REASONS]
    return (*raising, *lowering)


def _words(column: _Column, value: float, median: float, raises: bool) -> str:
    if column.group == TEXT_GROUP:
        return TEXT_WORDS[0] if raises else TEXT_WORDS[1]
    if np.isnan(value):
        return column.unknown
    return column.high if value > median or np.isnan(median) else column.low


def _columns(model: FittedModel, features: Sequence[Feature]) -> list[_Column]:
    declared: Mapping[str, Feature] = {feature.name: feature for feature in features}
    told = []
    for name in model.columns:
        if name in TEXT_COLUMNS:
            told.append(_Column(name, TEXT_GROUP, *TEXT_WORDS, "has written no words lately"))
        elif name in declared:
            feature = declared[name]
            told.append(_Column(name, feature.group, feature.high, feature.low, feature.null_means))
        else:
            told.append(_attribute_column(name, model))
    return told


def _attribute_column(name: str, model: FittedModel) -> _Column:
    attribute = name.split("=", 1)[0]
    subject, _, what = attribute.partition(".")
    high, low = model.encoder.words(name)
    unknown = f"{subject}'s {what.replace('_', ' ')} is unknown"
    return _Column(name, f"{ATTRIBUTES_GROUP}:{attribute}", high, low, unknown)


def strongest_messages(model: FittedModel, snapshot: Snapshot) -> list[int | None]:
    """Return per example the id of the message that pulls the text score furthest its way."""
    if model.text is None:
        return [None] * len(snapshot)
    scores = model.text.message_scores(snapshot.tokens)
    found: list[int | None] = []
    for start, end in zip(snapshot.starts, snapshot.ends, strict=True):
        window = scores[start:end]
        if not len(window):
            found.append(None)
            continue
        strongest = int(np.argmax(window * (1 if window.sum() >= 0 else -1)))
        found.append(int(snapshot.message_ids[start + strongest]))
    return found
