"""All specs, by the name of their model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from chatlift.learn.specs import churn, engagement, lead_scoring
from chatlift.learn.specs.base import ModelSpec
from chatlift.vocabulary import ModelName

SPECS: Mapping[ModelName, ModelSpec] = MappingProxyType(
    {spec.model: spec for spec in (lead_scoring.SPEC, churn.SPEC, engagement.SPEC)}
)
