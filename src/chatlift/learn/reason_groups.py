"""Which design columns tell one fact: the groups over which reasons are summed.

A declared feature is in the group it names, an imported attribute with all its categories is one
group, and so is the text score. A fact that stands in two columns (`lead_value` and the attribute
`lead.value`) is in one group, so that it makes one reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from chatlift.learn.features.catalogue import TEXT_PREFIX, all_features
from chatlift.learn.features.declare import ATTRIBUTES_GROUP, Feature

TEXT_GROUP = "text"


def attribute_of(column: str) -> str:
    """Return the attribute behind an encoded column.

    Examples
    --------
    >>> attribute_of("lead.source=Referral")
    'lead.source'
    """
    return column.split("=", 1)[0]


def group_of(column: str, declared: dict[str, str]) -> str:
    """Return the group of a design column; `declared` has the groups of features by name."""
    if column.startswith(TEXT_PREFIX):
        return TEXT_GROUP
    if "." in column:
        return f"{ATTRIBUTES_GROUP}:{attribute_of(column)}"
    return declared.get(column, column)


def groups_of(columns: Sequence[str], features: Iterable[Feature] | None = None) -> list[str]:
    """Return the group of each design column, an empty name for what is never a reason.

    Parameters
    ----------
    features
        The declared features; None: all that are installed.
    """
    groups = _installed_groups() if features is None else _groups(features)
    return [group_of(column, groups) for column in columns]


def membership(groups: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the names of the groups, and a matrix (columns x groups) of 0 and 1.

    Multiplied from the left by contributions per column it gives those per group.
    """
    names = tuple(dict.fromkeys(group for group in groups if group))
    place = {name: number for number, name in enumerate(names)}
    matrix = np.zeros((len(groups), len(names)))
    for row, group in enumerate(groups):
        if group:
            matrix[row, place[group]] = 1.0
    return names, matrix


def _groups(features: Iterable[Feature]) -> dict[str, str]:
    return {f.name: "" if f.is_of_instant else f.group for f in features}


@cache
def _installed_groups() -> dict[str, str]:
    return _groups(all_features())
