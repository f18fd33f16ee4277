"""Files that appear whole or not at all, and that nobody but their owner may read."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

PRIVATE_FILE = 0o600
PARTIAL_SUFFIX = ".partial"
"""Ends the name of a file or folder that is being written."""


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


def write_private(path: Path, content: bytes) -> None:
    """Write a new file and sync it; raises FileExistsError if there is one of that name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, PRIVATE_FILE), "wb") as file:
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
