"""What a feature is: one declared number per example, with all that people need to read it.

A family file declares its features one by one with `Feature`; the engine calls `compute` with an
`AsOf` view and takes one number per example back. Everything else here is for people: the
catalogue in `docs/features.md`, the checks of the model test suite and the reasons of a score.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chatlift.errors import InvalidInput
from chatlift.learn.features.asof import AsOf
from chatlift.learn.features.reading import Reading
from chatlift.vocabulary import ModelName

Values = NDArray[np.float64]
"""One number per example; NaN where unknown."""

Compute = Callable[[AsOf], Values]

ATTRIBUTES_GROUP = "attributes"
"""Each imported attribute is a group of its own: `attributes:lead.source`."""
ALL_MODELS = frozenset(ModelName)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One number that a model may look at, known strictly before the cutoff.

    Raises
    ------
    InvalidInput
        If the name is not snake case, the range is empty or a text for people is missing.
    """

    name: str
    """What, measure, unit, window: `reply_delay_median_hours_30d`."""
    meaning: str
    """One line: what is counted or measured."""
    unit: str
    """`messages`, `hours`, `share` ..."""
    null_means: str
    """What it says when the value is unknown."""
    group: str
    """Reasons are summed over a group, one fact each: `volume`, `answering`, `daytime` ..."""
    high: str
    """How a high value reads to a seller; plain words, no claim of a cause."""
    low: str
    """How a low value reads to a seller."""
    compute: Compute
    """Takes the as-of view, returns one number per example, NaN where unknown."""
    minimum: float | None = 0.0
    """Least value there can be; None: unbounded."""
    maximum: float | None = None
    """Greatest value there can be; None: unbounded."""
    models: frozenset[ModelName] = field(default=ALL_MODELS)
    """The models that look at it."""
    attribute: str | None = None
    """The imported attribute that it reads, such as `lead.value`; None: it reads none."""
    reading: Reading | None = None
    """How the value itself reads beside the usual one; None: `high` and `low` alone."""
    missing: str = ""
    """How an unknown value reads to a seller; empty: that it is unknown is never a reason."""
    direction: Mapping[ModelName, int] = field(default_factory=dict)
    """Where the sense is known beforehand: +1 if more means more likely, -1 if less likely."""
    is_of_instant: bool = False
    """Whether it is the same for everybody at one instant, and so never a reason."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(
                f"A feature is called {self.name!r}. Use lower-case letters, digits and _, "
                "such as messages_received_count_7d."
            )
        self._check_words()
        if None not in (self.minimum, self.maximum) and not _is_range(self.minimum, self.maximum):
            raise InvalidInput(
                f"Feature {self.name} ranges from {self.minimum} to {self.maximum}, which holds "
                "no value. Give a minimum below the maximum."
            )
        if any(sense not in (-1, 1) for sense in self.direction.values()):
            raise InvalidInput(
                f"Feature {self.name} has the directions {dict(self.direction)}. Use 1 or -1 per "
                "model, and leave out a model for which the sense is not known."
            )

    def _check_words(self) -> None:
        for part in ("meaning", "unit", "null_means", "group", "high", "low"):
            text = getattr(self, part)
            if not text.strip() or "\n" in text:
                raise InvalidInput(f"Feature {self.name} has no {part}. Give it one line of text.")


def _is_range(minimum: float | None, maximum: float | None) -> bool:
    return minimum is not None and maximum is not None and minimum < maximum
