"""What imports did, a page at a time, and never of another account."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from chatlift.errors import NotFound
from chatlift.store.accounts import ensure_account
from chatlift.store.database import Database
from chatlift.store.imports import REJECTED, add_to_batch, record_batch
from chatlift.store.past_imports import (
    batch_of,
    batches,
    rejected_counts,
    rejected_page,
    rejected_rows,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def account(database: Database, name: str = "default") -> int:
    return ensure_account(database, name, time_zone="UTC").account_id


def refused(*values: str) -> pl.DataFrame:
    place = {"table_name": "contacts", "file_name": "a.csv", "row_number": 0, "column_name": "x"}
    rows = [place | {"value": value, "reason": "no", "cells": f'["{value}"]'} for value in values]
    return pl.DataFrame(rows, REJECTED)


def imported(database: Database, account_id: int, *values: str) -> int:
    return record_batch(
        database,
        account_id,
        source="files",
        imported_at=NOW,
        summary={"contacts": {"accepted": 1}},
        rejected=refused(*values),
    )


def test_imports_come_a_page_at_a_time_the_newest_first(database: Database) -> None:
    mine = account(database)
    numbers = [imported(database, mine) for _ in range(5)]
    imported(database, account(database, "other"))
    first = [batch.batch_id for batch in batches(database, mine, most=2)]
    assert first == numbers[:-3:-1]
    rest = [batch.batch_id for batch in batches(database, mine, before=first[-1])]
    assert first + rest == numbers[::-1]


def test_refused_rows_come_a_page_at_a_time(database: Database) -> None:
    mine = account(database)
    batch_id = imported(database, mine, "a", "b", "c")
    first = rejected_page(database, mine, batch_id, most=2)
    assert first["value"].to_list() == ["a", "b"]
    after = first["rejected_row_id"][-1]
    assert rejected_page(database, mine, batch_id, most=2, after=after)["value"].to_list() == ["c"]
    assert rejected_rows(database, mine, batch_id)["cells"].to_list() == ['["a"]', '["b"]', '["c"]']


def test_another_accounts_imports_are_not_there(database: Database) -> None:
    mine, other = account(database), account(database, "other")
    batch_id = imported(database, other, "secret")
    with pytest.raises(NotFound, match=f"no import batch {batch_id}"):
        batch_of(database, mine, batch_id)
    assert rejected_page(database, mine, batch_id, most=9).is_empty()
    assert rejected_counts(database, mine, [batch_id]) == {}
    assert rejected_counts(database, other, [batch_id, 99]) == {batch_id: 1}


def test_what_comes_in_pieces_is_added_up(database: Database) -> None:
    mine = account(database)
    for count in (1, 2):
        with database.of_account(mine).write() as connection:
            batch_id = add_to_batch(
                connection,
                mine,
                fingerprint="today",
                source="hook",
                imported_at=NOW,
                summary={"messages": {"accepted": count}, "passed_over": {"call": 1}},
                rejected=refused("x"),
            )
    batch = batch_of(database, mine, batch_id)
    assert batch.summary == {"messages": {"accepted": 3}, "passed_over": {"call": 2}}
    assert rejected_counts(database, mine, [batch_id]) == {batch_id: 2}
