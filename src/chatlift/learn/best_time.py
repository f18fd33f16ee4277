"""The part of the day in which a contact answered more often, where one stands out.

Input: decided sends of an account, and of the contacts asked about. Output: per contact the part
of the day that stands out, or nothing. A part is only considered where the account has enough
sends in it, and a contact's own shares are pulled towards the account's, as if by ten more sends,
so that two lucky answers make no habit. The words are "answered more often", never "because".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import polars as pl

from chatlift.learn.arrays import Rows, ids_of, microseconds
from chatlift.learn.features.timeline import hour_of, local_time, part_of

PARTS = ("night", "morning", "afternoon", "evening")
HOURS_A_PART = 6
FEWEST_EXAMPLES = 30
FEWEST_CONTACTS = 20
"""Of the account, in a part of the day, before that part is considered at all."""
PRIOR_SENDS = 10.0


@dataclass(frozen=True, kw_only=True)
class BestTime:
    """A part of the day that stands out."""

    part: str
    first_hour: int
    """Local hour at which it begins; it lasts six hours."""
    answered_share: float
    """Share of sends in it that were answered, pulled towards the account's, 0 to 1."""
    low: float
    high: float
    """Its 95 % interval."""

    @property
    def words(self) -> str:
        """How it reads to a seller."""
        last = self.first_hour + HOURS_A_PART
        return (
            f"answered more often in the {self.part} ({self.first_hour} to {last} h): "
            f"{self.answered_share:.0%} ({self.low:.0%} to {self.high:.0%})"
        )


NO_CLEAR_TIME = "no clear best time"


@dataclass(frozen=True, kw_only=True)
class DecidedSends:
    """Sends whose outcome is known, sorted by contact; one entry per send."""

    contact_ids: Rows
    parts: Rows
    """Part of the day in which each was sent."""
    decided: Rows
    """When its outcome was decided, in microseconds."""
    answered: Rows
    """1 or 0."""

    @classmethod
    def of(cls, sends: pl.DataFrame, time_zone: str) -> DecidedSends:
        """Take the decided ones out of examples of sends.

        Parameters
        ----------
        sends
            One row per send, as `specs.base.EXAMPLES`, sorted by contact.
        time_zone
            IANA zone in which hours are read.
        """
        labels = sends["label"].cast(pl.Float64).to_numpy()
        known = ~np.isnan(labels)
        hours = hour_of(local_time(microseconds(sends["cutoff"])[known], time_zone))
        return cls(
            contact_ids=ids_of(sends["contact_id"])[known],
            parts=part_of(hours),
            decided=microseconds(sends["horizon_ends_at"])[known],
            answered=labels[known].astype(np.int64),
        )


class AccountCurve:
    """How often an account's contacts answered by part of the day, as was known at any instant.

    It is derived once from all sends and read for as many instants as there are ends.
    """

    def __init__(self, sends: DecidedSends) -> None:
        self._parts = {part: _PartOfAccount.of(sends, part) for part in range(len(PARTS))}

    def shares_before(self, end: int) -> dict[int, float]:
        """Return the share answered by part, of sends decided before `end`, where enough are."""
        shares = {part: told.share_before(end) for part, told in self._parts.items()}
        return {part: share for part, share in shares.items() if share is not None}


@dataclass(frozen=True)
class _PartOfAccount:
    decided: Rows
    """When each send was decided, in order."""
    answered: Rows
    """How many of the sends up to each were answered."""
    first_decided: Rows
    """When each contact's first send was decided, in order."""

    @classmethod
    def of(cls, sends: DecidedSends, part: int) -> _PartOfAccount:
        here = np.flatnonzero(sends.parts == part)
        here = here[np.argsort(sends.decided[here], kind="stable")]
        decided = sends.decided[here]
        _, first = np.unique(sends.contact_ids[here], return_index=True)
        return cls(decided, np.cumsum(sends.answered[here]), np.sort(decided[first]))

    def share_before(self, end: int) -> float | None:
        count = int(self.decided.searchsorted(end))
        contacts = int(self.first_decided.searchsorted(end))
        if count < FEWEST_EXAMPLES or contacts < FEWEST_CONTACTS:
            return None
        return int(self.answered[count - 1]) / count


def best_times(
    sends: DecidedSends, curve: AccountCurve, contact_ids: Rows, ends: Rows
) -> list[BestTime | None]:
    """Return the part of the day that stands out for each contact as of its end; None: none does.

    Parameters
    ----------
    sends
        Those of these contacts at least.
    curve
        That of the whole account.
    ends
        Microseconds, one per contact.
    """
    first = sends.contact_ids.searchsorted(contact_ids, side="left")
    last = sends.contact_ids.searchsorted(contact_ids, side="right")
    shares = {end: curve.shares_before(end) for end in set(ends.tolist())}
    return [
        _standing_out(sends, slice(start, stop), end, shares[end])
        for start, stop, end in zip(first.tolist(), last.tolist(), ends.tolist(), strict=True)
    ]


def _standing_out(
    sends: DecidedSends, own: slice, end: int, account_shares: Mapping[int, float]
) -> BestTime | None:
    """Return the best part if its lower bound lies above every other part's share."""
    decided = sends.decided[own] < end
    parts, answered = sends.parts[own][decided], sends.answered[own][decided]
    sent = np.bincount(parts, minlength=len(PARTS)).tolist()
    hits = np.bincount(parts[answered == 1], minlength=len(PARTS)).tolist()
    told = [
        _shrunk(part, hits[part], sent[part], share)
        for part, share in account_shares.items()
        if sent[part]
    ]
    ranked = sorted(told, key=lambda time: -time.answered_share)
    if len(ranked) < 2 or ranked[0].low <= ranked[1].answered_share:
        return None
    return ranked[0]


def _shrunk(part: int, answered: int, sent: int, account_share: float) -> BestTime:
    """Pull the share towards the account's; the interval is Wilson's (1927) on the sum."""
    count = sent + PRIOR_SENDS
    share = (answered + PRIOR_SENDS * account_share) / count
    z = NormalDist().inv_cdf(0.975)
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return BestTime(
        part=PARTS[part],
        first_hour=part * HOURS_A_PART,
        answered_share=share,
        low=centre - half,
        high=centre + half,
    )
