"""Files on their way in: private, gone afterwards, and swept where a process was killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatlift.registry.upload_folders import sweep_uploads, upload_folder, uploads_of

HOLDER = """
import sys
from pathlib import Path
from chatlift.registry.upload_folders import upload_folder
with upload_folder(Path(sys.argv[1])) as folder:
    (folder / "contacts.csv").write_text("canary")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has a file on its way in."""
    started = subprocess.Popen(  # noqa: S603 - this interpreter, fixed words
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        yield started
        started.kill()


def left(home: Path) -> list[str]:
    return sorted(path.name for path in uploads_of(home).rglob("*"))


def test_a_folder_is_private_and_goes_with_all_in_it(tmp_path: Path) -> None:
    with upload_folder(tmp_path) as folder:
        (folder / "contacts").mkdir()
        (folder / "contacts" / "a.csv").write_text("x")
        assert folder.parent == uploads_of(tmp_path)
        if sys.platform != "win32":
            assert folder.stat().st_mode & 0o077 == 0
    assert left(tmp_path) == []


def test_it_goes_too_where_reading_it_failed(tmp_path: Path) -> None:
    with pytest.raises(KeyError), upload_folder(tmp_path):
        raise KeyError
    assert left(tmp_path) == []


def test_what_another_process_holds_is_left_alone_until_it_dies(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    assert holder.stdout is not None
    folder = Path(holder.stdout.readline().strip())
    assert sweep_uploads(tmp_path) == 0
    with upload_folder(tmp_path) as other:
        assert sweep_uploads(tmp_path) == 0
        assert other.exists()
    assert (folder / "contacts.csv").exists()
    holder.kill()
    holder.wait()
    assert sweep_uploads(tmp_path) == 1
    assert left(tmp_path) == []


def test_without_any_there_is_nothing_to_sweep(tmp_path: Path) -> None:
    assert sweep_uploads(tmp_path / "nowhere") == 0
