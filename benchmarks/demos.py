"""Run the demo and the platform's addresses many times, each in processes and a home of its own.

python -m benchmarks.demos [--part demo|addresses|all] [--seeds N] [--first 0] [--processes 2]

`demo`: `chatlift demo`, which `make demo` starts, ten times with ten seeds and ten instants (17
days and 7 hours apart, so that they fall on other days of the week and hours of the day).
`addresses`: generate, train all, test, by the platform's addresses, on default data of 20 seeds
until a fixed instant. Targets missed are those of the newest versions, by their own leading
figures. Words are hashed with a secret of each home, here one that its seed makes, so that a run
can be repeated. With `--processes 1` a run has both cores, as a person's has; otherwise its seconds
are those of one.

Seeds 1000 to 1019 are for development, those from 0 are reported. Wanted: each demo ends with 0 and
three models that serve, and at least 9 of 10 meet all targets; at least 19 of 20 runs by the
addresses end with `Passed: 3/3 models`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import numpy as np
from benchmarks.common import markdown, mean_of, share_of
from benchmarks.workers import add_seed_options, as_they_end, seeds_of

from chatlift.registry.secret_file import SECRET_BYTES, SECRET_FILE
from chatlift.registry.workspace import open_workspace
from chatlift.settings import Settings
from chatlift.vocabulary import ModelName

ROOT = Path(__file__).parents[1]
FIRST_INSTANT = datetime(2026, 1, 4, 1, 23, tzinfo=UTC)
BETWEEN = timedelta(days=17, hours=7)
DEFAULT_UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
LONGEST_SECONDS = 1_800
PASSED = re.compile(r"Passed: (\d+)/(\d+) models")


class Part(StrEnum):
    """What is run."""

    DEMO = "demo"
    ADDRESSES = "addresses"


SEEDS = {Part.DEMO: 10, Part.ADDRESSES: 20}
"""How many seeds of each are reported."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One unit of work."""

    part: Part
    seed: int
    until: datetime


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended."""

    run: Run
    exit_codes: tuple[int, ...]
    """One per command."""
    serving: tuple[ModelName, ...]
    refused: tuple[str, ...]
    """Model and first failed check of each newest version that does not serve."""
    missed: tuple[str, ...]
    """Targets that were not met, as `model metric`; a model without a version misses all."""
    passed: str
    """The tests' last word, such as `3/3`; empty where they said none."""
    seconds: float

    @property
    def is_well(self) -> bool:
        """Whether every command ended with 0 and all models serve."""
        return not any(self.exit_codes) and len(self.serving) == len(ModelName)

    @property
    def has_passed_all(self) -> bool:
        """Whether the tests ended with all models passed."""
        return self.passed == f"{len(ModelName)}/{len(ModelName)}"


def instant_of(number: int) -> datetime:
    """Return the last instant of the demo of this number, from 0.

    Examples
    --------
    >>> len({(instant_of(n).weekday(), instant_of(n).hour) for n in range(10)})
    10
    """
    return FIRST_INSTANT + number * BETWEEN


def commands_of(run: Run) -> list[list[str]]:
    """Return the commands of a run, as arguments of the interpreter."""
    made = ["--seed", str(run.seed), "--until", run.until.isoformat()]
    if run.part is Part.DEMO:
        return [["-m", "chatlift", "demo", "--quiet", *made]]
    address = "apps.api.app.ml."
    return [
        ["-m", f"{address}generate_training_data", *made],
        ["-m", f"{address}train_models", "all"],
        ["-m", f"{address}test_models"],
    ]


def passed_of(text: str) -> str:
    """Return what the last summary of tests says.

    Examples
    --------
    >>> passed_of("Passed: 1/1 models ... Passed: 2/3 models")
    '2/3'
    >>> passed_of("No version serves.")
    ''
    """
    found = PASSED.findall(text)
    return "/".join(found[-1]) if found else ""


