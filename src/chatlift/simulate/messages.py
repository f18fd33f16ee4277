"""All messages, one row each, with what they are about.

Four concerns make them: the first week of a lead, sessions, sends with their answers, and
requests to stop. Hours count from the first midnight; `sentence` is a place in the pools.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from chatlift.simulate.behaviour import Behaviour
from chatlift.simulate.days import FADING, Days
from chatlift.simulate.exchanges import lay_out
from chatlift.simulate.grammar import INTENT_CODES, INTENTS, sentence_numbers
from chatlift.simulate.leads import LeadDraw
from chatlift.simulate.population import (
    LEAD_DAYS,
    WINDOWS,
    Column,
    Floats,
    Population,
    Truths,
    Whole,
)
from chatlift.simulate.request import SimulationRequest

WARM, COLD, PLAIN, TIRED = 0, 1, 2, 3
"""Styles in which a contact speaks."""

STYLES: dict[int, dict[str, float]] = {
    WARM: {"interested": 0.74, "question": 0.16, "small_talk": 0.08, "short": 0.02},
    COLD: {"not_interested": 0.66, "question": 0.16, "small_talk": 0.1, "short": 0.08},
    PLAIN: {"question": 0.42, "small_talk": 0.42, "interested": 0.04, "complaint": 0.04,
            "not_interested": 0.02, "short": 0.06},
    TIRED: {"short": 0.5, "complaint": 0.28, "not_interested": 0.12, "question": 0.05,
            "small_talk": 0.05},
}  # fmt: skip
"""What is said in each style; shares of intents."""

KINDS = ("text", "image", "audio")
IMAGE_SHARE, AUDIO_SHARE = 0.04, 0.02
LEAD_REPLY_HOURS, PLAIN_REPLY_HOURS, TIRED_REPLY_HOURS = 0.7, 0.6, 2.0
BUSINESS_ANSWERS, BUSINESS_HAS_LAST_WORD = 0.95, 0.75
LEAD_TALK_DAYS = 25
FOLLOW_UP = 0.1

TABLE = {
    "contact": pl.Int32,
    "hour": pl.Float64,
    "is_out": pl.Boolean,
    "intent": pl.Int8,
    "is_automatic": pl.Boolean,
    "is_failed": pl.Boolean,
    "probability": pl.Float32,
}


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Who speaks and how: what all kinds of messages are drawn from."""

    request: SimulationRequest
    behaviour: Behaviour
    population: Population
    leads: LeadDraw

    @property
    def leads_count(self) -> int:
        """Contacts with a lead: the first ones."""
        return len(self.leads.interest)


def all_messages(cast: Cast, days: Days, rng: np.random.Generator) -> pl.DataFrame:
    """Return every message up to the end, contact by contact; see the module's docstring.

    One after the other as they were sent; a contact's stand together, since a database writes and
    reads them faster so.

    Columns: those of `TABLE`, `kind` (index into `KINDS`) and `sentence`. `probability` is null
    but for sends.
    """
    told = pl.concat(
        [
            _first_week(cast, rng),
            _first_words(cast, rng),
            _sessions(cast, days, rng),
            _sends(days, rng),
            _answers(cast, days, rng),
            _stops(days),
        ]
    )
    kept = told.filter(pl.col("hour") < cast.request.hours).sort("hour", maintain_order=True)
    language = cast.population.language[kept["contact"].to_numpy()]
    numbers = sentence_numbers(language, kept["intent"].to_numpy(), rng)
    kind = rng.choice(
        3, size=kept.height, p=(1 - IMAGE_SHARE - AUDIO_SHARE, IMAGE_SHARE, AUDIO_SHARE)
    )
    told = kept.with_columns(
        kind=pl.Series(kind.astype(np.int8)), sentence=pl.Series(numbers.astype(np.uint32))
    )
    return told.sort("contact", maintain_order=True)


