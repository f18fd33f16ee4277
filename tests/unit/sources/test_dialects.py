from __future__ import annotations

from pathlib import Path

import pytest

from chatlift.errors import InvalidInput
from chatlift.sources.dialects import detect_encoding, detect_separator, named_separator


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("id,name\na,Zoë\n".encode(), "utf-8"),
        ("id,name\na,Zoë\n".encode("utf-8-sig"), "utf-8-sig"),
        ("id,name\na,Zoë\n".encode("utf-16"), "utf-16"),
        ("id,name\na,Zoë\n".encode("utf-16-le"), "utf-16-le"),
        ("id,имя\na,Зоя\n".encode("utf-16-be"), "utf-16-be"),
        ("id,name\na,Zoë \u2013 x\n".encode("cp1252"), "cp1252"),
        (b"id,name\na,\x81\xe9\n", "latin-1"),
        (b"id,text\na,one\0two\n", "utf-8"),
        (b"id,name\n" + b"\xc3", "cp1252"),
        (b"", "utf-8"),
    ],
)
def test_the_encoding_is_found_from_the_bytes(
    tmp_path: Path, content: bytes, encoding: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    assert detect_encoding(path) == encoding


def test_an_umlaut_far_down_still_decides(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"id,name\n" + b"a,plain\n" * 400_000 + "b,Zoë\n".encode("cp1252"))
    assert detect_encoding(path) == "cp1252"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_beside_others_in_the_cells(separator: str) -> None:
    rows = [["id", "name", "note"], ["1", '"a,b;c|d"', "x"], ["2", "e", '"f,g,h"']]
    assert detect_separator("\n".join(separator.join(row) for row in rows)) == separator


def test_a_separator_may_be_named_by_sign_or_word() -> None:
    assert (named_separator("tab"), named_separator(";")) == ("\t", ";")
    with pytest.raises(InvalidInput, match="semicolon"):
        named_separator("space")
