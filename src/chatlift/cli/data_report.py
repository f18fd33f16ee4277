"""What a data check found, as lines and as plain values."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from chatlift.learn.data_quality import Point
from chatlift.learn.readiness import Need
from chatlift.workflows.data_check import DataReport, ModelReadiness
from chatlift.workflows.known_since import KnownSinceReport


def data_lines(report: DataReport) -> list[str]:
    """Return counts, doubts and readiness for a person."""
    return [
        "DATA",
        *_counts(report),
        "",
        "QUALITY",
        *_points(report.points),
        *_unfinished(report),
        "",
        "READINESS",
        *(line for model in report.readiness for line in _model(model)),
        *(["", "SERVING"] if report.standings else []),
        *(standing.sentence for standing in report.standings),
    ]


def known_since_lines(report: KnownSinceReport) -> list[str]:
    """Return how many values of which column are known since the creation of their record now."""
    return [
        *(f"{column.attribute}: {column.changed_count:,} changed" for column in report.columns),
        *(f"Doubtful: {doubt} Training will ask for a word on it." for doubt in report.doubts),
    ]


def _counts(report: DataReport) -> list[str]:
    found = report.counts
    lines = [
        f"{found.contacts:,} contacts, {found.conversations:,} conversations, "
        f"{found.messages:,} messages, {found.leads:,} leads ({found.leads_won:,} won, "
        f"{found.leads_lost:,} lost, {found.leads_open:,} open), {found.facts:,} facts"
    ]
    if (report.people_count, report.told_once_count) != (found.contacts, found.messages):
        lines.append(
            f"What several sources tell counts once: {report.people_count:,} people, "
            f"{report.told_once_count:,} messages"
        )
    if report.conversation_count != found.conversations:
        lines.append(
            f"{report.conversation_count:,} conversations are counted by learning: each begins "
            "after 24 hours without a message"
        )
    lines += [
        f"{span.source}: complete from {span.observed_from:%Y-%m-%d %H:%M} to "
        f"{span.observed_through:%Y-%m-%d %H:%M} UTC"
        for span in report.spans
    ]
    if report.ended_earlier_count:
        lines.append(
            f"{report.ended_earlier_count:,} contacts are complete only up to an earlier export"
        )
    return lines


def _points(points: tuple[Point, ...]) -> list[str]:
    lines = [f"  !  {_told(point)} {point.sentence}." for point in points if point.is_problem]
    fine = [point.name.replace("_", " ") for point in points if not point.is_problem]
    return [*lines, f"  ok  none of: {', '.join(fine)}" if fine else "  nothing was free of doubt"]


def _told(point: Point) -> str:
    if point.total is None:
        return f"{point.count:,}"
    return f"{point.count:,} of {point.total:,} ({point.count / max(point.total, 1):.1%})"


def _unfinished(report: DataReport) -> list[str]:
    if not report.is_forgetting_unfinished:
        return []
    return ["  !  A forgetting was cut off. Run the same `chatlift forget` again."]


def _model(model: ModelReadiness) -> list[str]:
    return [model.sentence, *(_need(need) for need in model.report.needs)]


def _need(need: Need) -> str:
    mark = "ok" if need.is_met else "NO"
    when = f", {need.when}" if need.when else ""
    remedy = f" ({need.remedy})" if need.remedy else ""
    return f"  {mark}  {need.what}: {need.found:,}, {need.needed:,} needed{when}{remedy}"


def to_json(report: DataReport) -> dict[str, Any]:
    """Return all of it as plain values for programs."""
    models = [
        {
            "model": model.model,
            "is_ready": model.report.is_ready,
            "sentence": model.sentence,
            "undecided": model.report.undecided,
            "support": asdict(model.report.support) if model.report.support else None,
            "needs": [asdict(need) | {"is_met": need.is_met} for need in model.report.needs],
        }
        for model in report.readiness
    ]
    points = [asdict(point) | {"is_problem": point.is_problem} for point in report.points]
    serving = {standing.model: standing.sentence for standing in report.standings}
    plain = asdict(replace(report, standings=()))
    del plain["standings"]
    return plain | {"points": points, "readiness": models, "serving": serving}
