"""How an account's contacts answer by part of the day, kept while its records stay as they are.

A contact's best time to write to is pulled towards the account's habits (`learn.best_time`), which
hang on all its records; an answer about one contact cannot read those each time. The curve is
derived once and kept by the count of the account's changes. When records of a large account change
it is derived anew beside the answers, at most once a minute, and until it is there the old one is
used.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from chatlift.learn.best_time import AccountCurve
from chatlift.learn.scoring import Scorer
from chatlift.registry.workspace import Workspace

FEW_MESSAGES = 5_000
"""Of an account with no more, the curve is derived at once."""
USED_AT_LEAST = timedelta(minutes=1)
"""So long the curve of a larger account is used though its records changed."""

Key = tuple[int, str, float]
"""Account, its time zone, and the hours of quiet that make a message a send."""


@dataclass(frozen=True, kw_only=True)
class _Kept:
    curve: AccountCurve
    records_revision: int
    message_count: int
    derived_at: datetime


class AccountCurves:
    """The curves of one process; safe across threads."""

    def __init__(self) -> None:
        self._kept: dict[Key, _Kept] = {}
        self._lock = threading.Lock()
        self._beside: dict[Key, threading.Thread] = {}

    def curve(
        self, workspace: Workspace, scorer: Scorer, *, now: datetime, may_be_old: bool = True
    ) -> AccountCurve:
        """Return the account's curve.

        Parameters
        ----------
        may_be_old
            Whether a large account's curve may be that of its records a while ago.
        """
        account = workspace.account
        key = (account.account_id, account.time_zone, scorer.spans.silence_hours)
        kept = self._kept.get(key)
        if kept is not None and kept.records_revision == workspace.crm.records_revision():
            return kept.curve
        if kept is None or not may_be_old or kept.message_count <= FEW_MESSAGES:
            with self._lock:
                return self._derived(key, workspace, scorer, now).curve
        if now - kept.derived_at >= USED_AT_LEAST:
            self._derive_beside(key, workspace, scorer, now)
        return kept.curve

    def _derived(self, key: Key, workspace: Workspace, scorer: Scorer, now: datetime) -> _Kept:
        # Asked before reading: what changes meanwhile then makes the curve out of date.
        revision = workspace.crm.records_revision()
        kept = self._kept.get(key)
        if kept is not None and kept.records_revision == revision:
            return kept
        history = workspace.crm.read_history(with_text=False)
        found = _Kept(
            curve=AccountCurve(scorer.sends(history)),
            records_revision=revision,
            message_count=history.messages.height,
            derived_at=now,
        )
        self._kept[key] = found
        return found

    def _derive_beside(self, key: Key, workspace: Workspace, scorer: Scorer, now: datetime) -> None:
        with self._lock:
            if key in self._beside and self._beside[key].is_alive():
                return
            self._beside[key] = threading.Thread(
                target=self._derived, args=(key, workspace, scorer, now), name="curve", daemon=True
            )
            self._beside[key].start()
