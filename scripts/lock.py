"""Pin every dependency, for all supported Pythons and platforms, with the hashes of its files.

Reads `pyproject.toml` and writes `requirements/runtime.txt` (what a user installs) and
`requirements/dev.txt` (that, the tools and the build backend). The files name no index and no
path: pip takes the packages from wherever it is configured to, and the hashes hold them to
these. uv does the resolving, since one answer has to hold on Linux, macOS and Windows.

    pip install uv
    python scripts/lock.py             # keep present pins where they still fit
    python scripts/lock.py --upgrade   # take the newest that fit
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = "3.11"
GROUPS: dict[str, tuple[str, ...]] = {"runtime.txt": (), "dev.txt": ("dev", "build")}
HEADER = "# Written by scripts/lock.py from pyproject.toml; change that, then run `make lock`.\n"


def main() -> None:
    """Write both files, or stop with a sentence on what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--upgrade", action="store_true", help="take the newest that fit")
    upgrade = parser.parse_args().upgrade
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("Pinning needs uv, and none is on the PATH. Install it with: pip install uv")
    for name, groups in GROUPS.items():
        target = ROOT / "requirements" / name
        resolve(uv, target, groups, upgrade=upgrade)
        keep_pins_only(target)


def resolve(uv: str, target: Path, groups: tuple[str, ...], *, upgrade: bool) -> None:
    """Let uv write the pins of the package and the given dependency groups to `target`."""
    command = [uv, "pip", "compile", "pyproject.toml", "--quiet", "--universal"]
    command += ["--python-version", OLDEST_PYTHON, "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    command += ["--fork-strategy", "requires-python", "--output-file", str(target)]
    command += [f"--group={group}" for group in groups]
    command += ["--upgrade"] if upgrade else []
    target.parent.mkdir(exist_ok=True)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def keep_pins_only(path: Path) -> None:
    """Drop options and comments, and refuse addresses or paths of this machine."""
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "-", "."))]
    if any("://" in line or " @ " in line for line in lines):
        sys.exit(f"{path.name} names an address where a version should stand; do not commit it.")
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    pinned = sum("==" in line for line in lines)
    print(f"{path.relative_to(ROOT).as_posix()}: {pinned} packages")


if __name__ == "__main__":
    main()
