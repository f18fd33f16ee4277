"""The history: an account's records as they are read back, all that learning may look at.

The store produces a `History`; `learn` turns it into examples. The frames are named by
their grain. Ids are the store's integers; all instants are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from chatlift.records import INSTANT

CONTACTS = pl.Schema(
    {
        "contact_id": pl.Int64(),
        "external_id": pl.String(),
        "source": pl.String(),
        "created_at": INSTANT,
        "churned_at": INSTANT,
    }
)
"""One row per contact, sorted by contact_id."""

MESSAGES = pl.Schema(
    {
        "message_id": pl.Int64(),
        "contact_id": pl.Int64(),
        "conversation_id": pl.Int64(),
        "direction": pl.String(),
        "kind": pl.String(),
        "text": pl.String(),
        "sent_at": INSTANT,
        "is_automatic": pl.Boolean(),
    }
)
"""One row per message, sorted by contact_id, sent_at, message_id. `text` may be left out of
a reading (all null) where only times matter."""

LEADS = pl.Schema(
    {
        "lead_id": pl.Int64(),
        "external_id": pl.String(),
        "contact_id": pl.Int64(),
        "created_at": INSTANT,
        "outcome": pl.String(),
        "closed_at": INSTANT,
        "outcome_known_at": INSTANT,
    }
)
"""One row per lead, sorted by lead_id. Null `closed_at`: open, or the source does not say."""

FACTS = pl.Schema(
    {
        "subject": pl.String(),
        "subject_id": pl.Int64(),
        "name": pl.String(),
        "value": pl.String(),
        "known_at": INSTANT,
    }
)
"""One row per dated value, sorted by subject, name, subject_id, known_at."""

OBSERVATIONS = pl.Schema(
    {"source": pl.String(), "observed_from": INSTANT, "observed_through": INSTANT}
)
"""One row per source: the span for which it is known to be complete. Time passes by
`observed_through`, never by the clock."""

CONTACT_OBSERVATIONS = pl.Schema({"contact_id": pl.Int64(), "observed_through": INSTANT})
"""One row per contact that was observed up to another instant than its source, as chats are that
were exported one by one; the others go by their source."""

GAPS = pl.Schema({"source": pl.String(), "gap_from": INSTANT, "gap_through": INSTANT})
"""One row per span inside an observation in which the source was not listening."""


@dataclass(frozen=True, kw_only=True)
class History:
    """One account's records; each frame has the schema of its name above."""

    contacts: pl.DataFrame = field(default_factory=CONTACTS.to_frame)
    messages: pl.DataFrame = field(default_factory=MESSAGES.to_frame)
    leads: pl.DataFrame = field(default_factory=LEADS.to_frame)
    facts: pl.DataFrame = field(default_factory=FACTS.to_frame)
    observations: pl.DataFrame = field(default_factory=OBSERVATIONS.to_frame)
    contact_observations: pl.DataFrame = field(default_factory=CONTACT_OBSERVATIONS.to_frame)
    gaps: pl.DataFrame = field(default_factory=GAPS.to_frame)
    time_zone: str = "UTC"
    """IANA name of the zone in which the business's hours and weekdays are read."""

    derived: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What `learn` made of these records and would make again, by name; another record has none."""
