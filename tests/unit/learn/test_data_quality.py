from dataclasses import replace

import pytest
from tests.histories import at, history

from chatlift.history import History
from chatlift.learn.data_quality import Outside, Point, examine, quiet_spans


def points(told: History, outside: Outside | None = None, *, now: float = 365) -> dict[str, Point]:
    found = examine(told, outside or Outside(), now=at(now), horizon_days=30)
    return {point.name: point for point in found}


def counts(told: History, *, now: float = 365) -> dict[str, int]:
    return {name: p.count for name, p in points(told, now=now).items() if p.is_problem}


def test_records_without_a_doubt_give_none() -> None:
    talks = [(who, "in", day + who / 10, f"{day}") for who in (1, 2) for day in range(9)]
    leads = [(1, 1, 1.0, "won", 4.0), (2, 2, 360.0, "open", None)]
    assert counts(history(contacts=[(1, 0), (2, 0)], messages=talks, leads=leads)) == {}


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (history(contacts=[(1, 0), (2, 0)], messages=[(1, "in", 1, "a")]), "contacts_without"),
        (history(contacts=[(1, 0)], messages=[(1, "in", 1, "a")] * 2), "repeated_messages"),
        (history(contacts=[(1, 0)], messages=[(1, "in", 366, "a")], through=370), "in_the_future"),
        (history(contacts=[(1, 0)], messages=[(1, "in", 9, "a")], through=8), "observed_end"),
        (history(contacts=[(1, 2)], messages=[(1, "in", 1, "a")]), "before_their_contact"),
        (
            history(contacts=[(1, 0)], messages=[(1, "in", 2, "a"), (1, "in", 1, "b")]),
            "out_of_order",
        ),
        (history(gaps=[(1, 2)]), "recorded_gaps"),
    ],
)
def test_each_doubt_is_counted_once_and_alone(told: History, name: str) -> None:
    found = counts(told)
    assert list(found.values()) == [1]
    assert name in next(iter(found))


def test_an_open_lead_is_overdue_by_what_was_observed_not_by_the_clock() -> None:
    told = [(1, "in", 1.0, "a")]
    leads = [(1, 1, 5.0, "open", None), (2, 1, 20.0, "open", None)]
    seen = history(contacts=[(1, 0)], messages=told, leads=leads, through=40)
    assert counts(seen, now=900)["leads_without_outcome"] == 1  # Day 5 + 30 is over, 20 + 30 not.


def test_leads_that_cannot_be_so_are_told() -> None:
    leads = [(1, 1, 5.0, "won", 4.0), (2, 2, 5.0, "lost", None)]
    told = history(contacts=[(1, 0), (2, 0)], messages=[(1, "in", 1, "a")], leads=leads)
    assert counts(told) == {
        "contacts_without_messages": 1,
        "leads_closed_before_they_came": 1,
        "outcomes_without_a_date": 1,
        "leads_without_messages": 1,
    }


def test_a_lively_source_that_falls_silent_for_a_week_is_suspicious() -> None:
    days = [*range(30), *range(38, 60)]
    told = history(contacts=[(1, 0)], messages=[(1, "in", float(day), str(day)) for day in days])
    assert quiet_spans(told).rows() == [("story", at(30).date(), 8)]
    rare = history(contacts=[(1, 0)], messages=[(1, "in", 20.0 * n, str(n)) for n in range(9)])
    assert quiet_spans(rare).is_empty()


def test_what_the_database_counted_is_told_with_its_share() -> None:
    told = history(contacts=[(1, 0)], messages=[(1, "in", 1, "a")])
    found = points(told, Outside(unknown_directions=3, shared_phones=2))
    assert (found["unknown_directions"].count, found["unknown_directions"].total) == (3, 4)
    assert found["contacts_sharing_a_phone"].count == 2


def test_nothing_at_all_is_no_doubt() -> None:
    assert counts(replace(history(), observations=history().observations.clear())) == {}
