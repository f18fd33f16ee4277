"""What a feed of messages says: one chat export, or one file of webhook payloads, understood.

Parsers of feeds (`whatsapp_export`, `whatsapp_cloud`, `chatwoot`) all answer with a `ParsedFeed`;
the workflow writes its records and checks that every entry of the feed is accounted for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from chatlift.errors import InvalidInput
from chatlift.records import Records

REJECTED_ENTRIES = pl.Schema(
    {
        "file_name": pl.String,
        "entry_number": pl.Int64,
        "line_number": pl.Int64,
        "column": pl.String,
        "value": pl.String,
        "reason": pl.String,
        "cells": pl.String,
    }
)
"""One row per refused entry of a feed. `file_name`: the file, where the feed is a folder of them;
null: the feed's own; `entry_number` counts entries from 0; null `line_number`:
the feed has no lines; `value`: what was found there; null: nothing; `cells`: a JSON list with the
whole body, where nobody else has it, as of a webhook's delivery; null: it can be looked up."""


@dataclass(frozen=True, kw_only=True)
class ParsedFeed:
    """One feed, understood.

    The rows of `records` and of `rejected` stand for all that it tells; `passed_over` counts
    the rest.
    """

    feed_name: str
    """The file's name, without its folder."""
    records: Records
    rejected: pl.DataFrame
    """The refused entries, as `REJECTED_ENTRIES`."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """Kind to number of entries that are no record and nothing to mend, such as system lines."""
    line_counts: Mapping[str, int] = field(default_factory=dict)
    """For feeds of lines: number of lines by what each was (message, continuation, system,
    rejected); they sum to all lines of the file."""
    entry_counts: Mapping[str, int] = field(default_factory=dict)
    """For feeds of payloads: number of entries that became records, by what they were; with the
    rejected and the passed over they are all."""
    observed_from: datetime | None = None
    observed_through: datetime | None = None
    """The span that the feed covers; null where it holds no dated entry."""
    is_of_its_contacts: bool = False
    """Whether the span ends for the contacts in it only, as of a chat that was exported alone; else
    it is the source's, which tells of all its contacts."""


def refused_feed(feed_name: str, reason: str) -> ParsedFeed:
    """Return what a feed says that cannot be read: that it was refused, as its only entry."""
    row = {"entry_number": 0, "column": "", "reason": reason}
    return ParsedFeed(
        feed_name=feed_name, records=Records(), rejected=pl.DataFrame([row], REJECTED_ENTRIES)
    )


def with_phone(feed: ParsedFeed, phone: str) -> ParsedFeed:
    """Return a feed of one contact with the phone that a person told of it.

    Raises
    ------
    InvalidInput
        If there is not exactly one contact.
    """
    contacts = feed.records.contacts
    if contacts.height != 1:
        raise InvalidInput(
            f"A phone was told for {feed.feed_name}, which is of {contacts.height} contacts. "
            "Leave the phone out, or import a chat with one contact."
        )
    told = contacts.with_columns(phone=pl.coalesce("phone", pl.lit(phone)))
    return replace(feed, records=replace(feed.records, contacts=told))
