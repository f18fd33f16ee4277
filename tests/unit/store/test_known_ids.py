from __future__ import annotations

import polars as pl
import pytest
from tests.histories import START
from tests.unit.store.test_settling import told

from chatlift.records import Records
from chatlift.store import known_ids
from chatlift.store.crm import Crm
from chatlift.store.imports import write_piece
from chatlift.store.known_ids import KNOWN, KnownIds
from chatlift.store.outcomes import WriteCounts

THERE = pl.DataFrame({"external_id": ["ann", "bob"], "number": [1, 2]}, schema=KNOWN)


class Asked:
    """A database of two contacts that remembers what it was asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, names: pl.Series) -> pl.DataFrame:
        self.names += names.to_list()
        return THERE.filter(pl.col("external_id").is_in(names.implode()))


def numbers(ids: KnownIds, asked: Asked, *wanted: str | None) -> list[int | None]:
    found = ids.numbers("contact_id", pl.Series(wanted, dtype=pl.String), asked)
    return found.to_list()


def is_found(ids: KnownIds, key: str, *names: str) -> list[bool]:
    return ids.are_found(key, pl.Series(names)).to_list()


def test_each_name_is_asked_for_once_and_the_unknown_again() -> None:
    ids, asked = KnownIds(), Asked()
    assert numbers(ids, asked, "bob", None, "eve", "bob") == [2, None, None, 2]
    assert numbers(ids, asked, "bob", "ann", "eve") == [2, 1, None]
    assert asked.names == ["bob", "eve", "ann", "eve"]
    assert is_found(ids, "contact_id", "ann", "eve") == [True, False]
    assert is_found(ids, "lead_id", "ann") == [False]


def test_what_others_changed_is_asked_for_again() -> None:
    ids, asked = KnownIds(), Asked()
    ids.take_up(7)
    numbers(ids, asked, "ann")
    ids.keep(8)
    ids.take_up(8)
    assert is_found(ids, "contact_id", "ann") == [True]
    ids.keep(9)
    ids.take_up(10)
    assert is_found(ids, "contact_id", "ann") == [False]


def test_what_an_undone_transaction_found_is_asked_for_again() -> None:
    ids, asked = KnownIds(), Asked()
    ids.take_up(7)
    numbers(ids, asked, "ann")
    ids.take_up(7)
    assert is_found(ids, "contact_id", "ann") == [False]


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_ids, "MOST_KEPT", 1)
    ids, asked = KnownIds(), Asked()
    assert numbers(ids, asked, "ann") == [1]
    assert numbers(ids, asked, "bob", "ann") == [2, 1]
    assert asked.names == ["ann", "ann", "bob"]


def test_a_piece_does_not_rely_on_records_that_others_deleted_meanwhile(crm: Crm) -> None:
    ids = KnownIds()

    def write(records: Records) -> WriteCounts:
        return write_piece(
            crm,
            records,
            source="shop",
            imported_at=None,
            told_at=START,
            also=lambda *_: None,
            ids=ids,
        )

    first = told(1, "text", "hello")
    assert write(first).messages.accepted == 1
    assert write(another(first, "second")).messages.accepted == 1
    crm.delete_source("shop")
    written = write(another(first, "third"))
    assert written.messages.rejected == 1
    assert "no contact of this source has this id" in written.rejections["reason"][0]


def another(told_before: Records, external_id: str) -> Records:
    """The same message again under another id, without its contact and conversation."""
    return Records(messages=told_before.messages.with_columns(external_id=pl.lit(external_id)))
