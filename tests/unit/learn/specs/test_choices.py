"""What an account may choose, and how a wrong choice is told."""

from __future__ import annotations

from typing import Any

import pytest

from chatlift.errors import InvalidInput
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import ChurnRule, ModelName, UndatedOutcomes

LEADS = SPECS[ModelName.LEAD_SCORING]


def chosen(**own: Any) -> Choices:
    return Choices.of(LEADS, {"lead_scoring": own})


@pytest.mark.parametrize("model", list(ModelName))
def test_without_settings_the_spec_holds(model: ModelName) -> None:
    spec = SPECS[model]
    choices = Choices.of(spec, {})
    assert (choices.spans, choices.floors) == (spec.spans, spec.readiness)
    assert choices.targets == spec.targets
    assert not choices.require_targets


def test_own_values_take_the_place_of_the_specs() -> None:
    choices = chosen(
        spans={"horizon_days": 14, "ages_days": [1, 2]},
        readiness={"entities": 30},
        targets={"mae": 25},
    )
    assert (choices.spans.horizon_days, choices.spans.ages_days) == (14.0, (1.0, 2.0))
    assert choices.spans.leading_age_days == LEADS.spans.leading_age_days
    assert (choices.floors.entities, choices.floors.per_class) == (30, 20)
    assert [(t.metric, t.bound, t.is_upper) for t in choices.targets] == [
        ("mae", 25.0, True),
        ("r2", 0.8, False),
    ]


def test_another_models_settings_are_not_this_ones() -> None:
    settings = {"churn": {"spans": {"horizon_days": 90}}}
    assert Choices.of(LEADS, settings).spans == LEADS.spans
    assert Choices.of(SPECS[ModelName.CHURN], settings).spans.horizon_days == 90.0


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"colours": {}}, "no settings called 'colours'. There are: spans, readiness, targets"),
        ({"spans": {"horizont": 5}}, "No span is called 'horizont'. There are: ages_days"),
        ({"spans": {"horizon_days": 0}}, "horizon_days is 0; it takes a positive number"),
        ({"spans": {"horizon_days": -3}}, "horizon_days is -3; it takes a positive number"),
        ({"spans": {"horizon_days": float("inf")}}, "horizon_days is inf; it takes a positive"),
        ({"spans": {"ages_days": [3, 1e9]}}, "at most 10000"),
        ({"spans": {"ages_days": [30, 40]}}, "before horizon_days, which is 30"),
        ({"targets": {"r2": 7}}, "target for r2 is 7; it takes a number from 0 to 1, such as 0.8"),
        ({"targets": {"mae": 101}}, "target for mae is 101; it takes a number from 0 to 100"),
        ({"targets": {"mae": float("nan")}}, "target for mae is nan; it takes a number"),
        ({"spans": {"horizon_days": "soon"}}, "horizon_days is 'soon'"),
        ({"spans": {"horizon_days": True}}, "horizon_days is True"),
        ({"spans": {"ages_days": []}}, r"ages_days is \[\]"),
        ({"spans": {"ages_days": [1, 0]}}, r"ages_days is \[1, 0\]"),
        ({"spans": {"ages_days": 7}}, "ages_days is 7"),
        ({"readiness": {"leads": 5}}, "No readiness floor is called 'leads'. There are: entities"),
        ({"readiness": {"entities": -1}}, "entities is -1; give a whole number"),
        ({"readiness": {"examples": 0}}, "examples is 0; give a whole number from 1 up"),
        ({"readiness": {"entities": 2.5}}, "entities is 2.5; give a whole number"),
        ({"readiness": {"entities": True}}, "entities is True; give a whole number"),
        ({"targets": {"mae": True}}, "target for mae is True; give a number"),
        ({"targets": {"f1": 0.5}}, "no target for 'f1'. It has: mae, r2"),
        ({"targets": {"mae": "low"}}, "target for mae is 'low'; give a number"),
    ],
)
def test_a_wrong_choice_is_told_with_what_is_allowed(own: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        chosen(**own)


def test_a_grid_of_nothing_is_the_one_span_that_may_be_zero() -> None:
    assert chosen(spans={"cutoff_every_days": 0}).spans.cutoff_every_days == 0.0


def test_the_churn_rule_is_of_the_account_and_matters_to_churn_alone() -> None:
    settings = {"churn_rule": "contract", "require_targets": True}
    churn = Choices.of(SPECS[ModelName.CHURN], settings)
    assert churn.spans.churn_rule is ChurnRule.CONTRACT
    assert churn.require_targets
    assert Choices.of(LEADS, settings).spans == LEADS.spans


def test_undated_outcomes_are_of_the_account_and_matter_to_leads_alone() -> None:
    settings = {"undated_outcomes": "at_creation"}
    assert Choices.of(LEADS, settings).spans.undated_outcomes is UndatedOutcomes.AT_CREATION
    assert Choices.of(LEADS, {}).spans.undated_outcomes is UndatedOutcomes.LEAVE_OUT
    churn = SPECS[ModelName.CHURN]
    assert Choices.of(churn, settings).spans == churn.spans
    with pytest.raises(InvalidInput, match="choose one of: leave_out, at_creation"):
        Choices.of(LEADS, {"undated_outcomes": "guess"})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"churn_rule": "mood"}, "churn_rule is 'mood'; choose one of: auto, silence, contract"),
        ({"require_targets": "perhaps"}, "require_targets is 'perhaps'; it is true or false"),
        ({"churn": {"spans": {"churn_rule": "silence"}}}, "No span is called 'churn_rule'"),
    ],
)
def test_a_wrong_choice_of_the_account_is_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        Choices.of(SPECS[ModelName.CHURN], settings)
