from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from benchmarks.demos import (
    DEFAULT_UNTIL,
    HEADER,
    ROOT,
    Part,
    Run,
    RunResult,
    commands_of,
    instant_of,
    row_of,
    runs_of,
    summary_rows,
)

from chatlift.vocabulary import ModelName

ALL = tuple(ModelName)


def run_result(
    *, codes: tuple[int, ...] = (0,), serving: tuple[ModelName, ...] = ALL, passed: str = "3/3"
) -> RunResult:
    return RunResult(
        run=Run(part=Part.DEMO, seed=0, until=instant_of(0)),
        exit_codes=codes,
        serving=serving,
        refused=(),
        missed=("churn recall",) if codes == (4,) else (),
        passed=passed,
        seconds=30.0,
    )


def test_ten_demos_have_ten_seeds_and_ten_instants_and_the_addresses_one() -> None:
    runs = runs_of(argparse.Namespace(part="all", first=0, seeds=0))
    demos = [run for run in runs if run.part is Part.DEMO]
    assert len({run.seed for run in demos}) == len({run.until for run in demos}) == 10
    addresses = [run for run in runs if run.part is Part.ADDRESSES]
    assert [run.seed for run in addresses] == list(range(20))
    assert {run.until for run in addresses} == {DEFAULT_UNTIL}


def test_development_seeds_can_be_chosen() -> None:
    runs = runs_of(argparse.Namespace(part="addresses", first=1000, seeds=2))
    assert [run.seed for run in runs] == [1000, 1001]


@pytest.mark.parametrize("part", Part)
def test_every_command_is_a_module_that_exists(part: Part) -> None:
    for _, module, *_rest in commands_of(Run(part=part, seed=1, until=DEFAULT_UNTIL)):
        place = Path(*module.split("."))
        found = [(ROOT / place).with_suffix(".py"), ROOT / "src" / place / "__main__.py"]
        assert any(path.exists() for path in found), module


def test_a_run_is_well_only_if_every_command_ends_with_0_and_all_serve() -> None:
    assert run_result().is_well
    assert not run_result(codes=(0, 4, 0)).is_well
    assert not run_result(serving=ALL[:2]).is_well
    assert not run_result(passed="2/2").has_passed_all


def test_the_summary_counts_runs_of_its_part() -> None:
    [row] = summary_rows([run_result(), run_result(codes=(4,), passed="")])
    assert row[0] == Part.DEMO
    assert all(str(cell).startswith("1 of 2") for cell in row[1:4])


def test_every_row_has_a_cell_per_column() -> None:
    assert len(row_of(run_result())) == len(HEADER)
