import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlift.service.paging import HIGHEST_NUMBER, BrokenCursor, cursor_of, read_cursor

NUMBERS = st.integers(-HIGHEST_NUMBER, HIGHEST_NUMBER)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)


@given(st.floats(-1, 1), NUMBERS, TEXTS)
def test_a_cursor_reads_back_as_it_was(share: float, number: int, text: str) -> None:
    assert read_cursor(cursor_of([share, number, text]), (float, int, str)) == (share, number, text)


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        found = read_cursor(text, (float, int))
    except BrokenCursor:
        return
    assert [type(place) for place in found] == [float, int]


@pytest.mark.parametrize(
    "places", [[0.5, 2**63], [0.5, -(10**20)], [math.inf, 1], [math.nan, 1], [1e300, 1]]
)
def test_a_place_that_no_database_can_hold_is_refused(places: list[float]) -> None:
    with pytest.raises(BrokenCursor):
        read_cursor(cursor_of(places), (float, int))


@pytest.mark.parametrize("text", ["a\0", "\ud800"])
def test_a_text_that_no_database_can_hold_is_refused(text: str) -> None:
    with pytest.raises(BrokenCursor):
        read_cursor(cursor_of([text]), (str,))


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(BrokenCursor, match="next_cursor"):
        read_cursor(cursor_of(["a"]), (int,))
