"""Day and month told apart over a whole file, or not at all."""

import pytest

from chatlift.errors import InvalidInput
from chatlift.sources.whatsapp_export.day_order import DayOrder, date_of, day_orders
from chatlift.sources.whatsapp_export.stamps import Shape, Stamp, read_stamp

SLASH = Shape("dash", "/", 2, 4)


def stamps(*dates: str) -> list[Stamp]:
    found = [read_stamp(f"{date}, 10:00 - ") for date in dates]
    return [stamp for stamp in found if stamp is not None]


def order_of(*dates: str, stated: DayOrder | None = None) -> DayOrder:
    (order,) = day_orders(stamps(*dates), stated=stated).values()
    return order


def test_a_number_above_twelve_is_the_day() -> None:
    assert order_of("01/02/2024", "13/02/2024") is DayOrder.DAY_FIRST
    assert order_of("02/01/2024", "02/13/2024") is DayOrder.MONTH_FIRST


def test_the_proof_may_stand_at_the_end_of_a_long_file() -> None:
    assert order_of(*["03/04/2024"] * 999, "04/13/2024") is DayOrder.MONTH_FIRST


def test_only_one_order_may_keep_the_dates_in_time() -> None:
    # Day first: 5 January, 3 February. Month first: 1 May, then back to 2 March.
    assert order_of("05/01/2024", "03/02/2024") is DayOrder.DAY_FIRST
    assert order_of("01/05/2024", "02/03/2024") is DayOrder.MONTH_FIRST


@pytest.mark.parametrize(
    "dates",
    [
        ("01/03/2024",),
        ("01/03/2024", "01/03/2024"),
        ("01/01/2019", "02/03/2019"),  # In time either way.
        ("05/06/2024", "04/03/2024"),  # Out of time either way.
    ],
)
def test_an_open_order_is_asked_for_and_never_guessed(dates: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"two ways.*--day-first or --month-first"):
        order_of(*dates)


def test_dates_that_mean_the_same_either_way_need_no_order() -> None:
    order_of("01/01/2019", "02/02/2019")


def test_what_the_person_says_decides_an_open_order() -> None:
    assert order_of("01/03/2024", stated=DayOrder.MONTH_FIRST) is DayOrder.MONTH_FIRST


def test_what_the_person_says_does_not_stand_against_a_proof() -> None:
    assert order_of("13/03/2024", stated=DayOrder.MONTH_FIRST) is DayOrder.DAY_FIRST


def test_two_proofs_against_each_other_decide_nothing_unless_one_is_overwhelming() -> None:
    with pytest.raises(InvalidInput, match="two ways"):
        order_of("13/03/2024", "03/13/2024")
    assert order_of(*["13/03/2024"] * 21, "03/13/2024") is DayOrder.DAY_FIRST


def test_dates_with_points_begin_with_the_day_and_years_with_the_month() -> None:
    assert order_of("01.03.2024") is DayOrder.DAY_FIRST
    assert order_of("2024/01/03") is DayOrder.MONTH_FIRST


def test_each_shape_of_date_has_its_own_order() -> None:
    orders = day_orders(stamps("12/15/25", "15/12/2025"))
    assert {shape.year_digits: order for shape, order in orders.items()} == {
        2: DayOrder.MONTH_FIRST,
        4: DayOrder.DAY_FIRST,
    }


@pytest.mark.parametrize("numbers", [(30, 2, 2024), (1, 13, 2024), (0, 1, 2024), (1, 1, 2567)])
def test_a_day_there_is_not_is_none(numbers: tuple[int, int, int]) -> None:
    assert date_of(numbers, SLASH, DayOrder.DAY_FIRST) is None
