from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from chatlift.errors import InvalidInput
from chatlift.sources.csv_files import CsvFile


def written(folder: Path, content: str | bytes) -> CsvFile:
    path = folder / "rows.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvFile(path)


def rows_of(file: CsvFile, size: int = 50_000) -> list[tuple[str | None, ...]]:
    return [row for piece in file.pieces(size) for row in piece.cells.rows()]


@pytest.mark.parametrize("size", [1, 2, 50_000])
def test_lines_are_those_on_which_rows_begin(tmp_path: Path, size: int) -> None:
    content = 'id,text\r\na,"one\r\ntwo\nthree"\n\nb,x\rc,"y\n"\nd,z'
    file = written(tmp_path, content)
    lines = [line for piece in file.pieces(size) for line in piece.lines]
    # Header 1, a 2-4, blank 5, b 6 (its line ends with a bare return), c 7-8, d 9.
    assert lines == [2, 6, 7, 9]
    assert rows_of(file, size)[0] == ("a", "one\r\ntwo\nthree")


def test_short_rows_are_filled_up_and_long_ones_complained_about(tmp_path: Path) -> None:
    (piece,) = written(tmp_path, "a,b,c\n1\n1,2,3,4,5\n,,\n").pieces()
    assert piece.cells.rows() == [("1", None, None), ("1", "2", "3")]
    assert piece.complaints.to_list() == [None, "the row has more cells than the header"]
    assert piece.extras.to_list() == [None, '["4", "5"]']


def test_headers_are_made_distinct(tmp_path: Path) -> None:
    assert written(tmp_path, "id,id, ,id (2)\n").headers == (
        "id",
        "id (2)",
        "column 3",
        "id (2) (2)",
    )


def test_excels_line_about_the_separator_is_followed(tmp_path: Path) -> None:
    file = written(tmp_path, "sep=|\r\nid|a,b;c\r\n1|2\r\n")
    assert (file.headers, rows_of(file)) == (("id", "a,b;c"), [("1", "2")])


def test_the_separator_is_the_one_that_rows_agree_on(tmp_path: Path) -> None:
    assert written(tmp_path, "id;name, first\n1;Ana\n2;Ben\n").headers == ("id", "name, first")


def test_an_encoding_that_was_named_wrongly_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("id,name\na,Zoë\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match="no utf-8"):
        CsvFile(path, encoding="utf-8")
    with pytest.raises(InvalidInput, match="'klingon'"):
        CsvFile(path, encoding="klingon")
    assert rows_of(CsvFile(path)) == [("a", "Zoë")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('id,text\na,fine\nb,"open\nc,x\n', "row of line 3"),
        ('id,text\na,"', "row of line 2"),
        ("", "no header"),
        ("\n \n,,\n", "no header"),
        (",".join("x" * 3_000), "3,000 columns"),
        ("id,text\na,{}\n".format("x" * 1_000_001), "line 2 on"),
        ('id,text\na,"{}"\n'.format("x\n" * 600_000), "line 2 on"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_place(
    tmp_path: Path, content: str, told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        rows_of(written(tmp_path, content))


def test_a_huge_line_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.write(b"id,text\n")
        file.seek(200_000_000)  # The rest is NULs: a sparse file of 200 MB on one line.
        file.write(b"x")
    tracemalloc.start()
    with pytest.raises(InvalidInput, match="Line 2"):
        rows_of(CsvFile(path))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # One line of 4 million characters, its copy in the reader, and a block of a megabyte.
    assert peak_bytes < 60_000_000


def test_nul_characters_and_byte_order_marks_are_no_obstacle(tmp_path: Path) -> None:
    file = written(tmp_path, b"\xef\xbb\xbfid,te\0xt\na,b\0c\n")
    assert (file.headers, rows_of(file)) == (("id", "text"), [("a", "b\0c")])
