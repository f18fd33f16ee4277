"""What an account chooses is checked before it is kept, and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatlift.errors import InvalidInput
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import Settings
from chatlift.vocabulary import ChurnRule, ModelName, UndatedOutcomes
from chatlift.workflows.account_settings import change_setting, settings_of


class Account:
    """An account that is opened anew for each question, as a new process would."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings.from_environment({}, default_home=home)

    def change(self, name: str, text: str) -> Any:
        with open_workspace(self.settings) as workspace:
            return change_setting(workspace, name, text).value

    def value(self, name: str) -> Any:
        with open_workspace(self.settings) as workspace:
            return {setting.name: setting.value for setting in settings_of(workspace)}[name]

    def choices(self, model: ModelName) -> Choices:
        with open_workspace(self.settings) as workspace:
            return Choices.of(SPECS[model], workspace.account.settings)


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


@pytest.fixture
def opened(account: Account) -> Iterator[Workspace]:
    with open_workspace(account.settings) as workspace:
        yield workspace


def test_without_own_settings_all_are_at_their_default(opened: Workspace) -> None:
    found = settings_of(opened)
    assert not any(setting.is_own for setting in found)
    names = [setting.name for setting in found]
    assert names[:4] == ["time_zone", "churn_rule", "undated_outcomes", "require_targets"]
    assert {"lead_scoring.targets.mae", "churn.readiness.entities"} <= set(names)
    assert len(names) == len(set(names))


def test_what_was_changed_is_what_training_reads(account: Account) -> None:
    account.change("churn_rule", "contract")
    account.change("undated_outcomes", "at_creation")
    account.change("require_targets", "true")
    account.change("churn.targets.f1", "0.65")
    account.change("churn.readiness.entities", "60")
    account.change("lead_scoring.spans.ages_days", "2, 5")
    account.change("time_zone", "Europe/Madrid")
    churn = account.choices(ModelName.CHURN)
    assert (churn.spans.churn_rule, churn.require_targets) == (ChurnRule.CONTRACT, True)
    assert {target.metric: target.bound for target in churn.targets}["f1"] == 0.65
    assert churn.floors.entities == 60
    leads = account.choices(ModelName.LEAD_SCORING).spans
    assert leads.ages_days == (2.0, 5.0)
    assert leads.undated_outcomes is UndatedOutcomes.AT_CREATION
    assert account.value("time_zone") == "Europe/Madrid"


def test_default_takes_an_own_value_back(account: Account) -> None:
    names = ("churn.targets.f1", "churn_rule", "time_zone")
    for name, own in zip(names, ("0.5", "silence", "Asia/Tokyo"), strict=True):
        before = account.value(name)
        assert account.change(name, own) != before
        assert account.change(name, "default") == account.value(name) == before


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_writing_down_what_is_there_changes_nothing(data: st.DataObject, opened: Workspace) -> None:
    """Every setting can be written as it is shown."""
    found = data.draw(st.sampled_from(settings_of(opened)))
    text = str(found.value).strip("()") if isinstance(found.value, tuple) else str(found.value)
    changed = change_setting(opened, found.name, text)
    assert (changed.value, changed.is_own) == (found.value, False)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("colour", "red", "No setting is called 'colour'. `chatlift settings show`"),
        ("churn_rule", "mood", "choose one of: auto, silence, contract"),
        ("undated_outcomes", "guess", "choose one of: leave_out, at_creation"),
        ("require_targets", "perhaps", "write it like false"),
        ("require_targets", "1", "it is true or false"),
        ("churn.targets.f1", "high", "write it like 0.72"),
        ("churn.readiness.entities", "-3", "give a whole number"),
        ("lead_scoring.spans.ages_days", "1,soon", "write it like 1,3,7,14,21"),
        ("lead_scoring.spans.horizon_days", "0", "takes a positive number"),
        ("time_zone", "Mars/Base", "is no IANA time zone"),
        ("time_zone", "../secret", "is no IANA time zone"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_kept(
    account: Account, name: str, text: str, told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        account.change(name, text)
    with open_workspace(account.settings) as workspace:
        assert not any(setting.is_own for setting in settings_of(workspace))
