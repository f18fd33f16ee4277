"""Attributes: typed from training rows, encoded the same ever after."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from chatlift.errors import InvalidInput
from chatlift.learn.features.attributes import AttributeEncoder
from chatlift.records import INSTANT

ROWS = 40
TRAINING = pl.DataFrame(
    {
        "contact.age": [str(20 + i) for i in range(ROWS)],
        "contact.member": ["yes", "No"] * 20,
        "contact.since": [f"2025-01-{1 + i % 28:02}" for i in range(ROWS)],
        "contact.plan": ["gold"] * 20 + ["basic"] * 15 + ["rare"] * 5,
        "contact.note": [f"note {i} of mine" for i in range(ROWS)],
        "contact.fixed": ["same"] * ROWS,
    }
)
CUTOFF = pl.Series([datetime(2025, 1, 31, tzinfo=UTC)], dtype=INSTANT)


@pytest.fixture
def encoder() -> AttributeEncoder:
    return AttributeEncoder.learn(TRAINING, list(range(ROWS)))


def test_each_column_gets_its_kind_or_a_reason(encoder):
    kinds = {attribute.name: attribute.kind for attribute in encoder.attributes}
    assert kinds == {
        "contact.age": "number",
        "contact.member": "boolean",
        "contact.since": "date",
        "contact.plan": "category",
    }
    assert [name for name, _ in encoder.dropped] == ["contact.note", "contact.fixed"]


def test_a_column_that_no_example_knew_says_how_to_vouch_for_it():
    nothing = pl.Series([None] * ROWS, dtype=pl.String)
    late = TRAINING.select("contact.age").with_columns(
        nothing.alias("contact.city"), nothing.alias("lead.Lead Source")
    )
    encoder = AttributeEncoder.learn(late, list(range(ROWS)))
    assert encoder.known_too_late == ("contact.city", "lead.Lead Source")
    assert "no past example can use it" in dict(encoder.dropped)["lead.Lead Source"]
    assert "--subject lead --columns 'Lead Source'" in dict(encoder.dropped)["lead.Lead Source"]
    assert encoder.why_little_is_known is not None
    assert encoder.why_little_is_known.startswith("2 of 3 imported columns are known only since")
    assert "known-since creation --columns 'city,Lead Source' (or all)" in (
        encoder.why_little_is_known
    )


def test_few_columns_known_too_late_are_not_the_main_thing(encoder):
    assert encoder.why_little_is_known is None


def test_values_become_numbers_and_a_rare_or_unseen_category_is_other(encoder):
    row = {"contact.age": "41", "contact.member": "NO", "contact.since": "2025-01-01"}
    encoded = encoder.encode(pl.DataFrame(row | {"contact.plan": "new"}), CUTOFF)
    assert encoded.columns == list(encoder.columns)
    assert encoded.row(0, named=True) == {
        "contact.age": 41.0,
        "contact.member": 0.0,
        "contact.since": 30.0,
        "contact.plan=basic": 0.0,
        "contact.plan=gold": 0.0,
        "contact.plan=other": 1.0,
        "contact.plan=missing": 0.0,
    }


def test_what_is_missing_or_does_not_parse_is_unknown(encoder):
    encoded = encoder.encode(pl.DataFrame({"contact.age": ["old"]}), CUTOFF)
    row = encoded.row(0, named=True)
    assert row["contact.age"] is None
    assert row["contact.plan=missing"] == 1.0


def test_a_category_held_by_one_contact_many_times_is_not_common():
    plans = pl.DataFrame({"contact.plan": ["a"] * 20 + ["b"] * 20})
    learned = AttributeEncoder.learn(plans, [1] * 20 + list(range(20)))
    assert learned.columns == ("contact.plan=b", "contact.plan=other", "contact.plan=missing")


def test_json_keeps_all_and_nonsense_is_refused(encoder):
    assert AttributeEncoder.from_json(encoder.to_json()) == encoder
    with pytest.raises(InvalidInput, match="Train a new version"):
        AttributeEncoder.from_json("[]")


def test_every_column_has_words(encoder):
    assert encoder.words("contact.plan=gold") == (
        "contact's plan is gold",
        "contact's plan is not gold",
    )
    assert all(len(encoder.words(column)) == 2 for column in encoder.columns)


def test_customer_numbers_and_phones_are_no_numbers_to_learn_from() -> None:
    rows = 60
    attributes = pl.DataFrame(
        {
            "contact.customer": [str(1_000_000 + row) for row in range(rows)],
            "contact.line": [f"+4900000{row:04d}" for row in range(rows)],
            "contact.price": [f"{20 + row / 7:.2f}" for row in range(rows)],
        }
    )
    encoder = AttributeEncoder.learn(attributes, list(range(rows)))
    assert encoder.columns == ("contact.price",)


def test_a_business_may_use_our_own_words_for_its_categories():
    """A source called "other" used to end the training: two columns had its name."""
    told = pl.DataFrame({"lead.source": ["other"] * 15 + ["fair"] * 15 + ["missing"] * 10})
    encoder = AttributeEncoder.learn(told, list(range(40)))
    assert encoder.columns == ("lead.source=fair", "lead.source=other", "lead.source=missing")
    asked = pl.DataFrame({"lead.source": ["other", "missing", None, "fair"]})
    cutoffs = pl.Series([datetime(2025, 1, 31, tzinfo=UTC)] * 4, dtype=INSTANT)
    assert encoder.encode(asked, cutoffs).rows() == [(0, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)]
