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
from chatlift.store.outcomes import REJECTIONS, ROW_NUMBER
from chatlift.store.tables import ForgottenRow

FORGOTTEN = "forgotten"
"""The reason of a row that is refused because its contact was forgotten; its value is not kept."""
TOMBSTONES = table_of(ForgottenRow)
FEWEST_PHONE_DIGITS = 7
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


def phone_digits(phone: str | None) -> str | None:
    """Return a phone number's digits in one spelling; None if there are too few to be one.

    Examples
    --------
    >>> phone_digits("+49 (170) 555-01 23"), phone_digits("0049170 5550123"), phone_digits("12")
    ('491705550123', '491705550123', None)
    """
    digits = re.sub(r"\D", "", phone or "")
    digits = digits.removeprefix("00")
    return digits if len(digits) >= FEWEST_PHONE_DIGITS else None


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
        source = "" if kind == "phone" else self.source
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

    def _matches(
        self, chunk: pl.DataFrame, kind: str, column: str, since: list[datetime]
    ) -> pl.Series:
        """Tell per row whether `column` names somebody forgotten."""
        here = chunk.get_column(column)
        if "subject" in chunk.columns:
            here = chunk.select(pl.when(pl.col("subject") == kind).then(column)).to_series()
        spelled = {v: phone_digits(v) if kind == "phone" else v for v in here.drop_nulls().unique()}
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


def _told(refused: pl.DataFrame, table: str) -> pl.DataFrame:
    _, column = NAMED_BY[table][0]
    return refused.select(
        pl.lit(table).alias("table"),
        pl.col(ROW_NUMBER).cast(pl.Int64),
        pl.lit(column).alias("column"),
        pl.lit(None, dtype=pl.String).alias("value"),
        pl.lit(FORGOTTEN).alias("reason"),
    )
