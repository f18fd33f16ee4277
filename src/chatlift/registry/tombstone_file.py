"""Tombstones beside the secret: what a database that was restored from a backup has lost.

One digest a line; without the secret nobody can tell whom it means.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from chatlift.private_files import make_private_folder, replace_private

DIGEST = re.compile(r"[0-9a-f]{64}")


def keep_digests(path: Path, digests: Collection[str]) -> None:
    """Add digests to the file, made where it is missing; it is replaced whole or not at all."""
    before = kept_digests(path)
    if before >= set(digests):
        return
    make_private_folder(path.parent)
    lines = sorted(before | set(digests))
    replace_private(path, "".join(f"{line}\n" for line in lines).encode("ascii"))


def kept_digests(path: Path) -> frozenset[str]:
    """Return the digests of the file; none where there is no file."""
    if not path.is_file():
        return frozenset()
    return frozenset(DIGEST.findall(path.read_text(encoding="ascii", errors="replace")))
