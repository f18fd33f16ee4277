"""What there is, what is missing, and the day it will do."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.histories import at

from chatlift.learn.readiness import ReadinessReport, assess
from chatlift.learn.specs.base import EXAMPLES, Readiness
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import ModelName

SPEC = SPECS[ModelName.LEAD_SCORING]
LAST = at(100)


def examples(labels: list[int | None], *, each: int = 1, last_day: float = 100.0) -> pl.DataFrame:
    """`each` examples per entity; one entity per label, a day apart, the newest on `last_day`."""
    rows = []
    for i, label in enumerate(labels, start=1):
        ends = at(last_day - len(labels) + i)
        for nth in range(each):
            cutoff = ends - timedelta(days=20 - nth)
            rows.append([i, i, i, cutoff, ends, cutoff, 1.0, nth == 0, label])
    return pl.DataFrame(rows, schema=EXAMPLES, orient="row")


def judged(
    found: pl.DataFrame, *, through: datetime | None = LAST, by_silence: bool = False, **how: int
) -> ReadinessReport:
    floors = Readiness(**({"entities": 10, "examples": 20, "per_class": 5} | how))
    told = {"conversations": 7, "by_silence": by_silence, "through": through}
    return assess(found, SPEC, floors, **told)  # type: ignore[arg-type]


def test_enough_of_everything_is_ready() -> None:
    report = judged(examples([1, 0] * 5, each=2))
    assert report.is_ready
    assert report.sentence(SPEC) == "There is enough data to train lead_scoring."
    counted = {need.what: need.found for need in report.needs}
    assert counted == {
        "mature leads": 10,
        "mature examples": 20,
        "leads with a positive outcome": 5,
        "leads with a negative outcome": 5,
    }


def test_each_floor_counts_for_itself() -> None:
    few_wins = judged(examples([1, 1] + [0] * 20, each=2))
    assert [n.what for n in few_wins.needs if not n.is_met] == ["leads with a positive outcome"]
    few_examples = judged(examples([1, 0] * 5))
    assert [n.what for n in few_examples.needs if not n.is_met] == ["mature examples"]


def test_undecided_examples_are_counted_and_never_enough() -> None:
    report = judged(examples([None] * 50, each=2))
    assert not report.is_ready
    assert report.undecided == 100
    assert "0 mature leads of 10 needed, and none came in lately" in report.sentence(SPEC)
    assert "100 more examples are still undecided." in report.sentence(SPEC)


def test_the_day_is_told_at_the_pace_of_the_last_90_days() -> None:
    """6 leads in 90 days; 4 are missing: 4 / 6 x 90 = 60 days after the last observed one."""
    report = judged(examples([1, 0] * 3, each=4))
    leads = report.needs[0]
    assert (leads.found, leads.needed, leads.ready_on) == (6, 10, at(160))
    assert f"by {at(160):%Y-%m-%d}" in report.sentence(SPEC)


def test_what_stopped_coming_in_has_no_day() -> None:
    report = judged(examples([1, 0] * 3, each=4), through=at(300))
    assert report.needs[0].ready_on is None
    assert "none came in lately" in report.sentence(SPEC)


def test_nothing_at_all_is_told_without_a_day() -> None:
    report = judged(EXAMPLES.to_frame(), through=None)
    assert not report.is_ready
    assert "0 mature leads of 10 needed" in report.sentence(SPEC)


def test_conversations_count_only_where_silence_is_the_label() -> None:
    found = examples([1, 0] * 5, each=2)
    assert judged(found, conversations=50).is_ready
    report = judged(found, conversations=50, by_silence=True)
    assert "7 conversations of 50 needed" in report.sentence(SPEC)


@given(st.lists(st.sampled_from([0, 1, None]), max_size=60), st.integers(1, 3))
def test_more_data_never_makes_less_ready(labels: list[int | None], each: int) -> None:
    fewer, more = judged(examples(labels, each=each)), judged(examples([*labels, 1, 0], each=each))
    assert more.is_ready or not fewer.is_ready
    assert all(m.found >= f.found for f, m in zip(fewer.needs, more.needs, strict=True))
    assert fewer.is_ready == all(need.is_met for need in fewer.needs)


@pytest.mark.parametrize("model", list(ModelName))
def test_every_spec_tells_what_it_lacks_of_an_empty_account(model: ModelName) -> None:
    spec = SPECS[model]
    report = assess(
        EXAMPLES.to_frame(), spec, spec.readiness, conversations=0, by_silence=True, through=None
    )
    sentence = report.sentence(spec)
    assert sentence.startswith(f"Not enough data to train {model}: 0 mature {spec.entity}s of ")
    assert sentence.endswith("Import more history, or wait and train again.")
