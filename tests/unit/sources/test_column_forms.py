from __future__ import annotations

import polars as pl
import pytest

from chatlift.errors import InvalidInput
from chatlift.sources.cells import DateOrder, Shape
from chatlift.sources.column_forms import (
    ValueKind,
    count_signs,
    date_order,
    instant_form,
    value_form,
)


def counts_of(values: list[str]) -> dict[str, int]:
    cells = pl.DataFrame({"c": values}, schema={"c": pl.String})
    counted = count_signs(cells, {"c": None})
    return dict(zip(counted["sign"], counted["count"], strict=True))


def in_one_spelling(values: list[str]) -> list[str]:
    form = value_form(counts_of(values))
    return pl.DataFrame({"c": values}).select(form.one_spelling(pl.col("c"))).to_series().to_list()


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["03/04/2025", "13/04/2025"], DateOrder.DAY_FIRST),
        (["03/04/2025", "04/13/2025"], DateOrder.MONTH_FIRST),
        (["03.04.2025", "05.06.2025"], DateOrder.DAY_FIRST),
        (["2025-03-04", "05/05/2025"], None),
        (["03/04/2025"] + ["25/04/2025"] * 200 + ["04/25/2025"], DateOrder.DAY_FIRST),
    ],
)
def test_all_values_of_a_column_together_tell_the_order(
    values: list[str], order: DateOrder | None
) -> None:
    assert date_order(counts_of(values), "day", "a.csv") == order


def test_an_order_that_stays_open_is_asked_for_and_never_guessed() -> None:
    open_order = counts_of(["03/04/2025", "05/06/2025"])
    with pytest.raises(InvalidInput, match="--day-first"):
        date_order(open_order, "day", "a.csv")
    said = DateOrder.MONTH_FIRST
    assert date_order(open_order, "day", "a.csv", said) is said


def test_a_column_that_mixes_orders_is_refused() -> None:
    with pytest.raises(InvalidInput, match="mixes"):
        date_order(counts_of(["13/04/2025", "04/13/2025"]), "day", "a.csv")


def test_only_shapes_that_occur_are_tried() -> None:
    counts = counts_of(["2025-01-01 10:00", "2025-01-01T10:00Z"])
    form = instant_form(counts, "at", "a.csv", said=None, date_format=None, time_zone="UTC")
    assert form.shapes == {Shape.PLAIN, Shape.ZONED}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["yes", "No", "ja"], ValueKind.FLAG),
        (["yes", "no", "maybe"], ValueKind.TEXT),
        (["1", "0"], ValueKind.TEXT),
        (["1,5", "2.000,25"], ValueKind.NUMBER),
        (["1.5", "2000"], ValueKind.TEXT),
        (["007", "12"], ValueKind.TEXT),
        (["13/04/2025", "02/05/2025"], ValueKind.DATE),
        (["2025-01-01"], ValueKind.TEXT),
        (["Rome", "5"], ValueKind.TEXT),
        ([], ValueKind.TEXT),
    ],
)
def test_further_columns_are_of_a_kind_only_where_all_values_agree(
    values: list[str], kind: ValueKind
) -> None:
    assert value_form(counts_of(values)).kind is kind


@pytest.mark.parametrize("values", [["1,234", "2,500"], ["03/04/2025"], ["1,5", "1.5"]])
def test_values_that_can_be_read_in_two_ways_stay_and_are_told(values: list[str]) -> None:
    assert value_form(counts_of(values)).doubt is not None
    assert in_one_spelling(values) == values


def test_values_come_into_one_spelling() -> None:
    assert in_one_spelling(["1.234,5", "7"]) == ["1234.5", "7"]
    assert in_one_spelling(["S\u00ed", "no"]) == ["true", "false"]
    assert in_one_spelling(["13/4/2025", "2/5/2025"]) == ["2025-04-13", "2025-05-02"]
    assert in_one_spelling(["13/4/2025 9:05", "2/5/2025"]) == [
        "2025-04-13 09:05:00",
        "2025-05-02 00:00:00",
    ]
