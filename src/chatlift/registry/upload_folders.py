"""Folders for files on their way in: gone when they are read, and swept when a process died.

They lie under the data folder, whose owner alone may read them. Each is held by a lock of the
operating system, which ends with its process: what nobody holds was left behind.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from chatlift.private_files import PRIVATE_FOLDER, make_private_folder

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"


def uploads_of(home: Path) -> Path:
    """Return the folder that holds all of them."""
    return home / "uploads"


@contextmanager
def upload_folder(home: Path) -> Iterator[Path]:
    """Give an empty folder until the block ends; sweep those that were left behind."""
    root = uploads_of(home)
    make_private_folder(root)
    sweep_uploads(home)
    with _held(root) as folder:
        folder.mkdir(PRIVATE_FOLDER)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep_uploads(home: Path) -> int:
    """Delete the folders that no process holds; return how many."""
    swept = 0
    for lock in uploads_of(home).glob(f"*{LOCK}"):
        with suppress(FileNotFoundError), lock.open("rb+") as file:
            if _takes(file):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
                swept += 1
    return swept


@contextmanager
def _held(root: Path) -> Iterator[Path]:
    """Give the name of a folder whose lock is held until the block ends."""
    while True:
        with tempfile.NamedTemporaryFile(dir=root, suffix=LOCK, delete=False) as file:
            lock = Path(file.name)
            # Whoever sweeps may have taken it in between; then another is made.
            if not _takes(file.file) or not lock.exists():  # type: ignore[arg-type]
                continue
            try:
                yield lock.with_suffix("")
            finally:
                lock.unlink(missing_ok=True)
            return


def _takes(file: BinaryIO) -> bool:
    """Take the lock of an open file, if nobody holds it; it ends when the file is closed."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
