"""Tombstones: how a forgotten contact is kept out without keeping who it was.

A tombstone is the HMAC of an id or a phone under a key that lies outside the database. Whoever has
the database alone cannot tell whose it is; whoever offers the same id or phone again is
recognised. What a forgotten contact brings along is refused with it, and leaves a tombstone of its
own, so that later news of it (the status of a message, the stage of a lead) is known too.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, func, select

from chatlift.errors import Unavailable
from chatlift.records import INSTANT
from chatlift.store.bulk import among, insert_new, table_of
from chatlift.store.matching import phone_digits
from chatlift.store.outcomes import REJECTIONS, ROW_NUMBER
from chatlift.store.tables import ForgottenRow

FORGOTTEN = "forgotten"
"""The reason of a row that is refused because its contact was forgotten; its value is not kept."""
TOMBSTONES = table_of(ForgottenRow)
FEWEST_PHONE_DIGITS = 7
SHORTEST_NAME = 4
"""Characters; a shorter name would be found in too many texts."""
MOST_WORDS = 6
"""Words of a text that are looked at together for a name or a phone."""
WORD = re.compile(r"[^\W_]+")
PHONE = re.compile(r"[0-9 ()./-]+")
MASK = "[forgotten]"
OF_ALL_SOURCES = frozenset({"phone", "name"})
"""Kinds that tell who somebody is in every source; ids belong to theirs."""
OWN_ID = {"contacts": "contact", "conversations": "conversation", "leads": "lead"} | {
    "messages": "message"
}
"""Table to the kind of thing that its `external_id` names."""
NAMED_BY: Mapping[str, tuple[tuple[str, str], ...]] = {
    "contacts": (("contact", "external_id"), ("phone", "phone")),
    "conversations": (("contact", "contact_external_id"),),
    "leads": (("contact", "contact_external_id"),),
    "messages": (("contact", "contact_external_id"),),
    "facts": tuple((kind, "subject_external_id") for kind in ("contact", "lead", "message")),
}
"""Table to what tells that a row of it is about somebody forgotten: kind and column."""

Named = tuple[str, str]
"""Kind (`contact`, `lead`, `phone` ...) and id or digits."""


def tombstone_key(secret: bytes, account: str) -> bytes:
    """Derive an account's key from the installation's secret; two accounts never share one."""
    return hmac.digest(secret, f"{FORGOTTEN}:{account}".encode(), hashlib.sha256)


def phone_key(phone: str | None) -> str | None:
    """Return what stands for a phone number in every spelling; None if it is too short to be one.

    A number without its country's code is kept as it is: it is not the same as one with it.

    Examples
    --------
    >>> phone_key("+49 (170) 555-01 23"), phone_key("0049170 5550123"), phone_key("030 123456")
    ('491705550123', '491705550123', '030123456')
    >>> phone_key("room 12") is None
    True
    """
    bare = re.sub(r"[^0-9]", "", phone or "")
    return phone_digits(phone) or (bare if len(bare) >= FEWEST_PHONE_DIGITS else None)


def name_key(name: str | None) -> str | None:
    """Return what stands for a name however it is written; None if it is too short to tell.

    Examples
    --------
    >>> name_key("  Ana   INVENTADA ")
    'ana inventada'
    """
    words = WORD.findall((name or "").casefold())
    joined = " ".join(words)
    return joined if len(joined) >= SHORTEST_NAME else None


@dataclass(frozen=True, kw_only=True)
class Tombstones:
    """One account's tombstones of one source, on a connection."""

    connection: Connection
    account_id: int
    source: str
    key: bytes | None
    """None: the caller was not given it, and may write only where nobody was forgotten."""

    def leave(self, named: Iterable[Named], *, now: datetime) -> int:
        """Leave a tombstone for each; return how many are new."""
        digests = sorted({self.digest(kind, value) for kind, value in named})
        if not digests:
            return 0
        self._insert([self._mark()], now)
        return self._insert(digests, now)

    def has(self, kind: str, value: str) -> bool:
        """Tell whether a tombstone stands for this."""
        return bool(self._found([self.digest(kind, value)]))

    def digest(self, kind: str, value: str) -> str:
        """Return what a tombstone keeps; a phone is the same person in every source."""
        source = "" if kind in OF_ALL_SOURCES else self.source
        told = "\0".join((kind, source, value)).encode()
        return hmac.digest(self._known_key(), told, hashlib.sha256).hex()

    def refuse(self, table: str, chunk: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the rows about nobody forgotten, and the others as `REJECTIONS`.

        Raises
        ------
        Unavailable
            If contacts were forgotten, and the key is missing or another than the one then.
        """
        if chunk.is_empty() or not self._is_any():
            return chunk, REJECTIONS.to_frame()
        since: list[datetime] = []
        matches = [self._matches(chunk, kind, column, since) for kind, column in NAMED_BY[table]]
        is_refused = pl.any_horizontal(matches)
        refused = chunk.filter(is_refused)
        if refused.is_empty():
            return chunk, REJECTIONS.to_frame()
        if table in OWN_ID:
            own = refused.get_column("external_id").drop_nulls()
            self.leave(((OWN_ID[table], value) for value in own), now=min(since))
        return chunk.filter(~is_refused), _told(refused, table)

    def masked(self, text: str) -> str:
        """Return a text, such as the name of a chat's file, with the forgotten masked in it.

        Names, phone numbers and ids of contacts are found; raises as `refuse`.
        """
        words = list(WORD.finditer(text))
        if not words or not self._is_any():
            return text
        spans = {
            (one.start(), other.end())
            for first, one in enumerate(words)
            for other in words[first : first + MOST_WORDS]
        }
        digests = {span: self._digests_of(text[slice(*span)]) for span in spans}
        found = self._found(sorted({digest for told in digests.values() for digest in told}))
        named = [span for span, told in digests.items() if not found.keys().isdisjoint(told)]
        for start, end in _apart(named):
            text = text[:start] + MASK + text[end:]
        return text

    def _digests_of(self, part: str) -> list[str]:
        phone = phone_key(part) if PHONE.fullmatch(part) else None
        told = {"contact": part, "phone": phone, "name": name_key(part)}
        return [self.digest(kind, value) for kind, value in told.items() if value]

    def _matches(
        self, chunk: pl.DataFrame, kind: str, column: str, since: list[datetime]
    ) -> pl.Series:
        """Tell per row whether `column` names somebody forgotten."""
        here = chunk.get_column(column)
        if "subject" in chunk.columns:
            here = chunk.select(pl.when(pl.col("subject") == kind).then(column)).to_series()
        spelled = {v: phone_key(v) if kind == "phone" else v for v in here.drop_nulls().unique()}
        digests = {v: self.digest(kind, told) for v, told in spelled.items() if told}
        found = self._found(list(digests.values()))
        since.extend(found.values())
        forgotten = [value for value, digest in digests.items() if digest in found]
        return here.is_in(forgotten).fill_null(value=False)

    def _is_any(self) -> bool:
        mine = select(func.count()).where(TOMBSTONES.c.account_id == self.account_id)
        if not self.connection.scalar(mine):
            return False
        if not self._found([self._mark()]):
            raise Unavailable(
                "Contacts of this account were forgotten under another secret than the present "
                "one, so they could not be recognised. Put the secret.key of that time back into "
                "CHATLIFT_HOME."
            )
        return True

    def _found(self, digests: list[str]) -> dict[str, datetime]:
        statement = select(TOMBSTONES.c.digest, TOMBSTONES.c.forgotten_at).where(
            TOMBSTONES.c.account_id == self.account_id,
            among(self.connection, TOMBSTONES.c.digest, digests),
        )
        return {row.digest: row.forgotten_at for row in self.connection.execute(statement)}

    def _mark(self) -> str:
        """Return what tells the key itself: it stands beside the tombstones made under it."""
        return hmac.digest(self._known_key(), b"key", hashlib.sha256).hex()

    def _known_key(self) -> bytes:
        if self.key is None:
            raise Unavailable(
                "Contacts of this account were forgotten, and the key that recognises them was "
                "not given. Open the account by way of its data folder (CHATLIFT_HOME)."
            )
        return self.key

    def _insert(self, digests: list[str], now: datetime) -> int:
        rows = pl.DataFrame({"digest": digests}).with_columns(
            pl.lit(self.account_id).alias("account_id"),
            pl.lit(now, dtype=INSTANT).alias("forgotten_at"),
        )
        return insert_new(self.connection, TOMBSTONES, rows)


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans that do not overlap, the longest of those that do, from the last to the first.

    Examples
    --------
    >>> _apart([(0, 3), (0, 7), (9, 12)])
    [(9, 12), (0, 7)]
    """
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: span[0] - span[1]):
        if all(end <= other[0] or start >= other[1] for other in kept):
            kept.append((start, end))
    return sorted(kept, reverse=True)


def _told(refused: pl.DataFrame, table: str) -> pl.DataFrame:
    _, column = NAMED_BY[table][0]
    return refused.select(
        pl.lit(table).alias("table"),
        pl.col(ROW_NUMBER).cast(pl.Int64),
        pl.lit(column).alias("column"),
        pl.lit(None, dtype=pl.String).alias("value"),
        pl.lit(FORGOTTEN).alias("reason"),
    )
