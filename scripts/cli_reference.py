"""Write `docs/cli.md` from the command's own help, or with `--check` tell that it is stale."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cli.md"
NOTICE = "<!-- Written by scripts/cli_reference.py from the commands' help; do not edit. -->\n\n"


def main() -> None:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if stale")
    reference = NOTICE + reference_of_the_commands()
    if not parser.parse_args().check:
        PAGE.write_text(reference, encoding="utf-8", newline="\n")
        print(f"Written: {PAGE.relative_to(ROOT).as_posix()}")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != reference:
        sys.exit("docs/cli.md differs from the commands' help. Write it anew with: make docs")


def reference_of_the_commands() -> str:
    """Return the help of `chatlift` and all its commands as Markdown."""
    command = [sys.executable, "-m", "typer", "chatlift.cli.main", "utils", "docs"]
    done = subprocess.run(
        [*command, "--name", "chatlift", "--title", "The commands"],
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        sys.exit(f"Typer could not read the commands of chatlift.cli.main:\n{done.stderr}")
    lines = [line.rstrip() for line in done.stdout.strip().splitlines()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
