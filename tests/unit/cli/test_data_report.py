from dataclasses import replace
from datetime import UTC, datetime

from tests.unit.cli.samples import version

from chatlift.cli.data_report import data_lines, to_json
from chatlift.cli.json_text import json_text
from chatlift.learn.data_quality import Point
from chatlift.learn.readiness import Need, Pace, ReadinessReport
from chatlift.registry.standing import standing_of
from chatlift.store.crm import RecordCounts
from chatlift.vocabulary import ModelName, Verdict
from chatlift.workflows.data_check import DataReport, ModelReadiness, SourceSpan

REFUSED = version(is_champion=False, verdict=Verdict.REFUSE)
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
COUNTS = RecordCounts(
    contacts=2000, conversations=1, messages=9, leads=3, leads_won=1, leads_lost=1, facts=0
)
POINTS = (
    Point(name="silent_contacts", count=500, total=2000, sentence="contacts are silent; why"),
    Point(name="recorded_gaps", count=2, total=None, sentence="gaps are there; wait"),
    Point(name="repeated_messages", count=0, total=9, sentence="repeat"),
)
CHURN = ModelReadiness(
    model=ModelName.CHURN,
    report=ReadinessReport(
        needs=(Need(what="contacts", found=7, needed=100, pace=Pace.DATED, ready_on=NOW),),
        undecided=1,
    ),
    sentence="Not enough.",
)


def report(*, is_forgetting_unfinished: bool = False) -> DataReport:
    return DataReport(
        counts=COUNTS,
        spans=(SourceSpan(source="shop", observed_from=NOW, observed_through=NOW),),
        points=POINTS,
        readiness=(CHURN,),
        standings=(standing_of(ModelName.LEAD_SCORING, [REFUSED]),),
        is_forgetting_unfinished=is_forgetting_unfinished,
        people_count=1990,
        told_once_count=9,
        conversation_count=4,
        ended_earlier_count=3,
    )


def test_doubts_come_with_their_share_and_what_is_fine_in_one_line() -> None:
    lines = data_lines(report())
    assert "  !  500 of 2,000 (25.0%) contacts are silent; why." in lines
    assert "  !  2 gaps are there; wait." in lines
    assert "  ok  none of: repeated messages" in lines
    assert "  NO  contacts: 7, 100 needed, at the present pace by 2026-03-01" in lines


def test_what_was_refused_is_told_with_its_check() -> None:
    lines = data_lines(report())
    told = lines[lines.index("SERVING") + 1]
    assert "v7 was refused by the check better: Worse. Nothing else serves." in told
    assert "SERVING" not in data_lines(replace(report(), standings=()))


def test_people_of_several_sources_and_older_exports_are_told_of() -> None:
    lines = data_lines(report())
    assert "What several sources tell counts once: 1,990 people, 9 messages" in lines
    assert any(line.startswith("4 conversations are counted by learning") for line in lines)
    assert "3 contacts are complete only up to an earlier export" in lines


def test_a_forgetting_that_was_cut_off_is_told() -> None:
    assert not any("forget" in line for line in data_lines(report()))
    told = data_lines(report(is_forgetting_unfinished=True))
    assert any("chatlift forget" in line for line in told)


def test_programs_get_the_same() -> None:
    told = to_json(report())
    assert [point["is_problem"] for point in told["points"]] == [True, True, False]
    assert told["readiness"][0]["needs"][0]["is_met"] is False
    assert "v7 was refused" in told["serving"]["lead_scoring"]
    assert json_text(told)
