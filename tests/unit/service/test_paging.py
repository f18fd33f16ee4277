import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlift.service.paging import BrokenCursor, cursor_of, read_cursor


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.text(max_size=50))
def test_a_cursor_reads_back_as_it_was(share: float, number: int, text: str) -> None:
    assert read_cursor(cursor_of([share, number, text]), (float, int, str)) == (share, number, text)


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        found = read_cursor(text, (float, int))
    except BrokenCursor:
        return
    assert [type(place) for place in found] == [float, int]


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(BrokenCursor, match="next_cursor"):
        read_cursor(cursor_of(["a"]), (int,))
