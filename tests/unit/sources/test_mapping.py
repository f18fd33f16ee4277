from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chatlift.errors import InvalidInput
from chatlift.sources.cells import DateOrder
from chatlift.sources.mapping import (
    SourceMapping,
    TableMapping,
    mapping_again,
    parse_mapping,
    resolve_columns,
)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"people": {}}, "people"),
        ({"contacts": {"colour": "x"}}, "colour"),
        ({"contacts": {"time_zone": "Mars/Base"}}, "Mars/Base"),
        ({"exported_at": "soon"}, "exported_at"),
        ({"contacts": "x"}, "table of fields"),
        ({"date_order": "year_first"}, "day_first"),
        ({"leads": {"decimal": ";"}}, "decimal"),
    ],
)
def test_a_mapping_that_says_nothing_known_is_refused(raw: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        parse_mapping(raw)


def test_what_a_person_says_stands_above_a_preset_and_both_above_a_guess() -> None:
    preset = SourceMapping(
        tables={"contacts": TableMapping(headers={"phone": ("cell", "desk"), "name": ("who",)})}
    )
    mapping = parse_mapping({"contacts": {"name": "Alias"}}, preset=preset)
    headers = ["id", "who", "Alias", "desk", "created_at"]
    assert resolve_columns("contacts", mapping.of("contacts"), headers) == {
        "external_id": "id",
        "name": "Alias",
        "phone": "desk",
        "created_at": "created_at",
    }


def test_what_is_said_of_the_whole_holds_for_every_table() -> None:
    mapping = parse_mapping({"date_order": "day_first", "leads": {"date_order": "month_first"}})
    assert mapping.of("messages").date_order is DateOrder.DAY_FIRST
    assert mapping.of("leads").date_order is DateOrder.MONTH_FIRST


def test_a_mapping_can_be_kept_as_plain_values_and_made_again() -> None:
    preset = parse_mapping({"exported_at": datetime(2025, 5, 1, tzinfo=UTC), "decimal": ","})
    mapping = parse_mapping({"contacts": {"known": {"city": "creation"}}}, preset=preset)
    again = mapping_again(mapping.told)
    assert again == mapping
    assert again.exported_at == datetime(2025, 5, 1, tzinfo=UTC)
