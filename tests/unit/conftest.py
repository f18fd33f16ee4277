"""A trained business on each kind of database; trained once, and not for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.trained import business_on, train_twice

from chatlift.registry.workspace import Workspace


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two fits of each model."""
    home = tmp_path_factory.mktemp("fits")
    train_twice(home)
    return home


@pytest.fixture
def shop_on(trained_home: Path, tmp_path: Path, database_url: str) -> Iterator[Workspace]:
    """The trained business on SQLite and on PostgreSQL, which the test may spoil."""
    with business_on(database_url, tmp_path / "home", trained_home) as workspace:
        yield workspace


@pytest.fixture
def shop(trained_home: Path, tmp_path: Path) -> Iterator[Workspace]:
    """The same on SQLite alone, for what makes no difference between databases."""
    url = f"sqlite:///{(tmp_path / 'home' / 'chatlift.db').as_posix()}"
    with business_on(url, tmp_path / "home", trained_home) as workspace:
        yield workspace
