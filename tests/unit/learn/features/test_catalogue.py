"""Which way an answer may move as a column grows, where that is known beforehand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chatlift.errors import InvalidInput
from chatlift.learn.features.catalogue import all_features, catalogue
from chatlift.vocabulary import ModelName


def test_a_direction_stands_only_for_models_that_look_at_the_feature() -> None:
    for model in ModelName:
        names = {feature.name for feature in catalogue(model)}
        directed = {feature.name for feature in all_features() if model in feature.direction}
        assert directed <= names


def test_a_direction_is_one_or_minus_one() -> None:
    with pytest.raises(InvalidInput, match="Use 1 or -1"):
        replace(all_features()[0], direction={ModelName.CHURN: 2})
