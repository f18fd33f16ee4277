"""Time passes by what was observed: a horizon counts only if all of it was seen."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.histories import at, history

from chatlift import history as crm
from chatlift.history import History
from chatlift.learn.specs.observing import is_observed, observed_through, with_observation
from chatlift.records import INSTANT

DAY = st.integers(0, 100)


def seen(told: History, start: float, end: float, contact: int = 1) -> bool:
    rows = pl.DataFrame(
        {"contact_id": [contact], "start": [at(start)], "end": [at(end)]},
        schema={"contact_id": pl.Int64, "start": INSTANT, "end": INSTANT},
    )
    found = is_observed(with_observation(rows, told), told, start="start", end="end")
    return bool(found.item())


def test_a_span_is_seen_up_to_the_last_observed_instant() -> None:
    told = history(contacts=[(1, 0)], through=50)
    assert seen(told, 10, 50)
    assert not seen(told, 10, 50.001)


def test_a_gap_that_touches_the_span_leaves_it_unseen() -> None:
    told = history(contacts=[(1, 0)], through=100, gaps=[(30, 40)])
    assert seen(told, 10, 30)
    assert seen(told, 40, 60)
    assert not seen(told, 10, 30.001)
    assert not seen(told, 39.999, 60)
    assert not seen(told, 10, 90)
    assert not seen(told, 32, 35)


@given(start=DAY, length=DAY, gap=DAY, gap_length=st.integers(1, 50), through=DAY)
def test_a_span_is_seen_exactly_if_it_ended_in_time_and_no_gap_overlaps(
    start: int, length: int, gap: int, gap_length: int, through: int
) -> None:
    told = history(contacts=[(1, 0)], through=through, gaps=[(gap, gap + gap_length)])
    end = start + length
    overlaps = gap < end and gap + gap_length > start
    assert seen(told, start, end) == (end <= through and not overlaps)


def test_a_contact_that_was_observed_alone_goes_by_its_own_end() -> None:
    told = history(contacts=[(1, 0), (2, 0)], through=100)
    own = pl.DataFrame([[2, at(30)]], schema=crm.CONTACT_OBSERVATIONS, orient="row")
    told = replace(told, contact_observations=own)
    assert seen(told, 10, 100)
    assert seen(told, 10, 30, contact=2)
    assert not seen(told, 10, 30.001, contact=2)


def test_a_contact_of_an_unobserved_source_has_seen_nothing() -> None:
    told = history(contacts=[(1, 0)], through=100)
    strangers = told.contacts.with_columns(source=pl.lit("elsewhere"))
    assert not seen(replace(told, contacts=strangers), 1, 2)
    assert not seen(told, 1, 2, contact=7)


def test_a_gap_of_one_source_is_none_of_another() -> None:
    told = history(contacts=[(1, 0), (2, 0)], through=100, gaps=[(30, 40)])
    other = pl.when(pl.col("contact_id") == 2).then(pl.lit("other")).otherwise("source")
    spans = pl.DataFrame([["other", at(0), at(60)]], schema=crm.OBSERVATIONS, orient="row")
    both = replace(
        told,
        contacts=told.contacts.with_columns(source=other),
        observations=pl.concat([told.observations, spans]),
    )
    assert (seen(both, 10, 50, contact=1), seen(both, 10, 50, contact=2)) == (False, True)
    assert (seen(both, 50, 70, contact=1), seen(both, 50, 70, contact=2)) == (True, False)


def test_the_account_is_observed_through_its_latest_source() -> None:
    assert observed_through(history(through=50)) == at(50)
    assert observed_through(History()) is None
