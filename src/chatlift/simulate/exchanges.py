"""Exchanges: who writes when, once one side has begun.

An exchange is a run of turns on one day: the contact writes, the business answers, and so on.
All exchanges are laid out at once; hours count from the first midnight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chatlift.simulate.population import Floats, Whole

BUSINESS_MEDIAN_HOURS = 0.2
SMALLEST_ROOM_HOURS = 0.05


@dataclass(frozen=True, kw_only=True)
class Turns:
    """One entry per turn, those of an exchange together and in order."""

    exchange: Whole
    """Place of the exchange in what was handed over."""
    inbound_hour: Floats
    outbound_hour: Floats
    """When the business would answer this turn."""
    is_last: Whole
    """1 for the last turn of an exchange, otherwise 0."""


def lay_out(start: Floats, turns: Whole, reply_hours: Floats, rng: np.random.Generator) -> Turns:
    """Draw the times of exchanges that begin with the contact writing at `start`.

    Parameters
    ----------
    start, turns, reply_hours
        One entry per exchange: hour of the first message, number of turns (at least 1), and
        the contact's median delay. What would pass midnight is drawn together to end before.
    """
    exchange = np.repeat(np.arange(len(start)), turns)
    ends = np.cumsum(turns)
    begins = np.repeat(ends - turns, turns)
    is_first = np.arange(len(exchange)) == begins
    reply = rng.lognormal(0.0, 0.6, len(exchange)) * reply_hours[exchange]
    reply[is_first] = 0.0
    business = rng.lognormal(np.log(BUSINESS_MEDIAN_HOURS), 0.7, len(exchange))
    total = np.cumsum(reply + business)
    before = (total - reply - business)[begins] if len(exchange) else total
    out_after = total - before
    in_after = out_after - business
    last_out = out_after[ends - 1] if len(exchange) else out_after
    room = np.maximum((np.floor(start / 24) + 1) * 24 - 0.03 - start, SMALLEST_ROOM_HOURS)
    squeeze = np.minimum(1.0, room / np.maximum(last_out, 1e-9))[exchange]
    return Turns(
        exchange=exchange,
        inbound_hour=start[exchange] + in_after * squeeze,
        outbound_hour=start[exchange] + out_after * squeeze,
        is_last=(np.arange(len(exchange)) == np.repeat(ends - 1, turns)).astype(np.int8),
    )
