"""Who the contacts are and what habits they have.

The first `conversations` contacts write; the others are names in the address book. All arrays
have one entry per contact that writes, in the order of the contacts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chatlift.simulate.behaviour import Behaviour
from chatlift.simulate.request import HORIZON_DAYS, SimulationRequest

Floats = npt.NDArray[np.floating[Any]]
Whole = npt.NDArray[np.integer[Any]]
Truths = npt.NDArray[np.bool_]
Column = npt.NDArray[Any]
"""Numbers or truths, by the name that goes with them."""

LEAD_DAYS = 7
"""Days in which a lead is talked about before ordinary life begins."""
OPENING, CLOSING = 8, 21
"""The hours in which the business writes."""
LANGUAGES = ("en", "es", "pt", "de", "fr")
LANGUAGE_SHARES = (0.38, 0.28, 0.16, 0.10, 0.08)

PERIOD_DAYS = (17, 26)
"""Least and greatest number of days between the orders of a contact that orders regularly."""
REGULAR_TEMPO = 0.05
"""The business lets such contacts come by themselves."""
REGULAR_STAYS = 3.0
"""They stay this many times as long."""
WINDOWS = np.array([[8, 15], [15, 22], [8, 22]])
"""First hour and hour after the last of the windows: morning, evening, any time."""
MORNING, EVENING, ANY_TIME = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Population:
    """The contacts that write; one entry each."""

    language: Whole
    """Index into `LANGUAGES`."""
    window: Whole
    """Index into `WINDOWS`: the hours in which this contact writes."""
    answers_inside: Floats
    """Chance of an answer to a send inside the window, while engaged."""
    answers_outside: Floats
    write_rate: Floats
    """Chance per day of writing by itself, while engaged."""
    fade_rate: Floats
    """Chance per day of beginning to fade."""
    talkativeness: Floats
    """Chance, 0 to 1, of writing again in the same exchange."""
    period: Whole
    """Days between the orders of a contact that orders regularly; 0 for the others."""
    tempo: Floats
    """Factor on how often the business writes to this contact."""
    start_hour: Floats
    """Hours from the first midnight to the first message, a lead's creation where it has one."""

    @property
    def size(self) -> int:
        """Contacts that write."""
        return len(self.window)

    @property
    def start_day(self) -> Whole:
        """Day of the first message."""
        return self.start_hour.astype(np.int64) // 24


def draw_population(
    request: SimulationRequest, behaviour: Behaviour, rng: np.random.Generator
) -> Population:
    """Draw the habits of all contacts that write."""
    size = request.conversations
    window, inside, outside = _answering(behaviour, size, rng)
    least, most = behaviour.write_rate
    period = _periods(behaviour, size, rng)
    is_regular = period > 0
    return Population(
        language=rng.choice(len(LANGUAGES), size=size, p=LANGUAGE_SHARES),
        window=window,
        answers_inside=inside,
        answers_outside=outside,
        # Even on a logarithmic scale: some write every other day, others twice a month, so that the
        # same silence means little from one and much from another.
        write_rate=np.exp(rng.uniform(np.log(least), np.log(most), size)),
        fade_rate=1.0
        / (rng.uniform(*behaviour.fade_days, size) * np.where(is_regular, REGULAR_STAYS, 1.0)),
        talkativeness=np.clip(0.15 + 0.55 * (inside + outside) / 2, 0.1, 0.7),
        period=period,
        tempo=np.where(is_regular, REGULAR_TEMPO, 1.0),
        start_hour=_start_hours(request, rng),
    )


def _periods(behaviour: Behaviour, size: int, rng: np.random.Generator) -> Whole:
    """Draw who orders regularly, and how often."""
    least, most = PERIOD_DAYS
    is_regular = rng.random(size) < behaviour.regular_share
    return np.where(is_regular, rng.integers(least, most + 1, size), 0)


def _answering(
    behaviour: Behaviour, size: int, rng: np.random.Generator
) -> tuple[Whole, Floats, Floats]:
    """Draw each contact's window and its chances of answering inside and outside of it."""
    if not behaviour.habits_are_two_valued:
        window = rng.choice(3, size=size, p=(0.35, 0.35, 0.3))
        habit = rng.normal(0.2, 2.4, size)
        off = np.where(window == ANY_TIME, 0.0, 1.3)
        return window, _sigmoid(habit + off / 2), _sigmoid(habit - off / 2)
    kind = rng.choice(4, size=size, p=(0.06, 0.06, 0.66, 0.22))
    window = np.minimum(kind, ANY_TIME)
    keeps_hours = kind < ANY_TIME
    answers = np.where(kind == 3, 0.01, np.where(keeps_hours, 0.97, 0.98))
    return window, answers, np.where(keeps_hours, 0.03, answers)


def _start_hours(request: SimulationRequest, rng: np.random.Generator) -> Floats:
    """Draw when each contact first writes: closed leads early enough, then open ones, then others.

    Closed leads begin at least one horizon and a week before the end.
    """
    size, closed, opened = request.conversations, request.closed_leads, request.open_leads
    latest_day = request.days - HORIZON_DAYS - LEAD_DAYS - 1
    day = np.floor(latest_day * rng.random(size) ** 1.3)
    hour = day * 24 + rng.uniform(OPENING, CLOSING - 1, size)
    latest = request.hours - 1.0
    days_ago = rng.integers(1, HORIZON_DAYS - 1, opened)
    open_hour = (latest // 24 - days_ago) * 24 + rng.uniform(OPENING, CLOSING - 1, opened)
    hour[closed : closed + opened] = open_hour
    return hour


def _sigmoid(value: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-value))