def speak(style: Whole, rng: np.random.Generator) -> Whole:
    """Draw what is said, one intent per message, by its style."""
    shares = np.array([[STYLES[s].get(name, 0.0) for name in INTENTS] for s in sorted(STYLES)])
    luck = rng.random(len(style))
    intent = np.zeros(len(style), dtype=np.int8)
    for edge in np.cumsum(shares, axis=1).T[:-1]:
        intent += luck >= edge[style] - 1e-12
    return intent


def _first_week(cast: Cast, rng: np.random.Generator) -> pl.DataFrame:
    """Return the leads' first week: on its first day a contact writes twice at least."""
    size, behaviour = cast.leads_count, cast.behaviour
    lead = np.repeat(np.arange(size), LEAD_DAYS)
    day = np.tile(np.arange(LEAD_DAYS), size)
    # The last day always holds a message, so that the week ends where ordinary life begins.
    is_spoken = rng.random(len(lead)) >= behaviour.silent_lead_day
    is_spoken |= (day == 0) | (day == LEAD_DAYS - 1)
    lead, day = lead[is_spoken], day[is_spoken]
    start_day = cast.population.start_day[lead]
    first, after = WINDOWS[cast.population.window[lead]].T
    hour = (start_day + day) * 24 + rng.uniform(first, after)
    hour = np.where(day == 0, cast.population.start_hour[lead], hour)
    interest = cast.leads.interest[lead]
    again = _share(behaviour.turns_slope * interest)
    turns = 1 + rng.binomial(2, again) + (day == 0)
    reply = LEAD_REPLY_HOURS * np.exp(-behaviour.delay_slope * interest)
    exchange = _exchange(lead, hour, turns, reply, _lead_style(cast, lead, turns, rng), rng)
    welcomed = rng.random(size) < 0.5
    (greeted,) = np.nonzero(welcomed)
    welcome_hour = cast.population.start_hour[greeted] + 0.003
    return pl.concat(
        [exchange, _rows(greeted, welcome_hour, "welcome", is_out=True, is_automatic=True)]
    )


def _lead_style(cast: Cast, lead: Whole, turns: Whole, rng: np.random.Generator) -> Whole:
    """Draw warm or cold per message; drift makes the difference smaller."""
    late = cast.population.start_day[lead] >= cast.request.drift_day
    clarity = cast.behaviour.tone_slope * (1.0 - 0.6 * cast.request.drift * late)
    warm = np.repeat(_share(clarity * cast.leads.interest[lead]), turns)
    return np.where(rng.random(len(warm)) < warm, WARM, COLD)


def _first_words(cast: Cast, rng: np.random.Generator) -> pl.DataFrame:
    """Return the first exchange of contacts without a lead."""
    contact = np.arange(cast.leads_count, cast.population.size)
    turns = np.full(len(contact), 2)
    style = np.full(2 * len(contact), PLAIN)
    hour = cast.population.start_hour[contact]
    return _exchange(contact, hour, turns, np.full(len(contact), PLAIN_REPLY_HOURS), style, rng)


def _sessions(cast: Cast, days: Days, rng: np.random.Generator) -> pl.DataFrame:
    contact, hour = days.sessions["contact"], days.sessions["hour"]
    is_fading = days.sessions["state"] == FADING
    turns, reply = _turns_and_replies(cast, contact, is_fading, rng)
    style = _plain_or_tired(cast, np.repeat(is_fading, turns), rng)
    talk = np.repeat(_is_about_lead(cast, contact, hour), turns) & (rng.random(len(style)) < 0.5)
    by_lead = (
        _lead_style(cast, np.minimum(contact, max(cast.leads_count - 1, 0)), turns, rng)
        if cast.leads_count
        else style
    )
    return _exchange(contact, hour, turns, reply, np.where(talk, by_lead, style), rng)


def _is_about_lead(cast: Cast, contact: Whole, hour: Floats) -> Truths:
    """Tell which sessions fall into a lead that is still talked about."""
    until = np.full(cast.population.size, -np.inf)
    start = cast.population.start_hour[: cast.leads_count]
    until[: cast.leads_count] = np.fmin(cast.leads.close_hour, start + 24 * LEAD_TALK_DAYS)
    is_about: Truths = hour < until[contact]
    return is_about


