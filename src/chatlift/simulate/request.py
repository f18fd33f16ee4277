"""What to simulate: counts, time span and difficulty, checked before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from chatlift.errors import InvalidInput

HORIZON_DAYS = 30
"""Closed leads are at least this old at the end, so that their label is decided."""
SHORTEST_DAYS = 90
CONVERTED_SHARE = 0.3


class Difficulty(StrEnum):
    """How plainly the contacts show what they will do."""

    EASY = "easy"
    REALISTIC = "realistic"


@dataclass(frozen=True, kw_only=True)
class SimulationRequest:
    """A synthetic CRM to be made; the same request gives the same records.

    Raises
    ------
    InvalidInput
        If the counts cannot be had together.
    """

    until: datetime
    """The last instant that the CRM has seen."""
    contacts: int = 200
    conversations: int = 150
    """Contacts that write; each has one conversation, as a WhatsApp thread is one."""
    closed_leads: int = 120
    converted: int | None = None
    """Closed leads that are won, exactly; None takes 30 % of the closed leads."""
    open_leads: int = 30
    seed: int = 7
    difficulty: Difficulty = Difficulty.EASY
    days: int = 180
    drift: float = 0.0
    """Strength, 0 to 1, of the change of behaviour in the last third; 0: none."""

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        _check_counts(self)
        _check_span(self)

    @property
    def leads_won(self) -> int:
        """Closed leads that are won."""
        if self.converted is None:
            return round(CONVERTED_SHARE * self.closed_leads)
        return self.converted

    @property
    def first_midnight(self) -> datetime:
        """Midnight (UTC) at which the first day begins."""
        first = self.until.astimezone(UTC) - timedelta(days=self.days)
        return first.replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def hours(self) -> float:
        """Hours from the first midnight to `until`."""
        return (self.until - self.first_midnight) / timedelta(hours=1)

    @property
    def drift_day(self) -> int:
        """The day on which behaviour changes, where it drifts."""
        return self.days * 2 // 3


def _check_counts(request: SimulationRequest) -> None:
    counts = (request.contacts, request.conversations, request.closed_leads, request.open_leads)
    if min(counts) < 0 or request.conversations < 1:
        raise InvalidInput(
            f"Asked for contacts, conversations, closed and open leads: {counts}. "
            "Use whole numbers from 0 up, and at least one conversation."
        )
    if request.conversations > request.contacts:
        raise InvalidInput(
            f"{request.conversations} conversations need as many contacts (one each), but there "
            f"are {request.contacts}. Ask for more contacts or fewer conversations."
        )
    leads = request.closed_leads + request.open_leads
    if leads > request.conversations:
        raise InvalidInput(
            f"{leads} leads (closed and open) need as many conversations, but there are "
            f"{request.conversations}. Ask for more conversations or fewer leads."
        )
    if not 0 <= request.leads_won <= request.closed_leads:
        raise InvalidInput(
            f"{request.leads_won} of {request.closed_leads} closed leads cannot be converted. "
            f"Use a number from 0 to {request.closed_leads}."
        )


def _check_span(request: SimulationRequest) -> None:
    if request.until.tzinfo is None:
        raise InvalidInput(
            f"The end {request.until.isoformat()} has no time zone. Say, for instance, "
            f"{request.until.isoformat()}+00:00."
        )
    if not SHORTEST_DAYS <= request.days <= 3650:
        raise InvalidInput(
            f"{request.days} days were asked for. Use {SHORTEST_DAYS} to 3650: outcomes take "
            f"{HORIZON_DAYS} days, and the models need a history before them."
        )
    if not 0.0 <= request.drift <= 1.0:
        raise InvalidInput(f"Drift is {request.drift:g}. Use a number from 0 (none) to 1.")
    if request.seed < 0:
        raise InvalidInput(f"The seed is {request.seed}. Use a whole number from 0 up.")
