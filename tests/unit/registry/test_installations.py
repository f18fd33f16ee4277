"""A database that lost its content is damage, never a new installation."""

from pathlib import Path

import pytest
from tests.installed import installed, settings_of

from chatlift.registry import installations
from chatlift.registry.installations import EmptiedDatabase, open_installation


def test_an_emptied_database_is_damage_where_the_home_was_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installations, "SETTLING_SECONDS", 0.0)
    settings = settings_of(tmp_path / "home")
    installed(settings)
    (settings.home / "chatlift.db").write_bytes(b"")
    with pytest.raises(EmptiedDatabase, match="Put a backup in its place"):
        open_installation(settings)
    assert (settings.home / "chatlift.db").stat().st_size == 0


def test_an_empty_file_in_a_new_home_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "chatlift.db").touch()
    open_installation(settings_of(tmp_path)).close()
    assert (tmp_path / "chatlift.db").stat().st_size > 0
