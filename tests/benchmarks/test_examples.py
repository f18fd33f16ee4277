"""The examples in the docstrings of the benchmarks hold; pytest itself looks at src and tests."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_hold(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert doctest.testmod(module).failed == 0


def test_there_are_examples() -> None:
    common = importlib.import_module("benchmarks.common")
    assert doctest.testmod(common).attempted > 0
