"""What was generated, as a person reads it."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.samples import NOON

from chatlift.cli.generation_report import opening, quality_lines, summary
from chatlift.simulate.quality import DateRange, Missing, Quality
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.store.outcomes import WriteCounts
from chatlift.workflows.generate import GenerateResult

QUALITY = Quality(
    missing=(Missing(table="contacts", column="phone", missing=9, rows=200),),
    duplicates={"contacts": 0, "messages": 2},
    outcomes={"lost": 84, "won": 36},
    directions={"in": 1},
    dates=(
        DateRange(table="leads", first=NOON, last=NOON),
        DateRange(table="facts", first=None, last=None),
    ),
)


def request(**changes: Any) -> SimulationRequest:
    return SimulationRequest(until=NOON, **changes)


RESULT = GenerateResult(
    contacts=200,
    conversations=150,
    messages=11_543,
    leads_won=36,
    leads_lost=84,
    leads_open=30,
    quality=QUALITY,
    written=WriteCounts(),
    truth_folder=Path("truth"),
)


@pytest.mark.parametrize(
    "told",
    [
        "Missing contacts.phone           9 of 200 (4.5%)",
        "Duplicates                       messages: 2",
        "Class balance, leads             lost 84 (70%), won 36 (30%)",
        "Dates, leads                     2026-03-01 to 2026-03-01",
    ],
)
def test_the_quality_table_tells(told: str) -> None:
    assert f"  {told}" in quality_lines(QUALITY)


def test_a_table_without_rows_has_no_dates() -> None:
    assert not any("Dates, facts" in line for line in quality_lines(QUALITY))


def test_the_summary_counts_everything() -> None:
    lines = summary(RESULT, request())
    assert "Messages: 11,543" in lines
    assert "Leads: 150 (120 closed, 30 open)" in lines


def test_easy_data_says_so_and_points_to_the_other() -> None:
    easy = " ".join(summary(RESULT, request()))
    assert "easy by design" in easy
    assert "--difficulty realistic" in easy
    hard = " ".join(summary(RESULT, request(difficulty=Difficulty.REALISTIC)))
    assert "easy by design" not in hard


def test_the_opening_names_what_is_made() -> None:
    assert opening(request(seed=9))[-1] == (
        "180 days until 2026-03-01 12:00 UTC, difficulty easy, seed 9"
    )
