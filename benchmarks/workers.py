"""Run the units of a benchmark in processes of one thread each, and take them as they end.

Two pools of threads on two cores hinder each other; two processes of one thread each do not.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TypeVar

Unit = TypeVar("Unit")
Result = TypeVar("Result")

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "POLARS_MAX_THREADS": "1",
    "CHATLIFT_THREADS": "1",
}
"""Environment of a process that has one core to itself."""


def add_seed_options(parser: argparse.ArgumentParser, *, seeds: int = 20) -> None:
    """Add `--seeds`, `--first` and `--processes`; the reported seeds are the defaults."""
    parser.add_argument("--seeds", type=int, default=seeds, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first seed; development: 1000")
    parser.add_argument("--processes", type=int, default=2, help="units that run side by side")


def seeds_of(chosen: argparse.Namespace) -> range:
    """Return the seeds that `add_seed_options` asks for.

    Examples
    --------
    >>> list(seeds_of(argparse.Namespace(first=1000, seeds=3)))
    [1000, 1001, 1002]
    """
    return range(chosen.first, chosen.first + chosen.seeds)


def as_they_end(
    work: Callable[[Unit], Result], units: Sequence[Unit], processes: int
) -> Iterator[Result]:
    """Yield the result of each unit as soon as it is there, in no certain order.

    Parameters
    ----------
    work
        A function of a module, so that another process can find it.
    processes
        How many units run side by side, each on one thread; a single one may use all cores.
    """
    if processes > 1:
        os.environ.update(ONE_THREAD)  # A new process reads them before it imports anything.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(work, unit) for unit in units]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
