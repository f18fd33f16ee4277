"""A function above fifty lines, without its docstring, says above it why it is so long."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 50
REASON = "# Long because "
STEPS = ROOT / "src" / "chatlift" / "store" / "migrations"
"""A migration names every column of its time, and is never read as a whole."""


def unexplained(path: Path) -> Iterator[str]:
    """Yield the long functions of a file that give no reason."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        told = ast.get_docstring(node, clean=False) or ""
        length = (node.end_lineno or 0) - node.lineno - told.count("\n")
        first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
        if length > MOST_LINES and not lines[first - 2].strip().startswith(REASON):
            yield f"{path}: {node.name} has {length} lines"


def test_a_long_function_says_why() -> None:
    files = [
        path
        for folder in ("src", "apps", "benchmarks", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not path.is_relative_to(STEPS)
    ]
    assert [told for path in files for told in unexplained(path)] == []


def test_a_long_function_without_a_reason_is_seen(tmp_path: Path) -> None:
    body = "    x = 1\n" * (MOST_LINES + 1)
    silent = tmp_path / "silent.py"
    silent.write_text(f"def long():\n{body}", encoding="utf-8")
    spoken = tmp_path / "spoken.py"
    spoken.write_text(f"{REASON}it is.\ndef long():\n{body}", encoding="utf-8")
    assert [len(list(unexplained(path))) for path in (silent, spoken)] == [1, 0]
