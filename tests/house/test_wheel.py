"""The wheel works without the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]


def run(command: list[str], folder: Path, **variables: str) -> str:
    """Return what the command prints; if it fails, so does the test, with its words."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**plain, "PYTHONUTF8": "1", **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed in {folder}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the pinned backend that is installed, without any index."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    run([*PIP, "wheel", *options, str(ROOT)], folder)
    (built,) = folder.glob("chatlift-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel's content and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--no-deps", "--no-index", "--target", str(folder)]
    run([*PIP, "install", *options, str(wheel)], folder)
    return folder


def test_the_wheel_holds_the_whole_package_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "chatlift").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    held = {name for name in names if ".dist-info/" not in name}
    assert held == sources


def test_the_installed_command_is_not_the_repositorys(installed: Path, tmp_path: Path) -> None:
    told = "import chatlift, sys; sys.stdout.write(chatlift.__file__)"
    found = run([sys.executable, "-c", told], tmp_path, PYTHONPATH=str(installed))
    assert Path(found).is_relative_to(installed)


def test_the_command_tells_its_help_far_from_the_repository(
    installed: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "chatlift", "--help"]
    told = run(command, tmp_path, PYTHONPATH=str(installed))
    assert "train" in told
