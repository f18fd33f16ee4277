"""The log file: timestamps, and where an error arose without any value."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatlift.cli.log_file import open_log
from chatlift.errors import InvalidInput

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CELL = "a customer's words"


def test_every_line_carries_its_instant(tmp_path: Path) -> None:
    path = tmp_path / "training_log.txt"
    with open_log(path, lambda: NOON) as logs:
        for log in logs:
            log.write("Modèle \N{ROCKET}")
            log.write("")
    told = path.read_text(encoding="utf-8").splitlines()
    assert told == ["2026-03-01 12:00:00 Modèle \N{ROCKET}", "2026-03-01 12:00:00"]


def test_an_error_that_passes_by_is_kept_by_type_and_place(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with pytest.raises(ValueError, match=CELL), open_log(path, lambda: NOON):
        raise ValueError(CELL)
    told = path.read_text(encoding="utf-8")
    assert "ValueError" in told
    assert "test_log_file.py" in told
    assert CELL not in told


def test_no_path_means_no_log() -> None:
    with open_log(None, lambda: NOON) as logs:
        assert logs == ()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    place = tmp_path / "nowhere" / "log.txt"
    with pytest.raises(InvalidInput, match="cannot be written"), open_log(place, lambda: NOON):
        pass
