"""Leads: how interested they are, whether they are won, and when that is settled.

Outcomes are drawn so that exactly the wanted number is won and yet each lead is won with
exactly its own probability: the pivotal method in a random order, with the probabilities
shifted (in log-odds) until they add up to the wanted number. (Systematic sampling keeps the
probabilities too, but its surprises come in clusters: one draw in ten was hopeless.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chatlift.simulate.behaviour import Behaviour
from chatlift.simulate.population import Floats, Population, Truths
from chatlift.simulate.request import HORIZON_DAYS, SimulationRequest


@dataclass(frozen=True, kw_only=True)
class LeadDraw:
    """One entry per lead: the closed ones, then the open ones.

    Lead i belongs to contact i and is created with the contact's first message.
    """

    interest: Floats
    probability: Floats
    """Chance of being won within the horizon."""
    probability_after_week: Floats
    """The same of a lead that is still open a week after it came: the quick wins are over."""
    is_won: Truths
    close_hour: Floats
    """Hours from the first midnight; NaN while open."""


def draw_leads(
    request: SimulationRequest,
    behaviour: Behaviour,
    population: Population,
    rng: np.random.Generator,
) -> LeadDraw:
    """Draw the leads of a population."""
    closed, opened = request.closed_leads, request.open_leads
    share = request.leads_won / closed if closed else 0.3
    interest = np.concatenate(
        [
            _interest(behaviour, closed, request.leads_won, rng),
            _interest(behaviour, opened, round(share * opened), rng),
        ]
    )
    log_odds = behaviour.win_slope * interest
    shift = shift_to_total(log_odds[:closed], request.leads_won)
    win = 1.0 / (1.0 + np.exp(-(log_odds + shift)))
    is_won = np.zeros(closed + opened, dtype=np.bool_)
    is_won[:closed] = exactly(win[:closed], rng)
    in_time = win * (1.0 - behaviour.late_win)
    quick = in_time * behaviour.quick_win
    return LeadDraw(
        interest=interest,
        probability=in_time,
        probability_after_week=(in_time - quick) / (1.0 - quick),
        is_won=is_won,
        close_hour=_close_hours(request, behaviour, population, is_won, rng),
    )


def shift_to_total(log_odds: Floats, total: int) -> float:
    """Return what to add to all log-odds so that the probabilities sum to `total`.

    The answer is within -40 and 40; 0 without any log-odds.
    """
    low, high = -40.0, 40.0
    for _ in range(60 if len(log_odds) else 0):
        middle = (low + high) / 2
        is_enough = (1.0 / (1.0 + np.exp(-(log_odds + middle)))).sum() >= total
        low, high = (low, middle) if is_enough else (middle, high)
    return (low + high) / 2


def exactly(probability: Floats, rng: np.random.Generator) -> Truths:
    """Choose entries, each with its own probability, and always as many as these sum to.

    The entries meet in a random order, two at a time: one of the two is decided, and the other
    takes over what is left of both chances, so that the sum never changes.
    """
    chosen = np.zeros(len(probability), dtype=np.bool_)
    order = rng.permutation(len(probability)).tolist()
    chances, luck = probability.tolist(), rng.random(len(probability)).tolist()
    held, chance = -1, 0.0
    for entry, lot in zip(order, luck, strict=True):
        both = chance + chances[entry]
        if both < 1.0:
            held = entry if lot * both < chances[entry] else held
            chance = both
            continue
        held_wins = lot * (2.0 - both) < 1.0 - chances[entry]
        chosen[held if held_wins and held >= 0 else entry] = True
        held = entry if held_wins and held >= 0 else held
        chance = both - 1.0
    if held >= 0 and chance > 0.5:
        chosen[held] = True
    return chosen


def _interest(behaviour: Behaviour, size: int, hot: int, rng: np.random.Generator) -> Floats:
    if not behaviour.interest_is_two_valued:
        return rng.normal(0.0, 1.0, size)
    sign = np.where(rng.permutation(size) < hot, 1.0, -1.0)
    return sign + rng.normal(0.0, 0.1, size)


def _close_hours(
    request: SimulationRequest,
    behaviour: Behaviour,
    population: Population,
    is_won: Truths,
    rng: np.random.Generator,
) -> Floats:
    """Draw when each lead is settled; most stay open for more than a week."""
    size, closed = len(is_won), request.closed_leads
    last = HORIZON_DAYS - 0.1
    usual = np.minimum(7.5 + rng.gamma(2.0, 4.0, size), rng.uniform(20.0, last, size))
    quick = rng.uniform(3.1, 7.0, size)
    late = HORIZON_DAYS + 0.2 + rng.exponential(3.0, size)
    kind = rng.random(size)
    won_days = np.where(kind < behaviour.quick_win, quick, usual)
    won_days = np.where(rng.random(size) < behaviour.late_win, late, won_days)
    lost_days = 7.2 + rng.gamma(2.0, 7.0, size)
    start = population.start_hour[:size]
    hours = start + 24.0 * np.where(is_won, won_days, lost_days)
    # No lead is settled after the end; the first minutes of a late win stay after its horizon.
    hours = np.minimum(hours, request.hours - rng.uniform(0.1, 2.0, size))
    hours[closed:] = np.nan
    return hours
