"""Matching a further export of a chat with the messages that are known already: `aligned`.

Exports overlap, and messages have only minutes. What decides is that an export is one unbroken
stretch of the chat: all its minutes but the first and the last are whole. In a whole minute, equal
messages are matched by their count. In the first and last, which may be cut, the two are laid
over each other where the longest run agrees, so that of "ok, sure, ok" and, after it, "sure, ok,
ok" the last "ok" is a third one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl

from chatlift.records import Records
from chatlift.sources.feeds import ParsedFeed
from chatlift.sources.whatsapp_export.message_ids import (
    DELETED_CONTENT,
    MessageId,
    MessageKey,
    parse_ids,
)

MOST_COMPARISONS = 1_000_000
"""Of one minute; above it, messages are matched by count alone."""

Matches = dict[int, int]
"""Place among the new messages of a minute to place among the known ones."""


class _Cut(NamedTuple):
    """Whether what is there of a minute may lack its start, or its end."""

    start: bool
    end: bool


WHOLE = _Cut(start=False, end=False)


def aligned(feed: ParsedFeed, known_ids: Mapping[str, Sequence[str]]) -> ParsedFeed:
    """Return the feed with the ids under which its messages are known, where they are.

    The workflow calls it between `read_export` and writing, for each export in turn: it reads
    the ids of the contacts' messages of the same source, and writes what comes back. A message
    whose id is known is a duplicate to the store. One that was edited or deleted since keeps the
    id it had; its fact then names that id.

    Parameters
    ----------
    known_ids
        Contact's external id to the external ids of its messages, by `sent_at` and then in the
        order in which they were written. Two exports cut inside of one minute and imported
        newest first leave that minute's order unknown; there, equal messages may be miscounted.

    Returns
    -------
    ParsedFeed
        The same rows in the same order; only message ids differ.
    """
    messages = feed.records.messages
    if messages.is_empty():
        return feed
    new_ids = parse_ids(messages["external_id"])
    known = parse_ids(
        i for c in messages["contact_external_id"].unique() for i in known_ids.get(c, ())
    )
    told = _told_ids(new_ids, known, _cuts(messages, new_ids))
    renamed = {str(old): told_id for old, told_id in zip(new_ids, told, strict=True)}
    return replace(feed, records=_renamed(feed, renamed))


def _renamed(feed: ParsedFeed, renamed: Mapping[str, str]) -> Records:
    records = feed.records
    rename = {"old": list(renamed), "new": list(renamed.values())}
    return replace(
        records,
        messages=records.messages.with_columns(
            pl.col("external_id").replace(rename["old"], rename["new"])
        ),
        facts=records.facts.with_columns(
            pl.col("subject_external_id").replace(rename["old"], rename["new"])
        ),
    )


def _cuts(messages: pl.DataFrame, ids: Sequence[MessageId]) -> dict[str, _Cut]:
    """Return the minutes that the export may have cut: at its ends in file and in time."""
    minutes = messages["sent_at"].dt.truncate("1m")
    starts, ends = {minutes[0], minutes.min()}, {minutes[-1], minutes.max()}
    return {
        message_id.key.minute: _Cut(minute in starts, minute in ends)
        for message_id, minute in zip(ids, minutes, strict=True)
        if minute in starts | ends
    }


def _told_ids(
    new_ids: Sequence[MessageId], known: Sequence[MessageId], cuts: Mapping[str, _Cut]
) -> list[str]:
    known_by_minute = _by_minute(known)
    known_ends = (known[0].key.minute, known[-1].key.minute) if known else ("", "")
    told = [str(new_id) for new_id in new_ids]
    for minute, places in _by_minute_places(new_ids).items():
        if minute in known_by_minute:
            news = [new_ids[place] for place in places]
            known_cut = _Cut(*(minute == end for end in known_ends))
            minute_ids = _minute_ids(
                news, known_by_minute[minute], cuts.get(minute, WHOLE), known_cut
            )
            for place, text in zip(places, minute_ids, strict=True):
                told[place] = text
    return told


def _by_minute(ids: Sequence[MessageId]) -> dict[str, list[MessageId]]:
    grouped: dict[str, list[MessageId]] = defaultdict(list)
    for message_id in ids:
        grouped[message_id.key.minute].append(message_id)
    return grouped


def _by_minute_places(ids: Sequence[MessageId]) -> dict[str, list[int]]:
    grouped: dict[str, list[int]] = defaultdict(list)
    for place, message_id in enumerate(ids):
        grouped[message_id.key.minute].append(place)
    return grouped


def _minute_ids(
    news: Sequence[MessageId], known: Sequence[MessageId], cut: _Cut, known_cut: _Cut
) -> list[str]:
    """Return the ids of one minute's messages: of the known they match, else the next free."""
    is_comparable = len(news) * len(known) <= MOST_COMPARISONS
    is_cut = cut != WHOLE
    laid_over = _laid_over(news, known, cut, known_cut) if is_cut and is_comparable else None
    matches = laid_over or _matched_by_count(news, known)
    if is_comparable:
        matches |= _matched_by_change(news, known, matches)
    next_ordinal: dict[MessageKey, int] = defaultdict(int)
    for message_id in known:
        next_ordinal[message_id.key] = max(next_ordinal[message_id.key], message_id.ordinal + 1)
    told = []
    for place, new in enumerate(news):
        if place in matches:
            told.append(str(known[matches[place]]))
            continue
        told.append(str(new._replace(ordinal=next_ordinal[new.key])))
        next_ordinal[new.key] += 1
    return told


