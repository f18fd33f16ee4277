"""Tombstones beside the secret: what a database that was restored from a backup has lost.

One digest a line; without the secret nobody can tell whom it means.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

DIGEST = re.compile(r"[0-9a-f]{64}")
PARTIAL_SUFFIX = ".partial"


def keep_digests(path: Path, digests: Collection[str]) -> None:
    """Add digests to the file, made where it is missing; it is replaced whole or not at all."""
    before = kept_digests(path)
    if before >= set(digests):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    lines = sorted(before | set(digests))
    partial.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    partial.replace(path)


def kept_digests(path: Path) -> frozenset[str]:
    """Return the digests of the file; none where there is no file."""
    if not path.is_file():
        return frozenset()
    return frozenset(DIGEST.findall(path.read_text(encoding="ascii", errors="replace")))
