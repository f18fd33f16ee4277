"""Commands in a shell that forgot where the database is: they say so, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.installed import LEADS, installed, settings_of

from chatlift.registry.workspace import open_workspace


def chatlift(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    inherited = {n: v for n, v in os.environ.items() if not n.startswith("CHATLIFT_")}
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "chatlift", *words],
        env=inherited | {"CHATLIFT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("words", [["train"], ["worker"], ["serve", "--port", "1"]])
def test_a_shell_that_forgot_the_database_is_told_and_no_model_is_lost(
    tmp_path: Path, words: list[str]
) -> None:
    url = f"sqlite:///{(tmp_path / 'elsewhere.db').as_posix()}"
    own = settings_of(tmp_path / "home", CHATLIFT_DATABASE_URL=url)
    installed(own)
    ended = chatlift(own.home, *words)
    assert ended.returncode == 1
    assert f"The folder of artifacts {own.artifacts} cannot be used: it belongs to" in ended.stderr
    assert "--adopt" in ended.stderr
    with open_workspace(own) as workspace:
        workspace.versions.load(workspace.versions.get(LEADS, "champion"))


def test_a_person_may_let_a_database_take_the_folder_over(tmp_path: Path) -> None:
    url = f"sqlite:///{(tmp_path / 'elsewhere.db').as_posix()}"
    version = installed(settings_of(tmp_path / "home", CHATLIFT_DATABASE_URL=url))
    ended = chatlift(tmp_path / "home", "train", "--adopt")
    assert ended.returncode == 3, ended.stderr  # There is no data to train on.
    assert version.folder.exists()
    assert chatlift(tmp_path / "home", "models", "list").returncode == 0
