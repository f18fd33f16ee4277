"""Files that nobody but their owner may read, some of which appear whole or not at all.

The modes are given when a file or folder is made, so that neither the umask nor the folder around
it matters. Windows has no such modes; there a user's data folder is closed to others by itself.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TextIO

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
OF_OTHERS = 0o077
"""The bits of a mode that let anybody but the owner in."""
PARTIAL_SUFFIX = ".partial"
"""Ends the name of a file or folder that is being written."""


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing; those that are there stay as they are."""
    if folder.is_dir():
        return
    make_private_folder(folder.parent)
    folder.mkdir(PRIVATE_FOLDER, exist_ok=True)


def open_private(path: Path, *, encoding: str, newline: str = "\n") -> TextIO:
    """Open a text file anew for writing; one that is there is closed to others first."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    descriptor = os.open(path, flags, PRIVATE_FILE)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):  # Not `/dev/stderr`.
        close_to_others(path)
    return os.fdopen(descriptor, "w", encoding=encoding, newline=newline)


def close_to_others(path: Path) -> None:
    """Take every right of others from a file or folder that is ours; one of another's stays."""
    with suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & OF_OTHERS and sys.platform != "win32":
            path.chmod(mode & ~OF_OTHERS)


def is_open_to_others(path: Path) -> bool:
    """Whether anybody but the owner may look into a folder or change it."""
    return sys.platform != "win32" and bool(path.stat().st_mode & OF_OTHERS)


def create_private(path: Path, content: bytes) -> bool:
    """Create a file that holds exactly `content`, unless there is one of that name.

    It is written beside, synced to disk and then linked to its name: whoever finds the name finds
    all of the content, also where the machine loses its power meanwhile.

    Returns
    -------
    bool
        Whether this call created it; False: there was a file, which is as it was.
    """
    partial = _written_beside(path, content)
    try:
        _link(partial, path)
    except FileExistsError:
        return False
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def replace_private(path: Path, content: bytes) -> None:
    """Put a file with this content in the place of the one of that name, if there is one."""
    partial = _written_beside(path, content)
    try:
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def create_open(path: Path) -> BinaryIO:
    """Create a file and open it for writing; raises FileExistsError if there is one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, PRIVATE_FILE), "wb")


def write_private(path: Path, content: bytes) -> None:
    """Write a new file and sync it; raises FileExistsError if there is one of that name."""
    with create_open(path) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Sync a folder's names to disk."""
    # Windows cannot open a folder as a file; there NTFS keeps the rename by itself.
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _written_beside(path: Path, content: bytes) -> Path:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL_SUFFIX}")
    try:
        write_private(partial, content)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    return partial


def _link(partial: Path, path: Path) -> None:
    """Give a file its name; raises FileExistsError if another has it."""
    if sys.platform == "win32":
        partial.rename(path)
        return
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links, such as exFAT: two processes may both succeed there.
        if path.exists():
            raise FileExistsError(path) from None
        partial.rename(path)
