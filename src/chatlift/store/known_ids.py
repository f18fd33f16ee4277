"""The store's numbers of records by their external ids, kept as long as nobody else changes them.

An import asks for the same contacts and conversations piece after piece. Asking the database
again each time took a quarter of the import's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

MOST_KEPT = 300_000
"""Numbers of one kind kept in memory, at some 100 bytes each."""

Ask = Callable[[Sequence[str]], Iterable[tuple[str, int]]]
"""Asks the database for the numbers of these records; those that are not there are left out."""


class KnownIds:
    """What was found so far of one source of one account; new for each write, or for an import."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {}
        self._revision: int | None = None

    def take_up(self, revision: int) -> None:
        """Go on in a new transaction; forget everything if others have changed records since.

        Parameters
        ----------
        revision
            The account's count of changes as the transaction begins.
        """
        if revision != self._revision:
            self._numbers.clear()
        # Were this transaction undone, what it found would not be so.
        self._revision = None

    def keep(self, revision: int) -> None:
        """Keep what was found for the next transaction, this one being committed.

        Parameters
        ----------
        revision
            The account's count of changes as the transaction ended.
        """
        self._revision = revision

    def numbers(self, key: str, wanted: Sequence[str | None], ask: Ask) -> list[int | None]:
        """Return the number of each wanted record, in order; None: it is not there.

        Parameters
        ----------
        key
            Name of the number, such as `contact_id`.
        """
        kept = self._numbers.setdefault(key, {})
        missing = {name for name in wanted if name is not None and name not in kept}
        if len(kept) + len(missing) > MOST_KEPT:
            kept.clear()
            missing = {name for name in wanted if name is not None}
        if missing:
            kept.update(ask(sorted(missing)))
        return [None if name is None else kept.get(name) for name in wanted]

    def are_found(self, key: str, names: Sequence[str]) -> list[bool]:
        """Tell of each record whether it was found before; nobody is asked."""
        kept = self._numbers.get(key, {})
        return [name in kept for name in names]
