"""Is there enough to learn from? If not: what there is, what is missing, and when it will do.

Counts are of mature examples; the day is an estimate at the pace of the last 90 observed days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from chatlift.learn.specs.base import ModelSpec, Readiness

PACE_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class Need:
    """One floor and where the data stands."""

    what: str
    found: int
    needed: int
    ready_on: datetime | None = None
    """The day it will be enough at the present pace; None: already, or never at this pace."""

    @property
    def is_met(self) -> bool:
        """Whether there is enough."""
        return self.found >= self.needed


@dataclass(frozen=True, kw_only=True)
class ReadinessReport:
    """All floors of one model."""

    needs: tuple[Need, ...]
    undecided: int
    """Examples whose horizon is not over yet."""

    @property
    def is_ready(self) -> bool:
        """Whether the model may be trained."""
        return all(need.is_met for need in self.needs)

    def sentence(self, spec: ModelSpec) -> str:
        """Say what there is, what is missing and when it will be enough."""
        if self.is_ready:
            return f"There is enough data to train {spec.model}."
        missing = "; ".join(_missing(need) for need in self.needs if not need.is_met)
        waiting = f" {self.undecided} more examples are still undecided." if self.undecided else ""
        return (
            f"Not enough data to train {spec.model}: {missing}.{waiting} "
            "Import more history, or wait and train again."
        )


def _missing(need: Need) -> str:
    when = (
        f", at the present pace by {need.ready_on:%Y-%m-%d}"
        if need.ready_on
        else ", and none came in lately"
    )
    return f"{need.found} {need.what} of {need.needed} needed{when}"


def assess(
    examples: pl.DataFrame,
    spec: ModelSpec,
    floors: Readiness,
    *,
    conversations: int,
    by_silence: bool,
    through: datetime | None,
) -> ReadinessReport:
    """Count mature examples against the floors.

    Parameters
    ----------
    examples
        One row per example, decided or not.
    conversations
        Conversations of the account; counted only where silence is the label.
    through
        The last observed instant; None where nothing was observed.
    """
    mature = examples.filter(pl.col("label").is_not_null())
    since = through - timedelta(days=PACE_DAYS) if through else None
    needs = [
        _need(f"mature {spec.entity}s", mature, floors.entities, since, through, of="entity_id"),
        _need("mature examples", mature, floors.examples, since, through, of=None),
    ]
    for label, word in ((1, "positive"), (0, "negative")):
        rows = mature.filter(pl.col("label") == label)
        what = f"{spec.entity}s with a {word} outcome"
        needs.append(_need(what, rows, floors.per_class, since, through, of="entity_id"))
    if by_silence and floors.conversations:
        needs.append(Need(what="conversations", found=conversations, needed=floors.conversations))
    undecided = examples.height - mature.height
    return ReadinessReport(needs=tuple(needs), undecided=undecided)


def _need(
    what: str,
    rows: pl.DataFrame,
    needed: int,
    since: datetime | None,
    through: datetime | None,
    *,
    of: str | None,
) -> Need:
    found = rows.get_column(of).n_unique() if of else rows.height
    if found >= needed or since is None or through is None:
        return Need(what=what, found=found, needed=needed)
    recent = rows.filter(pl.col("horizon_ends_at") >= since)
    came = recent.get_column(of).n_unique() if of else recent.height
    if not came:
        return Need(what=what, found=found, needed=needed)
    days = math.ceil((needed - found) / came * PACE_DAYS)
    return Need(what=what, found=found, needed=needed, ready_on=through + timedelta(days=days))
