"""How often to train, by how many new leads there are to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatlift.vocabulary import RhythmWord

WEEKS = 4
"""How many weeks are looked at."""
FROM_LEADS_A_WEEK = (
    (500, RhythmWord.DAILY),
    (100, RhythmWord.WEEKLY),
    (50, RhythmWord.BIWEEKLY),
    (0, RhythmWord.MONTHLY),
)
"""From how many new leads a week on which rhythm is advised."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """How often training is worth its while."""

    rhythm: RhythmWord
    leads_a_week: float
    """New leads in a mean week."""

    @property
    def sentence(self) -> str:
        """The advice for a person."""
        return (
            f"About {self.leads_a_week:.0f} new leads a week in the last weeks of the records: "
            f"{self.rhythm} is often enough."
        )


def advice(new_leads_by_week: Sequence[int]) -> Advice:
    """Return how often to train, by the new leads of the last weeks, one count a week.

    Examples
    --------
    >>> advice([40, 60, 55, 49]).rhythm.value
    'biweekly'
    """
    mean = sum(new_leads_by_week) / len(new_leads_by_week)
    rhythm = next(word for floor, word in FROM_LEADS_A_WEEK if mean >= floor)
    return Advice(rhythm=rhythm, leads_a_week=mean)
