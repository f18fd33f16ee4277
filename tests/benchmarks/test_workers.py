from __future__ import annotations

import os

import pytest
from benchmarks.workers import ONE_THREAD, as_they_end


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in os.environ.items():
        monkeypatch.setenv(name, value)  # Puts back what a benchmark sets for its workers.
    for name in ONE_THREAD:
        monkeypatch.setenv(name, "")


def test_every_unit_comes_back_from_a_process_of_one_thread() -> None:
    names = list(ONE_THREAD)
    assert list(as_they_end(os.getenv, names[:1], 2)) == [ONE_THREAD[names[0]]]
    assert sorted(as_they_end(abs, [-3, 1, -2], 2)) == [1, 2, 3]


def test_a_unit_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(as_they_end(int, ["1", "one"], 1))
