"""Runs as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from chatlift.cli.figures import name_of, told_number
from chatlift.cli.log_file import failure_lines
from chatlift.cli.progress import described
from chatlift.registry.run_events import RunEvent
from chatlift.registry.run_rows import Run
from chatlift.vocabulary import ModelName, Progress, RunEventKind


def list_lines(runs: Sequence[Run]) -> list[str]:
    """Return one line per run."""
    if not runs:
        return ["There are no runs yet. Start one with: chatlift train"]
    head = f"{'Run':<36}  {'Model':<13}  {'Status':<11}  {'Created (UTC)':<16}  {'Took':>7}"
    return [head, *(_row(run) for run in runs)]


def _row(run: Run) -> str:
    return (
        f"{run.run_id:<36}  {run.requested_model:<13}  {run.status:<11}  "
        f"{run.created_at:%Y-%m-%d %H:%M}  {_took(run):>7}"
    )


def _took(run: Run) -> str:
    if run.started_at is None or run.completed_at is None:
        return f"{run.progress_percent:.0f} %"
    return f"{(run.completed_at - run.started_at).total_seconds():.0f} s"


def run_lines(run: Run) -> list[str]:
    """Return how one run went, with where it broke, if it did."""
    asked = ", ".join(f"{name} = {value}" for name, value in run.request.items())
    lines = [
        f"Run {run.run_id}: {run.status}",
        f"Asked for: {run.requested_model} ({asked})",
        f"Progress: {run.progress_percent:.0f} %, phase {run.phase}, attempt {run.attempt}",
        f"Message: {run.message}",
    ]
    for model, told in run.verdicts.items():
        lines.append(f"{model}: {told['sentence']}")
        lines += _metrics(run.metrics.get(model, {}))
    return [*lines, *(failure_lines(run.error) if run.error and "frames" in run.error else [])]


def _metrics(metrics: Any) -> list[str]:
    told = [f"{name_of(n)} {told_number(n, v)}" for n, v in metrics.items() if v is not None]
    return [f"  {', '.join(told)}"] if told else []


def event_line(event: RunEvent) -> str:
    """Return what a run told, with the instant (UTC)."""
    return f"{event.told_at:%Y-%m-%d %H:%M:%S} {_told(event.kind, event.data)}"


def _told(kind: RunEventKind, data: Mapping[str, Any]) -> str:
    match kind:
        case RunEventKind.QUEUED:
            by = f", asked for by {data['requested_by']}" if data["requested_by"] else ""
            return f"queued: {', '.join(data['models'])}{by}"
        case RunEventKind.STARTED:
            return f"started: attempt {data['attempt']}"
        case RunEventKind.PROGRESS:
            return f"{data['percent']:3.0f} % {described(_step(data))}"
        case RunEventKind.MODEL:
            return f"{data['model']}: {data['sentence']}"
        case RunEventKind.STOPPING:
            return "somebody asked it to stop"
        case RunEventKind.REQUEUED:
            return f"queued again after attempt {data['attempt']}: {data['message']}"
        case RunEventKind.ENDED:
            return f"{data['status']}: {data['message']}"


def _step(data: Mapping[str, Any]) -> Progress:
    return Progress(
        phase=data["phase"],
        fraction=data["percent"] / 100,
        message=data["message"],
        model=None if data["model"] is None else ModelName(data["model"]),
    )


def to_json(run: Run) -> dict[str, Any]:
    """Return a run as plain values for programs."""
    told = asdict(run)
    del told["account_id"]
    return told
