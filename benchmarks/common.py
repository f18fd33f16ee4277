"""What the benchmarks share: a fresh home, the present instant, Markdown tables."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from chatlift.learn.metrics import Figure
from chatlift.registry.secret_file import SECRET_BYTES, SECRET_FILE
from chatlift.settings import Settings

INTERVAL = (2.5, 97.5)


def now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


@contextmanager
def fresh_home() -> Iterator[Settings]:
    """Yield the settings of an empty installation that is gone afterwards.

    Its secret is always the same, so that words get the same hashes and a figure can be repeated.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (Path(folder) / SECRET_FILE).write_text("5e" * SECRET_BYTES, encoding="ascii")
        yield Settings.from_environment({}, default_home=Path(folder))


def figure_of(found: Mapping[str, Any] | Figure | None) -> str:
    """Return a figure as `0.845 (0.835 to 0.855)`, or `-` where it was not measured.

    Examples
    --------
    >>> figure_of({"value": 0.5, "low": 0.4, "high": 0.625})
    '0.500 (0.400 to 0.625)'
    >>> figure_of(None)
    '-'
    """
    if found is None:
        return "-"
    figure = found if isinstance(found, Figure) else Figure.from_json(found)
    if figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def mean_of(values: Sequence[float]) -> str:
    """Return a mean, its standard error and the spread of single values.

    Examples
    --------
    >>> mean_of([0.4, 0.5, 0.6])
    '0.500 +- 0.058 (single values 0.400 to 0.600, standard deviation 0.100)'
    """
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    error = spread / np.sqrt(len(values))
    return (
        f"{np.mean(values):.3f} +- {error:.3f} (single values {min(values):.3f} to "
        f"{max(values):.3f}, standard deviation {spread:.3f})"
    )


def share_of(hits: int, count: int) -> str:
    """Return a share with its exact 95 % binomial interval (Clopper and Pearson 1934).

    Examples
    --------
    >>> share_of(1, 40)
    '1 of 40 = 2.5 % (0.1 to 13.2 %)'
    """
    from scipy.stats import binomtest

    bounds = binomtest(hits, count).proportion_ci(method="exact")
    low, high = 100 * bounds.low, 100 * bounds.high
    return f"{hits} of {count} = {100 * hits / count:.1f} % ({low:.1f} to {high:.1f} %)"


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table.

    Examples
    --------
    >>> print(markdown(["a", "b"], [[1, 2]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = [header, *rows]
    told = ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
    return "\n".join([told[0], "|" + "---|" * len(header), *told[1:]])


def machine() -> str:
    """Return on what this runs."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
