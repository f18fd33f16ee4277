"""The numbers of human behaviour, as data: one set per difficulty.

Times are in hours unless the name says days. Slopes act on a lead's interest, which is about
-1 for a lead that will not buy and +1 for one that will.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatlift.simulate.request import Difficulty


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How contacts of a simulated CRM behave."""

    interest_is_two_valued: bool
    """Interest is near -1 or +1 rather than spread like a bell."""
    win_slope: float
    """What interest does to the log-odds of winning."""
    tone_slope: float
    """What interest does to the log-odds that a lead's message sounds interested."""
    delay_slope: float
    """What interest takes from the logarithm of a lead's reply delay."""
    turns_slope: float
    """What interest does to the log-odds of writing again on the same day."""
    silent_lead_day: float
    """Share of a lead's first days (after the first) without a message."""
    late_win: float
    """Share of wins that come after the horizon."""
    quick_win: float
    """Share of wins within the first week."""
    habits_are_two_valued: bool
    """A contact answers nearly always or nearly never, by its hours of the day."""
    write_rate: tuple[float, float]
    """Least and greatest chance per day that an engaged contact writes by itself."""
    regular_share: float
    """Share of contacts that write in a long, regular rhythm, such as for a monthly order: weeks
    of silence say nothing about them."""
    fading_write: float
    """Factor on `write_rate` while fading."""
    fading_answer: float
    """Factor on the chance of an answer while fading."""
    fade_days: tuple[float, float]
    """Least and greatest mean number of days before a contact begins to fade."""
    fading_days: float
    """Mean number of days from there to silence."""
    return_rate: float
    """Chance per day that a silent contact comes back."""
    fading_speaks: float
    """Share of a fading contact's messages that sound like it."""
    opt_out: float = 0.06
    """Share of contacts that fall silent by asking not to be written to."""


EASY = Behaviour(
    interest_is_two_valued=True,
    win_slope=5.5,
    tone_slope=2.0,
    delay_slope=1.0,
    turns_slope=1.0,
    silent_lead_day=0.0,
    late_win=0.005,
    quick_win=0.05,
    habits_are_two_valued=True,
    write_rate=(0.06, 0.5),
    regular_share=0.25,
    fading_write=0.45,
    fading_answer=0.12,
    fade_days=(22.0, 55.0),
    fading_days=6.0,
    return_rate=0.002,
    fading_speaks=0.9,
)

REALISTIC = Behaviour(
    interest_is_two_valued=False,
    win_slope=2.6,
    tone_slope=1.0,
    delay_slope=0.6,
    turns_slope=0.5,
    silent_lead_day=0.3,
    late_win=0.08,
    quick_win=0.15,
    habits_are_two_valued=False,
    write_rate=(0.03, 0.3),
    regular_share=0.2,
    fading_write=0.4,
    fading_answer=0.6,
    fade_days=(15.0, 90.0),
    fading_days=12.0,
    return_rate=0.012,
    fading_speaks=0.4,
)


def behaviour_of(difficulty: Difficulty) -> Behaviour:
    """Return the behaviour of a difficulty."""
    return EASY if difficulty is Difficulty.EASY else REALISTIC
