"""The part of the day in which a contact answered more often, where one stands out.

Input: decided sends. Output: per contact the part of the day that stands out, or nothing. A part
is only considered where the account has enough sends in it, and a contact's own shares are pulled
towards the account's, as if by ten more sends, so that two lucky answers make no habit. The words
are "answered more often", never "because".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import polars as pl

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


def best_times(sends: pl.DataFrame, time_zone: str) -> Mapping[int, BestTime]:
    """Return the part of the day that stands out, by contact; absent: none does.

    Parameters
    ----------
    sends
        One row per decided send: `contact_id`, `cutoff` (its instant) and `label` (1: answered).
    time_zone
        IANA zone in which hours are read.
    """
    by_part = sends.filter(pl.col("label").is_not_null()).with_columns(
        part=pl.col("cutoff").dt.convert_time_zone(time_zone).dt.hour() // HOURS_A_PART
    )
    account = by_part.group_by("part").agg(
        account_share=pl.col("label").mean(),
        sends=pl.len(),
        contacts=pl.col("contact_id").n_unique(),
    )
    enough = account.filter(
        pl.col("sends") >= FEWEST_EXAMPLES, pl.col("contacts") >= FEWEST_CONTACTS
    ).select("part", "account_share")
    own = by_part.group_by("contact_id", "part").agg(answered=pl.col("label").sum(), sent=pl.len())
    rows = own.join(enough, on="part").sort("contact_id", "part")
    found: dict[int, BestTime] = {}
    for contact in rows.partition_by("contact_id", maintain_order=True):
        best = _standing_out(contact)
        if best is not None:
            found[contact.item(0, "contact_id")] = best
    return found


def _standing_out(parts: pl.DataFrame) -> BestTime | None:
    """Return the best part if its lower bound lies above every other part's share."""
    told = [
        _shrunk(int(row["part"]), row["answered"], row["sent"], row["account_share"])
        for row in parts.iter_rows(named=True)
    ]
    ranked = sorted(told, key=lambda time: -time.answered_share)
    if len(ranked) < 2 or ranked[0].low <= ranked[1].answered_share:
        return None
    return ranked[0]


def _shrunk(part: int, answered: float, sent: int, account_share: float) -> BestTime:
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
