"""Hold the written pages to what they speak of.

Each page's relative links lead somewhere; every `chatlift ...` command, `make` target and
`CHATLIFT_*` variable that a page names exists; decision records are numbered, begin with their
number and stay within a page. Prints one line per problem and ends with exit code 1 if any.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE_WORDS = 600
"""About what fits on one printed page."""

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
COMMAND = re.compile(r"^\s*(?:[$>] |PS> )?chatlift((?: [a-z][a-z-]*)+)", re.MULTILINE)
TARGET = re.compile(r"^\s*(?:[$>] )?make ([a-z]+)(?: |$)", re.MULTILINE)
VARIABLE = re.compile(r"\bCHATLIFT_[A-Z_]+\b")
RECORD = re.compile(r"(\d{4})-[a-z0-9-]+\.md")


def main() -> None:
    """Print the problems; `--check` is accepted as all these scripts accept it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="the only thing this script does")
    parser.parse_args()
    problems = sorted(problems_of(ROOT))
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)


def problems_of(root: Path) -> Iterator[str]:
    """Yield one sentence per problem of the pages below `root`."""
    yield from problems_of_records(root)
    for page in pages_of(root):
        text = page.read_text(encoding="utf-8")
        name = page.relative_to(root).as_posix()
        found = [*broken_links(page, text), *unknown_names(root, text)]
        yield from (f"{name}: {problem}" for problem in found)


def pages_of(root: Path) -> list[Path]:
    """Return all pages that people read, in order."""
    return sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])


def broken_links(page: Path, text: str) -> Iterator[str]:
    """Yield a sentence per relative link, outside of code, that leads nowhere."""
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = page.parent / path if path else page
        if not place.exists():
            yield f"the link to {target} leads nowhere"
        elif anchor and place.suffix == ".md" and anchor not in anchors_of(place):
            yield f"{path or 'this page'} has no heading for #{anchor}"


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that the headings of a page get."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def unknown_names(root: Path, text: str) -> Iterator[str]:
    """Yield a sentence per command, target or variable that does not exist."""
    code = "\n".join([*FENCE.findall(text), *CODE.findall(FENCE.sub("", text))])
    commands = commands_of(root)
    for words in set(COMMAND.findall(code)):
        if not is_command(words.split(), commands):
            yield f"there is no command `chatlift{words}` (docs/cli.md lists them)"
    for target in set(TARGET.findall(code)) - targets_of(root):
        yield f"there is no target `make {target}`"
    for variable in set(VARIABLE.findall(text)) - variables_of(root):
        yield f"nothing reads the variable {variable}"


def is_command(words: list[str], commands: set[tuple[str, ...]]) -> bool:
    """Tell whether the words begin with a command; what follows are its arguments."""
    groups = {command[:-1] for command in commands if len(command) > 1}
    depth = 2 if tuple(words[:1]) in groups and len(words) > 1 else 1
    return tuple(words[:depth]) in commands


def commands_of(root: Path) -> set[tuple[str, ...]]:
    """Return the words of each command that the generated reference has a heading for."""
    reference = root / "docs" / "cli.md"
    if not reference.exists():
        return set()
    headings = re.findall(r"^##+ `chatlift (.+)`$", reference.read_text(encoding="utf-8"), re.M)
    return {tuple(heading.split()) for heading in headings}


def targets_of(root: Path) -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(encoding="utf-8"), re.M))


def variables_of(root: Path) -> set[str]:
    """Return the variables that the source, the tests' set-up or CI name."""
    files = [*(root / "src").rglob("*.py"), *(root / "tests").rglob("conftest.py")]
    files += (root / "benchmarks").rglob("*.py")
    files += [file for file in [root / ".ci" / "run"] if file.exists()]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return set(VARIABLE.findall(text))


def problems_of_records(root: Path) -> Iterator[str]:
    """Yield a sentence per decision record without number, heading or measure."""
    numbers: dict[str, str] = {}
    for record in sorted((root / "docs" / "decisions").glob("*.md")):
        text = record.read_text(encoding="utf-8")
        match = RECORD.fullmatch(record.name)
        if match is None:
            yield f"{record.name}: a decision record is called NNNN-what-was-decided.md"
            continue
        number = match[1]
        if number in numbers:
            yield f"{record.name}: {numbers[number]} has this number already"
        numbers[number] = record.name
        if not text.startswith(f"# {number} "):
            yield f"{record.name}: the first line is '# {number} What was decided'"
        if len(text.split()) > PAGE_WORDS:
            yield f"{record.name}: {len(text.split())} words; a page holds {PAGE_WORDS}"


if __name__ == "__main__":
    main()
