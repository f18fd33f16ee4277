"""What the generator knows and the CRM must not: the true probability of every outcome.

Three frames, kept apart from the records:

- `leads`: one row per lead: `external_id`, `probability` of being won within the horizon, and
  `probability_after_week`, the same of a lead still open a week after it came;
- `sends`: one row per send: `external_id` of the message, `contact_external_id`, `sent_at`,
  `probability` of an inbound message within 24 hours of it;
- `contacts`: one row per contact and Monday 00:00 UTC after its first message: `external_id`,
  `cutoff`, `probability` that no inbound message comes in the 30 days from there. It knows the
  contact's hidden state, and not the calendar of sends to come. Only where the 30 days are over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from chatlift.records import INSTANT
from chatlift.simulate.behaviour import Behaviour
from chatlift.simulate.days import (
    Days,
    answer_factors,
    drift_on,
    fade_rate,
    first_ordinary_day,
    send_rates,
    write_chances,
)
from chatlift.simulate.population import Floats, Population, Whole
from chatlift.simulate.request import HORIZON_DAYS, SimulationRequest

STATES = 4


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The true probabilities; the module's docstring gives the frames' columns."""

    leads: pl.DataFrame
    sends: pl.DataFrame
    contacts: pl.DataFrame


def contact_truth(
    request: SimulationRequest,
    behaviour: Behaviour,
    population: Population,
    days: Days,
    contact_ids: pl.Series,
) -> pl.DataFrame:
    """Return the probability of 30 days of silence per contact and Monday.

    Parameters
    ----------
    contact_ids
        External ids of the contacts that write, in their order.
    """
    frames = [
        _at_monday(request, behaviour, population, days, contact_ids, d) for d in days.mondays
    ]
    return pl.concat(
        [_NONE, *(frame for frame in frames if frame is not None)], how="vertical"
    ).sort("external_id", "cutoff")


_NONE = pl.DataFrame(
    schema={"external_id": pl.String, "cutoff": INSTANT, "probability": pl.Float64}
)


def _at_monday(
    request: SimulationRequest,
    behaviour: Behaviour,
    population: Population,
    days: Days,
    contact_ids: pl.Series,
    day: int,
) -> pl.DataFrame | None:
    if (day + HORIZON_DAYS) * 24 > request.hours:
        return None
    (known,) = np.nonzero(population.start_hour < day * 24)
    monday = days.mondays[day]
    silent = silence_chances(request, behaviour, population, day, monday.days_silent)
    # A lead's first days always hold a message, the first of them for certain on this Monday.
    still_lead = first_ordinary_day(request, population) > day
    chance = np.where(still_lead, 0.0, silent[np.arange(population.size), monday.state])
    cutoff = request.first_midnight + timedelta(days=day)
    return pl.DataFrame(
        {"external_id": contact_ids.gather(known), "probability": chance[known]}
    ).select("external_id", pl.lit(cutoff, dtype=INSTANT).alias("cutoff"), "probability")


def silence_chances(
    request: SimulationRequest,
    behaviour: Behaviour,
    population: Population,
    day: int,
    days_silent: Whole,
) -> Floats:
    """Return the chance of no inbound message in 30 days; a row per contact, a column per state.

    Worked out backwards: silence from a day on is a quiet day followed by silence.
    """
    silent: Floats = np.ones((population.size, STATES))
    for later in reversed(range(day, day + HORIZON_DAYS)):
        drift = drift_on(request, later)
        inbound = _inbound_chances(behaviour, population, drift, days_silent + later - day)
        quiet = silent * (1.0 - inbound)
        silent = _before_change(behaviour, fade_rate(population, drift), quiet)
    return silent


def _before_change(behaviour: Behaviour, fades: Floats, quiet: Floats) -> Floats:
    """Step back over the change of state at the start of a day."""
    engaged, fading, silent, gone = quiet.T
    ends, back = 1.0 / behaviour.fading_days, behaviour.return_rate
    return np.column_stack(
        [
            (1 - fades) * engaged + fades * fading,
            (1 - ends) * fading + ends * (1 - behaviour.opt_out) * silent,
            (1 - back) * silent + back * engaged,
            gone,
        ]
    )


def _inbound_chances(
    behaviour: Behaviour, population: Population, drift: float, days_silent: Whole
) -> Floats:
    """Return the chance of a message on a day: by itself, or as an answer to a send."""
    writes = write_chances(population, behaviour, days_silent)
    answers = (population.answers_inside + population.answers_outside) / 2
    sent = send_rates(days_silent)
    reached = np.minimum(sent * population.tempo, 1.0)
    answered = (reached * answers)[:, None] * answer_factors(behaviour, drift)
    return 1.0 - (1.0 - writes) * (1.0 - answered)
