"""One thread per fit: several fits run side by side, and two pools on two cores fight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")


@dataclass(frozen=True)
class SideBySide:
    """Work that goes on side by side, so many pieces at once, while its beginner does other."""

    pool: ThreadPoolExecutor

    def begin(self, tasks: Iterable[Callable[[], T]]) -> Callable[[], list[T]]:
        """Begin tasks after those begun before; what is returned waits for their results."""
        futures = [self.pool.submit(task) for task in tasks]
        return lambda: [future.result() for future in futures]


@contextmanager
def side_by_side(threads: int) -> Iterator[SideBySide]:
    """Let tasks run, at most `threads` at once; after an error none is begun any more."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            yield SideBySide(pool)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def run_all(tasks: Iterable[Callable[[], T]], threads: int) -> list[T]:
    """Run tasks side by side, at most `threads` at once; results in the order of the tasks."""
    with side_by_side(threads) as beside:
        return beside.begin(tasks)()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Hold the linear-algebra libraries to one thread while the block runs.

    They are loaded first, because only what is loaded can be held. Measured: a fit of 0.3 s took
    1.0 s with two threads of its own, beside another fit far longer, since the threads spin while
    they wait.
    """
    _load()
    with threadpool_limits(limits=1):
        yield


def load_ahead() -> None:
    """Begin to load what a fit needs, which takes a second, while there is other work to do."""
    Thread(target=_load, name="load-ahead").start()


def _load() -> None:
    import sklearn.linear_model
    import xgboost

    del sklearn, xgboost
