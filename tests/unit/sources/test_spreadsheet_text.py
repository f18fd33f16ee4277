from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatlift.sources.spreadsheet_text import escaped, unescaped

CELLS = st.text(st.sampled_from("'=+-@\t\r\n 15.a\uff1d"), max_size=6) | st.text(max_size=20)


@given(CELLS)
def test_every_text_reads_back_as_it_was(text: str) -> None:
    assert unescaped(escaped(text)) == text


@given(CELLS)
def test_no_text_runs(text: str) -> None:
    begins = escaped(text).lstrip()[:1]
    is_number = text.startswith("-") and text[1:].replace(".", "", 1).isdigit()
    assert begins not in {"=", "+", "-", "@", "\uff1d"} or is_number


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A0", "+1-2", "@SUM(A1)", "\t=1", "-1+1", "-5\n"])
def test_formulas_get_an_apostrophe(text: str) -> None:
    assert escaped(text) == f"'{text}"
