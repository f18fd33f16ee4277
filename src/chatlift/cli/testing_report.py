"""The report of the model test suite: pure functions from dataclasses to lines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chatlift.cli.console import heading
from chatlift.learn.scoring import Answer
from chatlift.vocabulary import ModelName
from chatlift.workflows.check import CheckReport, ModelCheck


def check_lines(check: ModelCheck) -> list[str]:
    """Return everything about one version."""
    title = check.model.replace("_", " ").upper()
    lines = [*heading(f"TESTING {title} MODEL")]
    if check.version_number is not None:
        lines.append(f"Loading v{check.version_number} from {check.location}")
    lines += [
        answer_line(check.model, place, answer) for place, answer in enumerate(check.answers, 1)
    ]
    if check.average_score is not None:
        lines.append(f"Average Score: {check.average_score:.1f}/100")
    if check.version_number is not None:
        lines.append(f"Predictions: {len(check.answers)}/{check.asked}")
    lines += [f"  {mark(finding.passed)} {finding.sentence}" for finding in check.findings]
    return [*lines, f"{mark(check.passed)} {check.model}: {_verdict(check)}"]


def mark(passed: bool) -> str:
    """Return PASS or FAIL."""
    return "PASS" if passed else "FAIL"


def answer_line(model: ModelName, place: int, answer: Answer) -> str:
    """Return one prediction in a line."""
    if model is ModelName.LEAD_SCORING:
        told = f"Lead #{place} (ID: {answer.entity_id}): Score {answer.score:.1f}/100, Quality"
    elif model is ModelName.CHURN:
        told = f"Contact #{place} (ID: {answer.entity_id}): Risk {answer.score:.1f}/100, Level"
    else:
        told = f"Contact #{place} (ID: {answer.entity_id}): Chance {answer.score:.1f}/100, Level"
    return f"{told}: {answer.band}, Recommendation: {answer.recommendation}"


def _verdict(check: ModelCheck) -> str:
    failed = [finding.name for finding in check.findings if not finding.passed]
    if check.passed:
        return f"all {len(check.findings)} checks passed"
    if failed:
        return f"{len(failed)} of {len(check.findings)} checks failed ({', '.join(failed)})"
    return f"{len(check.answers)} of {check.asked} entities got an answer"


def summary(report: CheckReport) -> list[str]:
    """Return how all versions came out."""
    passed = sum(check.passed for check in report.checks)
    return [
        *heading("TESTING SUMMARY"),
        f"Passed: {passed}/{len(report.checks)} models",
        *(f"{mark(check.passed)} {check.model}: {_verdict(check)}" for check in report.checks),
        _closing(report),
    ]


def _closing(report: CheckReport) -> str:
    if report.passed:
        return "Everything that was tested does what was measured of it."
    failed = [check for check in report.checks if not check.passed]
    worst = next((check.model for check in failed if check.version_number is not None), None)
    if worst is None:
        return "There was nothing to test. The sentences above say what to do."
    return (
        f"Not everything passed. See the sentences above; then `chatlift models rollback {worst}` "
        f"or `chatlift train {worst}`."
    )


def to_json(report: CheckReport) -> dict[str, Any]:
    """Return the report as plain values for programs."""
    return {
        "passed": report.passed,
        "models": [
            {
                "model": check.model,
                "version": check.version_number,
                "location": check.location,
                "passed": check.passed,
                "asked": check.asked,
                "average_score": check.average_score,
                "predictions": [asdict(answer) for answer in check.answers],
                "findings": [asdict(finding) for finding in check.findings],
            }
            for check in report.checks
        ],
    }
