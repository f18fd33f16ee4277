"""Versions, their ledger and comparisons, as a person reads them."""

from tests.unit.cli.samples import NOON, version

from chatlift.cli.json_text import json_text
from chatlift.cli.model_tables import (
    comparison_lines,
    list_lines,
    model_lines,
    to_json,
    version_lines,
)
from chatlift.registry.champions import ChangeKind, LedgerEntry
from chatlift.registry.versions import Comparison
from chatlift.vocabulary import ModelName, Verdict

NEWER = version(number=8, is_champion=False, recipe_fingerprint="other")


def test_the_list_shows_what_serves_rather_than_the_newest() -> None:
    lines = list_lines([NEWER, version()], {})
    assert len(lines) == 3
    assert lines[1].split()[:3] == ["lead_scoring", "v7", "yes"]


def test_the_list_shows_the_newest_where_none_serves() -> None:
    assert list_lines([NEWER], {})[1].split()[:3] == ["lead_scoring", "v8", "no"]


def test_the_list_tells_verdict_first_failed_check_and_damage() -> None:
    row = list_lines([version()], {})[1].split()
    assert row[3:7] == ["blend", "promote", "better", "intact"]
    fine = {"name": "better", "kind": "worth", "passed": True, "sentence": ""}
    passed = version(gate={"checks": [fine]})
    assert list_lines([passed], {1: "main file is missing"})[1].split()[3:7] == [
        "blend",
        "promote",
        "-",
        "DAMAGED",
    ]
    assert "Files: DAMAGED: main file is missing" in version_lines(
        version(), {1: "main file is missing"}
    )


def test_without_versions_it_says_what_to_do() -> None:
    assert "chatlift train" in list_lines([], {})[0]


def test_the_ledger_tells_who_moved_what_and_why() -> None:
    entry = LedgerEntry(
        model=ModelName.LEAD_SCORING,
        changed_at=NOON,
        from_number=None,
        to_number=7,
        kind=ChangeKind.PROMOTE,
        decided_by="command line",
        reason="by hand",
        figures={},
    )
    lines = model_lines(ModelName.LEAD_SCORING, [version()], [entry], {})
    assert "lead_scoring v7 serves." in lines
    told = lines[-1]
    assert told.split() == [
        "2026-03-01",
        "12:00:00",
        "promote",
        "none",
        "->",
        "v7",
        "by",
        "command",
        "line:",
        "by",
        "hand",
    ]


def test_a_version_tells_figures_checks_and_its_file() -> None:
    told = "\n".join(version_lines(version(), {}))
    assert "lead_scoring v7, serves" in told
    assert "lead_scoring_model.ubj" in told
    assert "R2 Score                   0.900 (95 % interval 0.800 to 1.000)" in told
    assert "  NO   Worse." in told
    assert "  note As the rule." in told
    assert "Basis: blend: a weighted sum of the prescribed algorithm" in told
    assert "raised by 4.2 points on average" in told
    assert "  Simple rule (a plain rule): ROC AUC 0.900" in told


def test_what_was_refused_is_told_beside_what_serves() -> None:
    refused = version(number=8, is_champion=False, verdict=Verdict.REFUSE)
    for lines in (
        list_lines([refused, version()], {}),
        model_lines(ModelName.LEAD_SCORING, [refused, version()], [], {}),
    ):
        assert (
            "lead_scoring v7 goes on serving: v8 was refused by the check better: Worse." in lines
        )
    alone = "\n".join(list_lines([refused], {}))
    assert "v8 was refused by the check better: Worse. Nothing else serves." in alone
    assert "chatlift train" not in alone


def test_a_comparison_sets_figures_side_by_side() -> None:
    found = Comparison(first=version(), second=NEWER, metrics={"r2": (0.86, None)})
    lines = comparison_lines(found)
    assert lines[1].split() == ["Basis", "blend", "blend"]
    assert lines[2].split() == ["R2", "Score", "0.860", "not", "measurable"]
    assert lines[-1] == "They were trained on the same data with another recipe."


def test_programs_get_one_object_per_version() -> None:
    (found,) = to_json([version()], {1: "gone"})
    assert found["filename"] == "lead_scoring_model.ubj"
    assert '"serves": true' in json_text(found)
    assert (found["failed_check"], found["damage"]) == ("better", "gone")
    assert (found["basis"], found["notes"]) == ("blend", ["As the rule."])


def test_a_version_trained_on_the_forgotten_asks_to_be_trained_again() -> None:
    marked = version(forgotten_count=2)
    asks = "v7 was trained on contacts that were forgotten since (2)"
    for lines in (
        list_lines([marked], {}),
        model_lines(ModelName.LEAD_SCORING, [marked], [], {}),
        version_lines(marked, {}),
    ):
        assert sum(asks in line for line in lines) == 1
    assert not any("forgotten" in line for line in list_lines([version()], {}))
