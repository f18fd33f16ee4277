from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.businesses import account_of, clock_at, write
from tests.histories import business

from chatlift.cli.data_report import data_lines, to_json
from chatlift.cli.json_text import json_text
from chatlift.errors import NotReady
from chatlift.registry.workspace import Workspace
from chatlift.workflows.data_check import KnownReadiness, check_data, check_readiness

NOW = clock_at(120)()


def test_ready_and_unready_models_say_what_there_is(trained: Workspace) -> None:
    report = check_data(trained, now=NOW)
    assert {model.model: model.report.is_ready for model in report.readiness} == {
        "lead_scoring": True,
        "churn": True,
        "engagement": True,
    }
    assert report.counts.contacts == 70
    assert not report.is_forgetting_unfinished
    assert [standing.model for standing in report.standings] == ["lead_scoring", "engagement"]
    assert "lead_scoring v2 serves." in data_lines(report)


def test_too_little_data_says_what_is_missing_and_when_it_will_do(tmp_path: Path) -> None:
    with account_of(tmp_path, business(1, contacts=20, days=90)) as workspace:
        lines = data_lines(check_data(workspace, now=NOW))
        told = "\n".join(lines)
        assert "Not enough data to train lead_scoring" in told
        assert any("NO  mature leads" in line and "pace by 202" in line for line in lines)
        assert json_text(to_json(check_data(workspace, now=NOW))).count('"is_ready": false') == 3


def test_known_readiness_is_kept_until_records_or_settings_change(tmp_path: Path) -> None:
    known = KnownReadiness()
    with account_of(tmp_path, business(1, contacts=20, days=90)) as workspace:
        first = known.told(workspace, now=NOW)
        assert first == check_readiness(workspace, now=NOW)
        assert known.told(workspace, now=NOW) is first
        assert known.told(workspace, now=NOW + timedelta(days=1)) is not first
        write(workspace, business(2, contacts=40, days=90))
        more = known.told(workspace, now=NOW)
        assert more == check_readiness(workspace, now=NOW) != first
        floors = {"churn": {"readiness": {"entities": 1}}}
        account = replace(workspace.account, settings=floors)
        assert known.told(replace(workspace, account=account), now=NOW) != more


def test_no_data_is_said_in_a_sentence(tmp_path: Path) -> None:
    with account_of(tmp_path) as workspace, pytest.raises(NotReady, match="no data to check"):
        check_data(workspace, now=NOW)