def _turns_and_replies(
    cast: Cast, contact: Whole, is_fading: Truths, rng: np.random.Generator
) -> tuple[Whole, Floats]:
    again = cast.population.talkativeness[contact] * np.where(is_fading, 0.3, 1.0)
    # Who talks little also answers late.
    slow = np.exp(1.5 * (0.45 - cast.population.talkativeness[contact]) / 0.3)
    reply = np.where(is_fading, TIRED_REPLY_HOURS, PLAIN_REPLY_HOURS) * slow
    return 1 + rng.binomial(2, again), reply


def _plain_or_tired(cast: Cast, is_fading: Truths, rng: np.random.Generator) -> Whole:
    sounds_tired = is_fading & (rng.random(len(is_fading)) < cast.behaviour.fading_speaks)
    return np.where(sounds_tired, TIRED, PLAIN)


def _sends(days: Days, rng: np.random.Generator) -> pl.DataFrame:
    sends = days.sends
    contact, hour = sends["contact"], sends["hour"]
    offers = _rows(contact, hour, "offer", is_out=True).with_columns(
        is_failed=pl.Series(sends["is_failed"], dtype=pl.Boolean),
        probability=pl.Series(sends["probability"], dtype=pl.Float32),
    )
    unanswered = np.isnan(np.asarray(sends["answer_hour"], dtype=np.float64))
    (again,) = np.nonzero(unanswered & (rng.random(len(contact)) < FOLLOW_UP))
    later = hour[again] + rng.uniform(0.5, 2.5, len(again))
    return pl.concat([offers, _rows(contact[again], later, "follow_up", is_out=True)])


def _answers(cast: Cast, days: Days, rng: np.random.Generator) -> pl.DataFrame:
    answer_hour = np.asarray(days.sends["answer_hour"], dtype=np.float64)
    (answered,) = np.nonzero(~np.isnan(answer_hour))
    contact = days.sends["contact"][answered]
    is_fading = days.sends["state"][answered] == FADING
    turns, reply = _turns_and_replies(cast, contact, is_fading, rng)
    style = _plain_or_tired(cast, np.repeat(is_fading, turns), rng)
    return _exchange(contact, answer_hour[answered], turns, reply, style, rng)


def _stops(days: Days) -> pl.DataFrame:
    return _rows(days.opt_outs["contact"], days.opt_outs["hour"], "stop", is_out=False)


def _exchange(
    contact: Whole,
    start: Floats,
    turns: Whole,
    reply_hours: Floats,
    style: Whole,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Return the messages of exchanges; `style` has one entry per turn."""
    laid = lay_out(start, turns, reply_hours, rng)
    who = contact[laid.exchange]
    said = _rows(who, laid.inbound_hour, "short", is_out=False).with_columns(
        intent=pl.Series(speak(style, rng))
    )
    share = np.where(laid.is_last == 1, BUSINESS_HAS_LAST_WORD, BUSINESS_ANSWERS)
    (answered,) = np.nonzero(rng.random(len(who)) < share)
    answers = _rows(who[answered], laid.outbound_hour[answered], "answer", is_out=True)
    return pl.concat([said, answers])


def _rows(
    contact: Whole, hour: Column, intent: str, *, is_out: bool, is_automatic: bool = False
) -> pl.DataFrame:
    constants = {
        "is_out": is_out,
        "intent": INTENT_CODES[intent],
        "is_automatic": is_automatic,
        "is_failed": False,
        "probability": None,
    }
    literals = [pl.lit(v, dtype=TABLE[n]).alias(n) for n, v in constants.items()]
    rows = pl.DataFrame(
        {
            "contact": pl.Series(np.asarray(contact, dtype=np.int32)),
            "hour": pl.Series(np.asarray(hour, dtype=np.float64)),
        }
    )
    return rows.with_columns(literals).select(list(TABLE))


def _share(log_odds: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-log_odds))
