"""What was generated: the quality table and the closing summary, as lines."""

from __future__ import annotations

from chatlift.cli.console import heading
from chatlift.simulate.quality import Quality
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.workflows.generate import GenerateResult

EASY_WORDS = (
    "This data is easy by design: interest shows plainly, so that everything can be tried in a",
    "minute. Its figures say nothing about real customers. For data as hard as life, use",
    "chatlift generate --difficulty realistic",
)


def opening(request: SimulationRequest) -> list[str]:
    """Return the heading and what is about to be made."""
    return [
        *heading("GENERATING A SYNTHETIC CRM"),
        f"{request.days} days until {request.until:%Y-%m-%d %H:%M} UTC, difficulty "
        f"{request.difficulty}, seed {request.seed}",
    ]


def quality_lines(quality: Quality) -> list[str]:
    """Return the quality table."""
    return [
        "",
        "Data quality",
        *_missing(quality),
        *_duplicates(quality),
        f"  {'Class balance, leads':<32} {_shares(quality.outcomes)}",
        f"  {'Directions, messages':<32} {_shares(quality.directions)}",
        *_dates(quality),
    ]


def _missing(quality: Quality) -> list[str]:
    if not quality.missing:
        return [f"  {'Missing values':<32} none"]
    return [
        f"  {'Missing ' + m.table + '.' + m.column:<32} {m.missing:,} of {m.rows:,} "
        f"({m.missing / m.rows:.1%})"
        for m in quality.missing
    ]


def _duplicates(quality: Quality) -> list[str]:
    found = {table: count for table, count in quality.duplicates.items() if count}
    told = ", ".join(f"{table}: {count:,}" for table, count in found.items()) or "none"
    return [f"  {'Duplicates':<32} {told}"]


def _shares(counts: dict[str, int]) -> str:
    total = sum(counts.values()) or 1
    return ", ".join(f"{name} {count:,} ({count / total:.0%})" for name, count in counts.items())


def _dates(quality: Quality) -> list[str]:
    return [
        f"  {'Dates, ' + dates.table:<32} {dates.first:%Y-%m-%d} to {dates.last:%Y-%m-%d}"
        for dates in quality.dates
        if dates.first is not None and dates.last is not None
    ]


def summary(result: GenerateResult, request: SimulationRequest) -> list[str]:
    """Return the closing summary, and how easy the data is."""
    lines = [
        *heading("GENERATION SUMMARY"),
        f"Contacts: {result.contacts:,}",
        f"Conversations: {result.conversations:,}",
        f"Messages: {result.messages:,}",
        f"Leads: {result.leads:,} ({result.leads_closed:,} closed, {result.leads_open:,} open)",
        f"The truth behind them lies apart, in {result.truth_folder}",
    ]
    if request.difficulty is Difficulty.EASY:
        lines += EASY_WORDS
    return [*lines, "Go on with: chatlift train"]