@contextmanager
def _home(seed: int) -> Iterator[Path]:
    """Yield an empty home whose secret is another one for each seed."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        secret = np.random.default_rng(seed).bytes(SECRET_BYTES).hex()
        (Path(folder) / SECRET_FILE).write_text(secret, encoding="ascii")
        yield Path(folder)


def result_of(run: Run) -> RunResult:
    """Run the commands one after the other in a fresh home, then look at what serves there."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CHATLIFT_")}
    threads = {k: v for k, v in os.environ.items() if k == "CHATLIFT_THREADS"}
    with _home(run.seed) as home:
        environment = kept | threads | {"CHATLIFT_HOME": str(home)}
        began = time.perf_counter()
        done = [_ended(command, environment) for command in commands_of(run)]
        seconds = time.perf_counter() - began
        serving, refused, missed = _versions_in(home)
    return RunResult(
        run=run,
        exit_codes=tuple(one.returncode for one in done),
        serving=serving,
        refused=refused,
        missed=missed,
        passed=passed_of(done[-1].stdout),
        seconds=seconds,
    )


def _ended(
    arguments: Sequence[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=LONGEST_SECONDS,
        check=False,
    )


def _versions_in(home: Path) -> tuple[tuple[ModelName, ...], tuple[str, ...], tuple[str, ...]]:
    """Return which models serve, which newest versions do not and why, and targets missed."""
    serving, refused, missed = [], [], []
    with open_workspace(Settings.from_environment({}, default_home=home)) as opened:
        for model in ModelName:
            if opened.versions.champion(model):
                serving.append(model)
            versions = opened.versions.list(model)
            if not versions:
                missed.append(f"{model} everything")
                continue
            newest = max(versions, key=lambda version: version.number)
            if not newest.is_champion:
                refused.append(f"{model}: {newest.first_failed_check}")
            targets = newest.evaluation["targets"]
            missed += [f"{model} {one['metric']}" for one in targets if not one["met"]]
    return tuple(serving), tuple(refused), tuple(missed)


HEADER = [
    "part",
    "seed",
    "until",
    "exit",
    "serve",
    "refused",
    "targets missed",
    "passed",
    "seconds",
]


def row_of(result: RunResult) -> list[object]:
    """Return the row of one run."""
    run = result.run
    return [
        *(run.part, run.seed, f"{run.until:%a %Y-%m-%d %H:%M}"),
        " ".join(str(code) for code in result.exit_codes),
        f"{len(result.serving)}/{len(ModelName)}",
        ", ".join(result.refused) or "-",
        ", ".join(result.missed) or "all met",
        result.passed or "-",
        f"{result.seconds:.0f}",
    ]


def summary_rows(results: Sequence[RunResult]) -> list[list[object]]:
    """Return per part how many runs ended well, met all targets, passed all tests."""
    rows: list[list[object]] = []
    for part in Part:
        ended = [result for result in results if result.run.part is part]
        if ended:
            count = len(ended)
            rows.append(
                [
                    part,
                    share_of(sum(one.is_well for one in ended), count),
                    share_of(sum(not one.missed for one in ended), count),
                    share_of(sum(one.has_passed_all for one in ended), count),
                    mean_of([one.seconds for one in ended]),
                ]
            )
    return rows


def runs_of(chosen: argparse.Namespace) -> list[Run]:
    """Return the runs that the options ask for."""
    runs = []
    for part in [Part(chosen.part)] if chosen.part != "all" else list(Part):
        wanted = argparse.Namespace(first=chosen.first, seeds=chosen.seeds or SEEDS[part])
        for number, seed in enumerate(seeds_of(wanted)):
            until = instant_of(number) if part is Part.DEMO else DEFAULT_UNTIL
            runs.append(Run(part=part, seed=seed, until=until))
    return runs


def main() -> None:
    """Print a row per run as it ends, then the summary."""
    parser = argparse.ArgumentParser(description="Run demo and addresses many times.")
    parser.add_argument("--part", choices=[*Part, "all"], default="all")
    add_seed_options(parser, seeds=0)
    chosen = parser.parse_args()
    results: list[RunResult] = []
    print(markdown(HEADER, []), flush=True)
    for result in as_they_end(result_of, runs_of(chosen), chosen.processes):
        results.append(result)
        print("| " + " | ".join(str(cell) for cell in row_of(result)) + " |", flush=True)
    header = ["part", "exit 0, three serve", "all targets met", "Passed: 3/3 models", "seconds"]
    print(f"\n{markdown(header, summary_rows(results))}")


if __name__ == "__main__":
    main()
