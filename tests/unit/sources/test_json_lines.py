from __future__ import annotations

from pathlib import Path

import pytest

from chatlift.errors import InvalidInput
from chatlift.sources.json_lines import JsonLinesFile


def written(folder: Path, content: str) -> JsonLinesFile:
    path = folder / "rows.jsonl"
    path.write_text(content, encoding="utf-8")
    return JsonLinesFile(path)


def test_values_become_the_texts_that_stand_there(tmp_path: Path) -> None:
    content = '{"n": 1.50, "big": 123456789012345678901234567890, "yes": true, "none": null}\n'
    (piece,) = written(tmp_path, content + '{"late": [1, {"a": 2}], "bad": "\\ud800"}\n').pieces()
    assert piece.cells.to_dicts()[0] | {"n": "1.50"} == {
        "n": "1.50",
        "big": "123456789012345678901234567890",
        "yes": "true",
        "none": None,
        "late": None,
        "bad": None,
    }
    assert piece.cells.select("late", "bad").row(1) == ('["1", {"a": "2"}]', "?")


def test_a_line_that_is_no_object_is_a_row_that_cannot_be_used(tmp_path: Path) -> None:
    (piece,) = written(tmp_path, '{"id": 1}\n\nnonsense\n[1]\n{"id": 2}\n').pieces()
    assert piece.lines.to_list() == [1, 3, 4, 5]
    assert [c is None for c in piece.complaints] == [True, False, False, True]
    assert piece.extras[1] == '["nonsense"]'


def test_hostile_lines_are_refused(tmp_path: Path) -> None:
    deep = "[" * 100_000
    (piece,) = written(tmp_path, '{"id": 1}\n{"id": ' + deep + "\n").pieces()
    assert piece.complaints[1] == "the line is no JSON object"
    with pytest.raises(InvalidInput, match="No line"):
        written(tmp_path, deep)
    with pytest.raises(InvalidInput, match="Line 1"):
        written(tmp_path, '{"id": "' + "x" * 4_000_001 + '"}')
    with pytest.raises(InvalidInput, match="columns"):
        written(tmp_path, "{" + ",".join(f'"k{n}": 1' for n in range(3_000)) + "}")
