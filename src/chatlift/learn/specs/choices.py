"""What an account chose for a model: its own spans, floors and targets over the spec's.

`churn_rule`, `undated_outcomes` and `require_targets` stand beside the models: `{"churn_rule":
"contract", "churn": {"readiness": {"entities": 60}}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

from chatlift.errors import InvalidInput
from chatlift.learn.specs.base import ModelSpec, Readiness, Spans, Target
from chatlift.vocabulary import ChurnRule, ModelName, UndatedOutcomes

Word = TypeVar("Word", bound=StrEnum)

NEVER_ZERO = frozenset({"entities", "examples"})
"""Floors below which there is nothing to fit."""
SECTIONS = ("spans", "readiness", "targets")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Spans, floors and targets in force for one model of one account."""

    spans: Spans
    floors: Readiness
    targets: tuple[Target, ...]
    require_targets: bool = False
    """Whether a missed target refuses a version."""

    @classmethod
    def of(cls, spec: ModelSpec, settings: Mapping[str, Any]) -> Choices:
        """Read an account's settings: `{model: {spans: {...}, readiness: {...}, targets: {...}}}`.

        Beside the models stand `churn_rule`, `undated_outcomes` and `require_targets`.

        Raises
        ------
        InvalidInput
            If a name is unknown or a value cannot be used.
        """
        own = settings.get(spec.model, {})
        for section in own:
            if section not in SECTIONS:
                raise InvalidInput(
                    f"{spec.model} has no settings called {section!r}. "
                    f"There are: {', '.join(SECTIONS)}."
                )
        spans = _spans(spec, own.get("spans", {}))
        if spec.model is ModelName.CHURN:
            rule = _one_of(ChurnRule, settings, "churn_rule", ChurnRule.AUTO)
            spans = replace(spans, churn_rule=rule)
        if spec.model is ModelName.LEAD_SCORING:
            undated = _one_of(
                UndatedOutcomes, settings, "undated_outcomes", UndatedOutcomes.LEAVE_OUT
            )
            spans = replace(spans, undated_outcomes=undated)
        return cls(
            spans=spans,
            floors=_floors(spec.readiness, own.get("readiness", {})),
            targets=_targets(spec, own.get("targets", {})),
            require_targets=_require_targets(settings.get("require_targets", False)),
        )


def _spans(spec: ModelSpec, own: Mapping[str, Any]) -> Spans:
    spans = spec.spans.overridden(own)
    if spec.model is ModelName.LEAD_SCORING and min(spans.ages_days) >= spans.horizon_days:
        raise InvalidInput(
            f"No age in ages_days lies before horizon_days, which is {spans.horizon_days:g}, so no "
            "lead would be an example. Name a younger age or a longer horizon."
        )
    return spans


def _one_of(words: type[Word], settings: Mapping[str, Any], name: str, default: Word) -> Word:
    """Return the word that the account chose."""
    value = settings.get(name, default)
    if value not in set(words):
        raise InvalidInput(f"{name} is {value!r}; choose one of: {', '.join(words)}.")
    return words(str(value))


def _require_targets(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"require_targets is {value!r}; it is true or false.")
    return value


def _floors(floors: Readiness, own: Mapping[str, Any]) -> Readiness:
    known = [field.name for field in fields(Readiness)]
    for name, value in own.items():
        if name not in known:
            raise InvalidInput(
                f"No readiness floor is called {name!r}. There are: {', '.join(known)}."
            )
        fewest = 1 if name in NEVER_ZERO else 0
        if not isinstance(value, int) or isinstance(value, bool) or value < fewest:
            raise InvalidInput(
                f"The readiness floor {name} is {value!r}; give a whole number from {fewest} up."
            )
    return replace(floors, **own)


def _targets(spec: ModelSpec, own: Mapping[str, Any]) -> tuple[Target, ...]:
    known = {target.metric: target for target in spec.targets}
    for name, value in own.items():
        if name not in known:
            raise InvalidInput(
                f"{spec.model} has no target for {name!r}. It has: {', '.join(known)}."
            )
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise InvalidInput(f"The target for {name} is {value!r}; give a number.")
        highest = 100 if known[name].is_upper else 1
        if not 0 <= value <= highest:
            raise InvalidInput(
                f"The target for {name} is {value:g}; it takes a number from 0 to {highest}, "
                f"such as {known[name].bound:g}."
            )
    return tuple(
        replace(target, bound=float(own.get(target.metric, target.bound)))
        for target in spec.targets
    )
