"""The CRM's records on their way in: what importers and the simulator hand to the store.

Records name each other by the ids of their source (`external_id`); the store gives them
its own. All instants are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

INSTANT = pl.Datetime("us", "UTC")

CONTACTS = pl.Schema(
    {
        "external_id": pl.String(),
        "name": pl.String(),
        "phone": pl.String(),
        "created_at": INSTANT,
        "churned_at": INSTANT,
    }
)
"""One row per contact. Null `churned_at`: no explicit cancellation is known."""

CONVERSATIONS = pl.Schema(
    {"external_id": pl.String(), "contact_external_id": pl.String(), "started_at": INSTANT}
)
"""One row per conversation."""

MESSAGES = pl.Schema(
    {
        "external_id": pl.String(),
        "contact_external_id": pl.String(),
        "conversation_external_id": pl.String(),
        "direction": pl.String(),
        "kind": pl.String(),
        "text": pl.String(),
        "sent_at": INSTANT,
        "is_automatic": pl.Boolean(),
    }
)
"""One row per message. `direction` is `in` or `out`; `kind` text, image, audio, template ...;
null `text`: a message without words; null `conversation_external_id`: none is recorded;
`is_automatic`: written by a rule or a bot, not by a person."""

LEADS = pl.Schema(
    {
        "external_id": pl.String(),
        "contact_external_id": pl.String(),
        "created_at": INSTANT,
        "outcome": pl.String(),
        "closed_at": INSTANT,
        "outcome_known_at": INSTANT,
    }
)
"""One row per lead. `outcome` is open, won or lost; `closed_at` is null while open or where the
source does not say; `outcome_known_at` is `closed_at`, or the import's instant without one."""

FACTS = pl.Schema(
    {
        "subject": pl.String(),
        "subject_external_id": pl.String(),
        "name": pl.String(),
        "value": pl.String(),
        "known_at": INSTANT,
    }
)
"""One row per dated value of a contact, lead or message. Well-known names: of contacts and leads
every extra column, `opted_out` (value `true` or `false`); of leads `source`, `value`, `stage`;
of messages `status` (`sent`, `delivered`, `read`, `failed`)."""

PROVISIONAL_KINDS = ("untold", "media_placeholder")
"""Kinds of messages that are known only to exist, least known first: a feed told what became of
one (a status, an edit), not yet what it says. The message itself takes their place."""

SAME_PERSON = "same_person_as"
"""Fact of a contact: another `external_id` of its source that is the same person."""
CHANNEL_MESSAGE_ID = "channel_message_id"
"""Fact of a message: its id at the channel, under which another source may know it."""
IDENTITY_FACTS = (SAME_PERSON, CHANNEL_MESSAGE_ID)
"""Facts that tie records together and say nothing of anybody: they carry `ALWAYS`, and learning
never sees them."""
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""The `known_at` of what has no date because it was never otherwise."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """A batch of records of one source; each frame has the schema of its name above."""

    contacts: pl.DataFrame = field(default_factory=CONTACTS.to_frame)
    conversations: pl.DataFrame = field(default_factory=CONVERSATIONS.to_frame)
    messages: pl.DataFrame = field(default_factory=MESSAGES.to_frame)
    leads: pl.DataFrame = field(default_factory=LEADS.to_frame)
    facts: pl.DataFrame = field(default_factory=FACTS.to_frame)


def conversations_named_in(messages: pl.DataFrame) -> pl.DataFrame:
    """Return the conversations that messages name, as `CONVERSATIONS`.

    Each begins with its first message, and is with the contact of the first that names it.
    """
    return (
        messages.filter(pl.col("conversation_external_id").is_not_null())
        .group_by("conversation_external_id", maintain_order=True)
        .agg(pl.col("contact_external_id").first(), started_at=pl.col("sent_at").min())
        .rename({"conversation_external_id": "external_id"})
        .select(list(CONVERSATIONS))
    )
