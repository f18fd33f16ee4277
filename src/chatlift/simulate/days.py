"""Day by day: contacts are engaged, fade, fall silent or come back; the business writes to them.

One pass over the days, all contacts at once. On a day at most one thing happens to a contact:
it writes by itself (a session), or the business writes first (a send). All that a contact does
on a day ends on that day, so that the state at midnight decides the rest.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from chatlift.simulate.behaviour import Behaviour
from chatlift.simulate.population import (
    CLOSING,
    LEAD_DAYS,
    OPENING,
    WINDOWS,
    Column,
    Floats,
    Population,
    Truths,
    Whole,
)
from chatlift.simulate.request import SimulationRequest

ENGAGED, FADING, SILENT, GONE = 0, 1, 2, 3
"""States; a contact that is gone has opted out and never writes again."""

SEND_RATES = ((7, 0.6), (21, 0.08), (3650, 0.012))
"""Chance per day that the business writes, by the most days since the contact last wrote:
people write to those they are in touch with."""
CAMPAIGN_EVERY_DAYS = 14
CAMPAIGN_REACH = 0.5
CAMPAIGN_SILENCE_DAYS = 30
"""A campaign goes to contacts that wrote within this span."""
DUE_CHANCE = 0.5
"""Chance per day that a regular order comes, once it is due."""
FAILURE_RATE = 0.02
ANSWER_MEDIAN_HOURS = 0.7


@dataclass(frozen=True, kw_only=True)
class Monday:
    """How things stand at the start of a Monday; one entry per contact."""

    state: Whole
    days_silent: Whole
    """Days since the contact last wrote."""


@dataclass(frozen=True, kw_only=True)
class Days:
    """Everything that happened after the leads' first week; one entry per event."""

    sessions: dict[str, Column]
    """`contact`, `hour` (from the first midnight) and `state` of each session."""
    sends: dict[str, Column]
    """`contact`, `hour`, `state`, `answer_hour` (NaN: none), `is_failed`, `is_campaign` and
    `probability` of an inbound message within 24 hours, of each send."""
    opt_outs: dict[str, Column]
    """`contact` and `hour` of each request not to be written to."""
    mondays: dict[int, Monday]
    """State of every contact at the beginning of the day, by day; Mondays only."""


