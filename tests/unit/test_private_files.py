import os
import stat
import sys
from pathlib import Path

import pytest

from chatlift.private_files import create_private, replace_private

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of this kind")


def test_a_file_is_created_once(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert create_private(path, b"first")
    assert not create_private(path, b"second")
    assert path.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "key"
    replace_private(path, b"first")
    replace_private(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


@posix
def test_nobody_else_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_private(tmp_path / "key", b"secret")
        replace_private(tmp_path / "other", b"secret")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o600}


@posix
def test_a_file_system_without_links_is_served_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, _target: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert create_private(tmp_path / "key", b"first")
    assert not create_private(tmp_path / "key", b"second")
    assert (tmp_path / "key").read_bytes() == b"first"
