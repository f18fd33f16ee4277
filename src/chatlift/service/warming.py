"""Loading the learning libraries while the service already listens.

They take a second or two. Whoever asks for a prediction before that waits for it; `/readyz` says
so, and a proxy sends nobody until then.
"""

from __future__ import annotations

import threading
from importlib import import_module

HEAVY = ("xgboost", "sklearn.linear_model")


class Warming:
    """Libraries being loaded in the background, once."""

    def __init__(self) -> None:
        self._thread = threading.Thread(target=_load, name="warming", daemon=True)

    def begin(self) -> None:
        """Begin to load; returns at once."""
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether all is there; also where nobody began, and they are loaded on first use."""
        return not self._thread.is_alive()


def _load() -> None:
    for name in HEAVY:
        import_module(name)
