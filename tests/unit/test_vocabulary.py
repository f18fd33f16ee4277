import pytest

from chatlift.errors import InvalidInput
from chatlift.vocabulary import ModelName, parse_models


def test_all_stands_for_the_three_models_in_order() -> None:
    expected = (ModelName.LEAD_SCORING, ModelName.CHURN, ModelName.ENGAGEMENT)
    assert parse_models("all") == expected


def test_the_platforms_old_names_are_understood() -> None:
    assert parse_models("churn_prediction") == (ModelName.CHURN,)
    assert parse_models("engagement_prediction") == (ModelName.ENGAGEMENT,)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"'sales'.*lead_scoring, churn, engagement"):
        parse_models("sales")
