"""Lines of log files that Chatlift wrote into its data folder, and how some of them are removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from chatlift.private_files import PARTIAL_SUFFIX, open_private

WRITTEN_BY_US = re.compile(rb"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}( |$)")
STAMP_LENGTH = 19
REMOVED = "a line about a forgotten contact was removed"


def remove_lines(home: Path, is_removed: Callable[[str], bool]) -> int:
    """Put a plain notice in place of each chosen line of the logs; return how many those are.

    Parameters
    ----------
    home
        The data folder. A log is a file under it whose first line starts as ours do.
    is_removed
        Tells of a line, without its stamp and end.
    """
    return sum(_rewritten(log, is_removed) for log in list(_logs(home)))


def _logs(home: Path) -> Iterator[Path]:
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix != PARTIAL_SUFFIX:
            with path.open("rb") as file:
                if WRITTEN_BY_US.match(file.read(STAMP_LENGTH + 1)):
                    yield path


def _rewritten(log: Path, is_removed: Callable[[str], bool]) -> int:
    removed = 0
    partial = log.with_name(log.name + PARTIAL_SUFFIX)
    with (
        log.open(encoding="utf-8", errors="replace", newline="") as old,
        open_private(partial, encoding="utf-8", newline="") as new,
    ):
        for line in old:
            chosen = is_removed(line[STAMP_LENGTH:].strip())
            new.write(f"{line[:STAMP_LENGTH]} {REMOVED}\n" if chosen else line)
            removed += chosen
    if removed:
        partial.replace(log)
    else:
        partial.unlink()
    return removed
