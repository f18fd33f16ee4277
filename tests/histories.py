"""Small histories for tests, told as stories: who wrote when, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from chatlift import history as crm
from chatlift.history import History

START = datetime(2026, 1, 5, tzinfo=UTC)
KEEN = ("I want to buy it", "please send the invoice", "great, let us sign", "what is the price")
COOL = ("not now thanks", "too expensive for us", "please stop", "maybe next year")


def at(days: float) -> datetime:
    """The instant this many days after the start of every story."""
    return START + timedelta(days=days)


def history(
    *,
    contacts: Sequence[tuple[int, float]] = (),
    messages: Sequence[tuple[int, str, float, str]] = (),
    leads: Sequence[tuple[int, int, float, str, float | None]] = (),
    facts: Sequence[tuple[str, int, str, str, float]] = (),
    through: float = 365.0,
    gaps: Sequence[tuple[float, float]] = (),
    churned: dict[int, float] | None = None,
) -> History:
    """Build a history from tuples; days count from `START`.

    contacts: id, created. messages: contact, direction, sent, text. leads: id, contact, created,
    outcome, closed. facts: subject, id, name, value, known.
    """
    churned = churned or {}
    told = [
        [c, f"c{c}", "story", at(created), at(churned[c]) if c in churned else None]
        for c, created in contacts
    ]
    sent = [
        [i, c, None, direction, "text", text, at(day), False]
        for i, (c, direction, day, text) in enumerate(messages, start=1)
    ]
    asked: list[list[Any]] = []
    for i, c, created, outcome, closed in leads:
        when = None if closed is None else at(closed)
        asked.append([i, f"l{i}", c, at(created), outcome, when, when])
    return History(
        contacts=_frame(told, crm.CONTACTS),
        messages=_frame(sent, crm.MESSAGES).sort("contact_id", "sent_at", "message_id"),
        leads=_frame(asked, crm.LEADS),
        facts=_frame([[s, i, n, v, at(k)] for s, i, n, v, k in facts], crm.FACTS),
        observations=_frame([["story", at(0), at(through)]], crm.OBSERVATIONS),
        gaps=_frame([["story", at(a), at(b)] for a, b in gaps], crm.GAPS),
    )


def _frame(rows: list[list[Any]], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


def business(seed: int, *, contacts: int = 120, days: int = 150, signal: float = 1.0) -> History:
    """A business whose keen contacts buy and answer; `signal` 0 makes outcomes pure chance."""
    rng = np.random.default_rng(seed)
    people, sent, leads, facts = [], [], [], []
    for c in range(1, contacts + 1):
        created = float(rng.uniform(0, days - 60))
        people.append((c, created))
        keen = rng.random() < 0.4
        leaves_at = created + float(rng.uniform(15, days))
        day = created + 0.01
        while day < min(leaves_at, days):
            sent.append((c, "out", day, "hello, how are things"))
            if rng.random() < (0.85 if keen else 0.25):
                for _ in range(int(rng.integers(1, 4))):
                    words = KEEN if (rng.random() < 0.9) == keen else COOL
                    delay = float(rng.uniform(0.01, 0.3))
                    sent.append((c, "in", day + delay, str(rng.choice(words))))
            day += float(rng.uniform(1.6, 5))
        follows = keen if rng.random() < signal else rng.random() < 0.4
        closed = created + float(rng.uniform(8, 28))
        leads.append((c, c, created, "won" if follows else "lost", closed))
        facts.append(("lead", c, "source", str(rng.choice(["web", "fair"])), created))
    return history(contacts=people, messages=sent, leads=leads, facts=facts, through=float(days))
