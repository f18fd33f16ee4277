"""Predictions as people and programs read them: pure functions from a report to text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from chatlift.learn.explain import NOTHING_STANDS_OUT, Reason
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.scores import Prediction
from chatlift.sources.spreadsheet_text import escaped
from chatlift.vocabulary import ModelName
from chatlift.workflows.predict import PredictReport

SCORE_WORDS = {
    ModelName.LEAD_SCORING: "Score",
    ModelName.CHURN: "Risk",
    ModelName.ENGAGEMENT: "Chance",
}
BETWEEN_REASONS = " | "
"""In a cell of a CSV; a reason itself may hold a semicolon."""
CSV_COLUMNS = (
    "id",
    "state",
    "score",
    "probability",
    "band",
    "trend",
    "recommendation",
    "reasons_for",
    "reasons_against",
    "best_time",
    "model_version",
    "basis",
    "as_of",
)


def table_lines(report: PredictReport) -> list[str]:
    """Return the answers as lines for a person, with all that has to be said about them."""
    spec = SPECS[report.model]
    lines = [
        f"{spec.question} {report.model} v{report.version_number} (basis: {report.basis}), "
        f"as of {report.as_of:%Y-%m-%d %H:%M} UTC",
        *_notes(report),
        *_answers(report.model, report.predictions),
    ]
    if report.past_horizon:
        lines += ["", f"Open past their {spec.entity}'s horizon, so no longer what was learned:"]
        lines += _answers(report.model, report.past_horizon)
    if not report.predictions and not report.past_horizon:
        lines.append(f"No {spec.entity} can be scored at this instant.")
    return lines


def _notes(report: PredictReport) -> list[str]:
    high = SPECS[report.model].bands.high
    notes = [f"Warning: {warning}" for warning in report.warnings]
    if report.is_stale:
        notes.append(
            "Note: the data ends there, more than a day ago; the answers hold for that instant. "
            "Import newer data for today's."
        )
    if report.in_hindsight:
        notes.append("Note: in hindsight: this version has seen later outcomes.")
    if report.predictions and not report.has_high:
        notes.append(f"Note: nothing reaches the highest band ({high}).")
    notes += [
        f"Note: {source} ended at {end:%Y-%m-%d %H:%M} UTC; the answers about its contacts hold "
        "for that instant."
        for source, end in report.ended_before.items()
    ]
    return [*notes, *unscored_lines(report)]


def unscored_lines(report: PredictReport) -> list[str]:
    """Return a line for each asked-for id without an answer, with the reason."""
    return [f"Note: no score for {name}: {why}." for name, why in report.not_scored.items()]


def _answers(model: ModelName, predictions: Sequence[Prediction]) -> list[str]:
    if not predictions:
        return []
    entity = SPECS[model].entity.capitalize()
    width = max(len(entity), *(len(prediction.external_id) for prediction in predictions))
    head = f"{'#':>3}  {entity:<{width}}  {SCORE_WORDS[model]:>6}  {'Band':<6}  {'Trend':<15}  "
    lines = ["", head + "Recommendation"]
    for place, prediction in enumerate(predictions, 1):
        answer = prediction.answer
        lines += [_row(place, prediction, width), *_reasons(answer.reasons)]
        if answer.best_time:
            lines.append(f"       When: {answer.best_time}")
    return lines


def _row(place: int, prediction: Prediction, width: int) -> str:
    answer = prediction.answer
    return (
        f"{place:>3}  {prediction.external_id:<{width}}  {answer.score:>6.1f}  {answer.band:<6}  "
        f"{answer.trend.replace('_', ' '):<15}  {answer.recommendation}"
    )


def _reasons(reasons: Sequence[Reason]) -> list[str]:
    told = {sign: words_of(reasons, raises=raises) for sign, raises in (("+", True), ("-", False))}
    lines = [f"       {sign} {text}" for sign, words in told.items() for text in words]
    return lines or [f"       {NOTHING_STANDS_OUT}"]


def words_of(reasons: Iterable[Reason], *, raises: bool) -> list[str]:
    """Return the words of the reasons that raise a score, or lower it."""
    return [reason.words for reason in reasons if reason.raises is raises]


def csv_text(report: PredictReport) -> str:
    """Return one row per answer; a cell that a spreadsheet would run as a formula is quoted."""
    told = io.StringIO()
    writer = csv.writer(told, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for prediction in (*report.predictions, *report.past_horizon):
        writer.writerow([harmless(cell) for cell in _cells(report, prediction)])
    return told.getvalue()


def _cells(report: PredictReport, prediction: Prediction) -> list[str | float]:
    answer = prediction.answer
    return [
        prediction.external_id,
        answer.state,
        answer.score,
        round(answer.probability, 6),
        answer.band,
        answer.trend,
        answer.recommendation,
        BETWEEN_REASONS.join(words_of(answer.reasons, raises=True)),
        BETWEEN_REASONS.join(words_of(answer.reasons, raises=False)),
        answer.best_time or "",
        report.version_number,
        report.basis,
        answer.as_of.isoformat(),
    ]


def harmless(cell: str | float) -> str | float:
    """Return a cell that no spreadsheet takes for a formula.

    Examples
    --------
    >>> harmless("=1+1"), harmless(-0.5)
    ("'=1+1", -0.5)
    """
    return escaped(cell) if isinstance(cell, str) else cell


def to_json(report: PredictReport) -> dict[str, Any]:
    """Return the report as plain values for programs."""
    return {
        "model": report.model,
        "model_version": report.version_number,
        "basis": report.basis,
        "as_of": report.as_of,
        "in_hindsight": report.in_hindsight,
        "is_stale": report.is_stale,
        "has_high": report.has_high,
        "warnings": report.warnings,
        "predictions": [_to_json(report, prediction) for prediction in report.predictions],
        "past_horizon": [_to_json(report, prediction) for prediction in report.past_horizon],
        "not_scored": report.not_scored,
        "ended_before": report.ended_before,
    }


def _to_json(report: PredictReport, prediction: Prediction) -> dict[str, Any]:
    answer = prediction.answer
    return {
        "id": prediction.external_id,
        "number": answer.entity_id,
        "state": answer.state,
        "score": answer.score,
        "probability": answer.probability,
        "interval": answer.interval,
        "band": answer.band,
        "trend": answer.trend,
        "reasons": [asdict(reason) for reason in answer.reasons],
        "recommendation": answer.recommendation,
        "best_time": answer.best_time,
        "model_version": report.version_number,
        "as_of": answer.as_of,
    }
