"""The sentence of one design column: the fact and its yardstick, or nothing.

A column tells something only if its value lies on the side of the usual one, or its rate on the
side of the base rate, that went with the direction in which the score moved. So one sentence of a
version never speaks for one entity and against another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chatlift.learn.features.attributes import MISSING, OTHER, AttributeEncoder, EncodedAttribute
from chatlift.learn.features.catalogue import TEXT_PREFIX
from chatlift.learn.features.declare import Feature
from chatlift.learn.features.reading import Duration, Number, Percent, Reading
from chatlift.learn.reason_evidence import ColumnEvidence
from chatlift.learn.reason_groups import attribute_of
from chatlift.learn.specs.base import Outcome

YES_OR_NO = "yes or no"
AMOUNTS = Reading(quantity=Number(), high="{}", usual="most {}")


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the sentences of a version rest on."""

    outcome: Outcome
    base_rate: float | None
    """Share with the outcome over the training rows; None: not known, so no rate is told."""


@dataclass(frozen=True, kw_only=True)
class ColumnWords:
    """How one design column is told."""

    known: Known
    evidence: ColumnEvidence
    high: str
    """Of a value above the usual one, or of 1 in a 0/1 column."""
    low: str
    """Of a value below it, or of 0; empty: 0 is no fact."""
    missing: str = ""
    """Empty: that it is unknown is no fact."""
    reading: Reading | None = None
    is_rate: bool = False
    """Whether the yardstick is a rate: of 0/1 columns and categories."""

    def sentence(
        self, value: float, usual: float, whole: float | None, *, raises: bool
    ) -> str | None:
        """Return the fact with its yardstick; None: the value does not speak that way.

        Parameters
        ----------
        usual
            The middle value over the training rows.
        whole
            What the column is a share of, where its reading names that.
        """
        if math.isnan(value):
            return self._with_rate(self.missing, self.evidence.missing_rate, raises=raises)
        if self.is_rate:
            rate = self.evidence.rate if value == 1 else self.evidence.rate_without
            return self._with_rate(self.high if value == 1 else self.low, rate, raises=raises)
        low, high = self.evidence.middle or (usual, usual)
        side = (value > max(high, usual)) - (value < min(low, usual))
        if side * self.evidence.direction != (1 if raises else -1):
            return None
        if self.reading is None:
            return self.high if side > 0 else self.low
        return self.reading.of(value, usual, whole)

    def _with_rate(self, fact: str, rate: float | None, *, raises: bool) -> str | None:
        base = self.known.base_rate
        if not fact or rate is None or base is None or (rate > base) is not raises:
            return None
        share, usual = Percent().words(rate), Percent().words(base)
        if share == usual:
            return None
        return f"{fact}: {share} of those {self.known.outcome.happened}, {usual} of all"


def words_of_columns(
    columns: Sequence[str],
    encoder: AttributeEncoder,
    features: Mapping[str, Feature],
    evidence: Mapping[str, ColumnEvidence],
    known: Known,
) -> tuple[ColumnWords, ...]:
    """Return how each design column is told.

    Parameters
    ----------
    evidence
        By column; a column without one is told by rate or direction nowhere.
    """
    attributes = {attribute.name: attribute for attribute in encoder.attributes}
    labels = attribute_labels(tuple(attributes))
    nothing = ColumnEvidence()

    def words(column: str) -> ColumnWords:
        shown = ColumnWords(known=known, evidence=evidence.get(column, nothing), high="", low="")
        if column.startswith(TEXT_PREFIX):
            outcome = known.outcome
            high, low = (
                f"writes like those who {w}" for w in (outcome.happened, outcome.did_not_happen)
            )
            return replace(shown, high=high, low=low)
        if column in features:
            return _of_feature(shown, features[column])
        name = attribute_of(column)
        return _of_attribute(shown, column, attributes[name], labels[name])

    return tuple(words(column) for column in columns)


def _of_feature(shown: ColumnWords, feature: Feature) -> ColumnWords:
    return replace(
        shown,
        high=feature.high,
        low=feature.low,
        missing=feature.missing,
        reading=feature.reading,
        is_rate=feature.unit == YES_OR_NO,
    )


def _of_attribute(
    shown: ColumnWords, column: str, attribute: EncodedAttribute, label: str
) -> ColumnWords:
    missing = f"no {label} is given"
    if attribute.kind == "category":
        value = column.removeprefix(f"{attribute.name}=")
        if value == MISSING:
            return _of_missing(shown, missing)
        return replace(shown, high="" if value == OTHER else f"{label} {value}", is_rate=True)
    if attribute.kind == "boolean":
        return replace(
            shown, high=f"{label}: yes", low=f"{label}: no", missing=missing, is_rate=True
        )
    reading = replace(AMOUNTS, high=f"{label} {{}}")
    if attribute.kind == "date":
        reading = Reading(quantity=_Since(), high=f"{label} {{}}", usual="most {}")
    return replace(shown, reading=reading, missing=missing)


def _of_missing(shown: ColumnWords, missing: str) -> ColumnWords:
    """Return the words of a column that is 1 where a category is unknown: told only if it helps."""
    helps = replace(shown.evidence, rate=shown.evidence.missing_rate, rate_without=None)
    return replace(shown, evidence=helps, high=missing, is_rate=True)


class _Since:
    """Days from a date to now; a negative number lies ahead."""

    def words(self, value: float) -> str:
        span = Duration(24).words(abs(value))
        return f"in {span}" if value < 0 else f"{span} ago"

    def short(self, value: float) -> str:
        return self.words(value)


def attribute_labels(names: Sequence[str]) -> dict[str, str]:
    """Return how attributes are called: without their subject where only one has the name.

    Examples
    --------
    >>> attribute_labels(["lead.source", "contact.company_size"])
    {'lead.source': 'source', 'contact.company_size': 'company size'}
    >>> attribute_labels(["lead.source", "contact.source"])
    {'lead.source': "lead's source", 'contact.source': "contact's source"}
    """
    parted = {name: name.partition(".") for name in names}
    plain = [what for _, _, what in parted.values()]
    return {
        name: (f"{subject}'s {what}" if plain.count(what) > 1 else what).replace("_", " ")
        for name, (subject, _, what) in parted.items()
    }
