"""The report of the model test suite."""

from dataclasses import replace

from tests.unit.cli.samples import answer

from chatlift.cli.json_text import json_text
from chatlift.cli.testing_report import answer_line, check_lines, summary, to_json
from chatlift.learn.scoring import Answer
from chatlift.learn.suite import Finding
from chatlift.vocabulary import ModelName
from chatlift.workflows.check import CheckReport, ModelCheck

GOOD = Finding(name="loads", passed=True, sentence="3 files match.")
BAD = Finding(name="reproduces", passed=False, sentence="Apart by 0.2.")


def check(*findings: Finding, answers: tuple[Answer, ...] = (answer(),) * 5) -> ModelCheck:
    return ModelCheck(
        model=ModelName.LEAD_SCORING,
        version_number=7,
        location="artifacts/v7",
        findings=findings,
        answers=answers,
        asked=5,
    )


def test_each_model_tells_an_answer_in_its_own_words() -> None:
    assert answer_line(ModelName.LEAD_SCORING, 1, answer()) == (
        "Lead #1 (ID: 1): Score 87.3/100, Quality: hot, "
        "Recommendation: High priority - contact immediately"
    )
    risk = answer_line(ModelName.CHURN, 2, answer(band="high"))
    assert risk.startswith("Contact #2 (ID: 1): Risk 87.3/100, Level: high, Recommendation: ")
    assert "Chance 87.3/100" in answer_line(ModelName.ENGAGEMENT, 1, answer())


def test_a_version_that_passes_ends_with_a_verdict_in_a_line() -> None:
    lines = check_lines(check(GOOD))
    assert "Loading v7 from artifacts/v7" in lines
    assert "Average Score: 87.3/100" in lines
    assert "Predictions: 5/5" in lines
    assert lines[-1] == "PASS lead_scoring: all 1 checks passed"


def test_a_failed_finding_fails_the_version_by_name() -> None:
    lines = check_lines(check(GOOD, BAD))
    assert "  FAIL Apart by 0.2." in lines
    assert lines[-1] == "FAIL lead_scoring: 1 of 2 checks failed (reproduces)"


def test_a_missing_answer_fails_the_version() -> None:
    lines = check_lines(check(GOOD, answers=(answer(),) * 4))
    assert "Predictions: 4/5" in lines
    assert lines[-1] == "FAIL lead_scoring: 4 of 5 entities got an answer"


def test_the_summary_counts_and_closes() -> None:
    good = summary(CheckReport(checks=(check(GOOD),) * 3))
    assert "TESTING SUMMARY" in good
    assert "Passed: 3/3 models" in good
    assert good[-1].startswith("Everything that was tested")
    bad = summary(CheckReport(checks=(check(GOOD), check(BAD))))
    assert "Passed: 1/2 models" in bad
    assert "chatlift models rollback lead_scoring" in bad[-1]


def test_what_is_not_there_cannot_be_rolled_back() -> None:
    absent = replace(check(BAD, answers=()), version_number=None)
    assert summary(CheckReport(checks=(absent,)))[-1].startswith("There was nothing to test.")
    both = summary(CheckReport(checks=(absent, replace(check(BAD), model=ModelName.CHURN))))
    assert "rollback churn" in both[-1]


def test_programs_get_findings_and_predictions() -> None:
    found = to_json(CheckReport(checks=(check(GOOD),)))
    assert found["models"][0]["predictions"][0]["score"] == 87.3
    assert '"as_of": "2026-03-01T12:00:00+00:00"' in json_text(found)
