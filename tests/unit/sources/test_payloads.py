from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatlift.errors import InvalidInput
from chatlift.sources import payloads
from chatlift.sources.payloads import Body, read_bodies

ONE: dict[str, Any] = {"entry": [{"text": "grüß\ndich"}]}
TWO: dict[str, Any] = {"entry": []}


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def values(path: Path) -> list[object]:
    return [body.value for body in read_bodies(path)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("array.json", json.dumps([ONE, TWO], indent=2)),
        ("named.json", json.dumps({"one": ONE, "two": TWO}, indent=2)),
        ("array_on_one_line.json", json.dumps([ONE, TWO])),
        ("lines.jsonl", json.dumps(ONE) + "\r\n\n" + json.dumps(TWO)),
        ("lines.json", json.dumps(ONE) + "\n" + json.dumps(TWO) + "\n"),
        ("marked.ndjson", b"\xef\xbb\xbf" + f"{json.dumps(ONE)}\n{json.dumps(TWO)}\n".encode()),
    ],
)
def test_all_forms_of_a_file_give_the_same_bodies(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    assert values(written(tmp_path, name, content)) == [ONE, TWO]


@pytest.mark.parametrize("indent", [None, 2])
def test_one_body_may_stand_alone(tmp_path: Path, indent: int | None) -> None:
    assert values(written(tmp_path, "one.json", json.dumps(ONE, indent=indent))) == [ONE]


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    written(tmp_path, "b.json", json.dumps(TWO))
    written(tmp_path, "a.jsonl", json.dumps(ONE))
    written(tmp_path, "notes.txt", "no payload")
    assert values(tmp_path) == [ONE, TWO]


def test_a_folder_without_payloads_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no file of payloads"):
        values(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{broken", "no JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"{}\0", "no JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "too long"),
    ],
)
def test_what_cannot_be_read_is_refused_without_telling_its_content(
    tmp_path: Path, content: bytes, told: str
) -> None:
    (body,) = read_bodies(written(tmp_path, "bad.json", content))
    assert body.value is None
    assert body.refusal is not None
    assert told in body.refusal


def test_a_body_among_several_of_a_document_tells_its_place(tmp_path: Path) -> None:
    bodies = read_bodies(written(tmp_path, "two.json", json.dumps([ONE, TWO])))
    assert [body.file_name for body in bodies] == ["two.json, body 1", "two.json, body 2"]


def test_a_bad_line_leaves_the_others(tmp_path: Path) -> None:
    path = written(tmp_path, "x.jsonl", "{broken\n\n" + json.dumps(ONE))
    bad, good = read_bodies(path)
    assert (bad.line_number, bad.refusal is not None) == (1, True)
    assert good == Body(file_name="x.jsonl", value=ONE, line_number=3)


def test_a_line_without_end_is_skipped_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payloads, "LONGEST_LINE_BYTES", 100)
    path = written(tmp_path, "x.jsonl", '"' + "a" * 1_000 + '"\n' + json.dumps(TWO))
    long, good = read_bodies(path)
    assert long.line_number == 1
    assert "longer than" in (long.refusal or "")
    assert good.value == TWO


def test_a_document_that_is_too_long_is_an_error_that_tells_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payloads, "LONGEST_DOCUMENT_BYTES", 100)
    path = written(tmp_path, "x.json", json.dumps([ONE] * 9))
    with pytest.raises(InvalidInput, match="JSON Lines"):
        values(path)