def _matched_by_count(news: Sequence[MessageId], known: Sequence[MessageId]) -> Matches:
    free: dict[MessageKey, list[int]] = defaultdict(list)
    for place in reversed(range(len(known))):
        free[known[place].key].append(place)
    return {place: free[new.key].pop() for place, new in enumerate(news) if free[new.key]}


def _laid_over(
    news: Sequence[MessageId], known: Sequence[MessageId], cut: _Cut, known_cut: _Cut
) -> Matches | None:
    """Return the matches where both agree wherever they overlap, the most of them; None: nowhere.

    An agreement shorter than a run that both have elsewhere is a chance one, and is not taken. Of
    equal ones, that is taken which has the known messages whole where more are known around them.
    """
    layings = [_laid_at(news, known, shift) for shift in range(1 - len(news), len(known))]
    possible = [laid for laid in layings if laid.agrees and laid.lacks_of_new in _cuts_within(cut)]
    best = max(
        possible,
        key=lambda laid: (laid.equal_count, laid.lacks_of_known in _cuts_within(known_cut)),
        default=None,
    )
    longest_run = max((laid.longest_run for laid in layings), default=0)
    if best is None or best.equal_count == 0 or best.equal_count < longest_run:
        return None
    return best.matches


def _cuts_within(cut: _Cut) -> set[_Cut]:
    """Return what may be lacking where a cut is possible."""
    starts = {False, cut.start}
    return {_Cut(start, end) for start in starts for end in {False, cut.end}}


@dataclass(frozen=True, kw_only=True)
class _Laid:
    """The new messages of a minute laid over the known ones at one place."""

    matches: Matches
    agrees: bool
    """Whether all pairs are the same message, changed or not."""
    equal_count: int
    longest_run: int
    lacks_of_new: _Cut
    """What of the minute the new messages then lack, and the known ones have."""
    lacks_of_known: _Cut


def _laid_at(news: Sequence[MessageId], known: Sequence[MessageId], shift: int) -> _Laid:
    overlap = range(max(0, -shift), min(len(news), len(known) - shift))
    equal = [news[place].key == known[place + shift].key for place in overlap]
    changed = [_may_be_changed(news[place], known[place + shift]) for place in overlap]
    runs = "".join("x" if is_equal else " " for is_equal in equal).split()
    return _Laid(
        matches={place: place + shift for place in overlap},
        agrees=all(a or b for a, b in zip(equal, changed, strict=True)),
        equal_count=sum(equal),
        longest_run=max(map(len, runs), default=0),
        lacks_of_new=_Cut(shift > 0, shift + len(news) < len(known)),
        lacks_of_known=_Cut(shift < 0, shift + len(news) > len(known)),
    )


def _matched_by_change(
    news: Sequence[MessageId], known: Sequence[MessageId], matches: Matches
) -> Matches:
    """Return matches of messages left over that can be one, edited or deleted between exports."""
    free = [place for place in range(len(known)) if place not in set(matches.values())]
    found: Matches = {}
    for place, new in enumerate(news):
        if place in matches:
            continue
        fitting = next((k for k in free if _may_be_changed(new, known[k])), None)
        if fitting is not None:
            free.remove(fitting)
            found[place] = fitting
    return found


def _may_be_changed(one: MessageId, other: MessageId) -> bool:
    is_shown = any(i.is_edited or i.key.content == DELETED_CONTENT for i in (one, other))
    return is_shown and one.key.side == other.key.side
