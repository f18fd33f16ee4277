"""Names, phones and attributes of contacts and leads, some of them missing."""

from __future__ import annotations

import numpy as np
import polars as pl

from chatlift.records import FACTS
from chatlift.simulate.leads import LeadDraw
from chatlift.simulate.population import Truths, Whole
from chatlift.vocabulary import FactSubject

COLOURS = ("Amber", "Coral", "Indigo", "Jade", "Ochre", "Plum", "Silver", "Teal", "Umber", "White")
ANIMALS = ("Badger", "Crane", "Dolphin", "Falcon", "Gecko", "Heron", "Lynx", "Otter", "Puffin",
           "Tapir")  # fmt: skip
CITIES = ("Northport", "Eastfield", "Lakeside", "Hillview", "Old Harbour", "Rivermouth")
PLANS = ("free", "basic", "plus", "business")
SOURCES = ("website", "advert", "referral", "walk-in")

NO_NAME, NO_PHONE, NO_CITY, NO_PLAN, NO_SIZE = 0.05, 0.03, 0.2, 0.1, 0.3
NO_SOURCE, NO_VALUE = 0.04, 0.15


def names_and_phones(size: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return `name` and `phone` per contact, invented: +999 is no country."""
    colour = pl.Series(COLOURS).gather(rng.integers(0, len(COLOURS), size))
    animal = pl.Series(ANIMALS).gather(rng.integers(0, len(ANIMALS), size))
    number = pl.Series(np.arange(1, size + 1)).cast(pl.String)
    return pl.DataFrame(
        {
            "name": _with_holes(colour + " " + animal + " " + number, NO_NAME, rng),
            "phone": _with_holes("+999" + number.str.zfill(9), NO_PHONE, rng),
        }
    )


def contact_facts(contacts: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Return the facts that are known of contacts from their creation on."""
    size = contacts.height
    employees = np.maximum(1, rng.lognormal(2.0, 1.2, size)).astype(np.int64)
    told = {
        "city": _with_holes(_drawn(CITIES, size, rng), NO_CITY, rng),
        "plan": _with_holes(_drawn(PLANS, size, rng), NO_PLAN, rng),
        "company_size": _with_holes(pl.Series(employees).cast(pl.String), NO_SIZE, rng),
    }
    return _facts(FactSubject.CONTACT, contacts, told)


def lead_facts(leads: pl.DataFrame, drawn: LeadDraw, rng: np.random.Generator) -> pl.DataFrame:
    """Return the facts that are known of leads from their creation on.

    Interested leads come by referral a little more often; their value says little.
    """
    size = leads.height
    value = rng.lognormal(5.0 + 0.1 * drawn.interest, 0.8)
    by_referral = rng.random(size) < np.clip(0.1 + 0.12 * drawn.interest, 0.0, 1.0)
    source = np.where(by_referral, SOURCES.index("referral"), rng.integers(0, len(SOURCES), size))
    told = {
        "source": _with_holes(pl.Series(SOURCES).gather(source), NO_SOURCE, rng),
        "value": _with_holes(pl.Series(value.round(2)).cast(pl.String), NO_VALUE, rng),
    }
    return _facts(FactSubject.LEAD, leads, told)


def _drawn(words: tuple[str, ...], size: int, rng: np.random.Generator) -> pl.Series:
    places: Whole = rng.integers(0, len(words), size)
    return pl.Series(words).gather(places)


def _with_holes(values: pl.Series, share: float, rng: np.random.Generator) -> pl.Series:
    keep: Truths = rng.random(len(values)) >= share
    return values.zip_with(pl.Series(keep), pl.Series([None], dtype=values.dtype))


def _facts(subject: FactSubject, of: pl.DataFrame, told: dict[str, pl.Series]) -> pl.DataFrame:
    frames = [
        of.select(
            subject=pl.lit(str(subject)),
            subject_external_id="external_id",
            name=pl.lit(name),
            value=values,
            known_at="created_at",
        ).drop_nulls("value")
        for name, values in told.items()
    ]
    return pl.concat([FACTS.to_frame(), *frames])