@dataclass(kw_only=True)
class _World:
    """What changes from day to day."""

    state: Whole
    last_in_day: Whole
    quiet_from: Floats
    """Hour of the last message, or the end of its day."""
    log: dict[str, dict[str, list[Column]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def note(self, event: str, **columns: Column) -> None:
        for name, values in columns.items():
            self.log[event][name].append(values)

    def events(self, event: str, names: tuple[str, ...]) -> dict[str, Column]:
        told = self.log[event]
        return {n: np.concatenate(told[n]) if told[n] else np.zeros(0, np.int64) for n in names}


def live_days(
    request: SimulationRequest,
    behaviour: Behaviour,
    population: Population,
    rng: np.random.Generator,
) -> Days:
    """Let all days pass and return what happened."""
    live_from = first_ordinary_day(request, population)
    world = _World(
        state=np.zeros(population.size, dtype=np.int8),
        last_in_day=live_from - 1,
        quiet_from=live_from * 24.0,
    )
    mondays = {}
    for day in range(request.days + 1):
        if (request.first_midnight + timedelta(days=day)).weekday() == 0:
            mondays[day] = Monday(state=world.state.copy(), days_silent=day - world.last_in_day)
        _live_day(world, request, behaviour, population, live_from, day, rng)
    return Days(
        sessions=world.events("session", ("contact", "hour", "state")),
        sends=world.events("send", SEND_COLUMNS),
        opt_outs=world.events("opt_out", ("contact", "hour")),
        mondays=mondays,
    )


SEND_COLUMNS = (
    "contact", "hour", "state", "answer_hour", "is_failed", "is_campaign", "probability",
)  # fmt: skip


def first_ordinary_day(request: SimulationRequest, population: Population) -> Whole:
    """Return per contact the first day after its lead's week, or after its first message."""
    has_lead = np.arange(population.size) < request.closed_leads + request.open_leads
    return population.start_day + np.where(has_lead, LEAD_DAYS, 1)


def drift_on(request: SimulationRequest, day: int) -> float:
    """Return how strongly behaviour has changed by that day."""
    return request.drift if day >= request.drift_day else 0.0


def fade_rate(population: Population, drift: float) -> Floats:
    """Return per contact the chance per day of beginning to fade."""
    rates: Floats = np.minimum(population.fade_rate * (1.0 + 2.0 * drift), 0.9)
    return rates


def write_chances(population: Population, behaviour: Behaviour, days_silent: Whole) -> Floats:
    """Return the chance per day of a session; one row per contact, one column per state.

    A contact that orders regularly writes by itself only once its time has come.
    """
    is_due = days_silent >= population.period
    regular = np.where(is_due, DUE_CHANCE, 0.0)
    rate = np.where(population.period > 0, regular, population.write_rate)
    factors = np.array([1.0, behaviour.fading_write, 0.0, 0.0])
    chances: Floats = rate[:, None] * factors
    return chances


def answer_factors(behaviour: Behaviour, drift: float) -> Floats:
    """Return per state the factor on a contact's chance of answering."""
    factors: Floats = np.array([1.0, behaviour.fading_answer, 0.0, 0.0]) * (1.0 - 0.5 * drift)
    return factors


def send_rates(days_silent: Whole) -> Floats:
    """Return the chance per day of a send, by the days since the contact last wrote."""
    edges, rates = zip(*SEND_RATES, strict=True)
    rate: Floats = np.array(rates)[np.searchsorted(edges[:-1], days_silent)]
    return rate


def _live_day(
    world: _World,
    request: SimulationRequest,
    behaviour: Behaviour,
    population: Population,
    live_from: Whole,
    day: int,
    rng: np.random.Generator,
) -> None:
    alive = day >= live_from
    drift = drift_on(request, day)
    _change_states(world, behaviour, population, alive, day, drift, rng)
    chances = write_chances(population, behaviour, day - world.last_in_day)
    writes = alive & (rng.random(population.size) < _of_state(chances, world.state))
    (contact,) = np.nonzero(writes)
    hour = day * 24 + _hours_inside(population.window[contact], rng)
    world.note("session", contact=contact, hour=hour, state=world.state[contact])
    _touch(world, contact, day)
    (asked,) = np.nonzero(alive & ~writes & (world.state != GONE))
    _send(world, request, behaviour, population, asked, day, rng)


def _change_states(
    world: _World,
    behaviour: Behaviour,
    population: Population,
    alive: Truths,
    day: int,
    drift: float,
    rng: np.random.Generator,
) -> None:
    luck, leaves = rng.random(population.size), rng.random(population.size)
    before = world.state.copy()
    changes = alive & (luck < _change_chances(behaviour, population, drift, before))
    after = np.array([FADING, SILENT, ENGAGED, GONE])[before]
    world.state = np.where(changes, after, before).astype(np.int8)
    opts_out = changes & (before == FADING) & (leaves < behaviour.opt_out)
    world.state[opts_out] = GONE
    (contact,) = np.nonzero(opts_out)
    world.note("opt_out", contact=contact, hour=day * 24 + rng.uniform(22.0, 23.5, len(contact)))
    _touch(world, contact, day)


def _change_chances(
    behaviour: Behaviour, population: Population, drift: float, state: Whole
) -> Floats:
    fades = fade_rate(population, drift)
    others = np.array([0.0, 1.0 / behaviour.fading_days, behaviour.return_rate, 0.0])
    return np.where(state == ENGAGED, fades, others[state])


def _send(
    world: _World,
    request: SimulationRequest,
    behaviour: Behaviour,
    population: Population,
    asked: Whole,
    day: int,
    rng: np.random.Generator,
) -> None:
    """Write to some of the contacts that have been quiet for a day, and let them answer."""
    size = len(asked)
    is_campaign = day % CAMPAIGN_EVERY_DAYS == CAMPAIGN_EVERY_DAYS - 1
    campaign_hour = rng.integers(OPENING + 1, CLOSING - 1)
    rates = _send_rates(day - world.last_in_day[asked], is_campaign=is_campaign)
    wants = rng.random(size) < np.minimum(rates * population.tempo[asked], 1.0)
    hour = rng.uniform(OPENING, CLOSING, size)
    if is_campaign:
        hour = campaign_hour + rng.uniform(0.0, 0.4, size)
    quiet = day * 24 + hour - world.quiet_from[asked] >= 24.0
    chosen = wants & quiet & (day * 24 + hour < request.hours)
    contact, hour = asked[chosen], hour[chosen]
    state = world.state[contact]
    drift = drift_on(request, day)
    chance = _answer_chances(population, behaviour, contact, hour, state, drift)
    is_failed = rng.random(len(contact)) < FAILURE_RATE
    answers = ~is_failed & (rng.random(len(contact)) < chance)
    world.note(
        "send",
        contact=contact,
        hour=day * 24 + hour,
        state=state,
        answer_hour=np.where(answers, day * 24 + _answer_hours(hour, rng), np.nan),
        is_failed=is_failed,
        is_campaign=np.full(len(contact), is_campaign),
        probability=_any_message(
            request, population, behaviour, contact, hour, state, chance, day, world.last_in_day
        ),
    )
    world.quiet_from[contact] = day * 24 + hour + 3.0
    _touch(world, contact[answers], day)


def _send_rates(days_silent: Whole, *, is_campaign: bool) -> Floats:
    usual = send_rates(days_silent)
    reached = is_campaign & (days_silent <= CAMPAIGN_SILENCE_DAYS)
    return np.where(reached, CAMPAIGN_REACH, usual)


def _answer_chances(
    population: Population,
    behaviour: Behaviour,
    contact: Whole,
    hour: Floats,
    state: Whole,
    drift: float,
) -> Floats:
    first, after = WINDOWS[population.window[contact]].T
    inside = (hour >= first) & (hour < after)
    inside_chance, outside_chance = population.answers_inside, population.answers_outside
    chance = np.where(inside, inside_chance[contact], outside_chance[contact])
    found: Floats = chance * answer_factors(behaviour, drift)[state]
    return found


def _answer_hours(hour: Floats, rng: np.random.Generator) -> Floats:
    """Draw the hour of the answer, on the same day as the send."""
    delay = rng.lognormal(np.log(ANSWER_MEDIAN_HOURS), 1.0, len(hour))
    room = 23.5 - hour
    hours: Floats = hour + np.minimum(delay, room * rng.uniform(0.3, 1.0, len(hour)))
    return hours


def _any_message(
    request: SimulationRequest,
    population: Population,
    behaviour: Behaviour,
    contact: Whole,
    hour: Floats,
    state: Whole,
    answer_chance: Floats,
    day: int,
    last_in_day: Whole,
) -> Floats:
    """Return the chance of an answer, or of a session before the same hour tomorrow.

    Nobody knows yet whether the message arrives, so the chance that it does not is part of it.
    """
    arrives_and_answers = (1.0 - FAILURE_RATE) * answer_chance
    fades = fade_rate(population, drift_on(request, day + 1))[contact]
    chances = write_chances(population, behaviour, day + 1 - last_in_day)[contact]
    stay_fading = 1.0 - 1.0 / behaviour.fading_days
    back = behaviour.return_rate
    engaged, fading = chances[:, ENGAGED], chances[:, FADING]
    tomorrow = np.select(
        [state == ENGAGED, state == FADING, state == SILENT],
        [(1 - fades) * engaged + fades * fading, stay_fading * fading, back * engaged],
        0.0,
    )
    first, after = WINDOWS[population.window[contact]].T
    before_then = np.clip((hour - first) / (after - first), 0.0, 1.0)
    goes_unanswered = 1.0 - arrives_and_answers
    any_message: Floats = arrives_and_answers + goes_unanswered * tomorrow * before_then
    return any_message


def _hours_inside(window: Whole, rng: np.random.Generator) -> Floats:
    first, after = WINDOWS[window].T
    hours: Floats = rng.uniform(first, after)
    return hours


def _touch(world: _World, contact: Whole, day: int) -> None:
    """Note that these contacts wrote today."""
    world.last_in_day[contact] = day
    world.quiet_from[contact] = (day + 1) * 24.0


def _of_state(chances: Floats, state: Whole) -> Floats:
    found: Floats = chances[np.arange(len(state)), state]
    return found
