"""Groups: one fact, one group; what is the same for everybody is in none."""

from __future__ import annotations

import numpy as np

from chatlift.learn.features.catalogue import all_features
from chatlift.learn.reason_groups import TEXT_GROUP, groups_of, membership

COLUMNS = (
    "lead_value",
    "lead.value",
    "lead.source=Referral",
    "lead.source=missing",
    "text_score_mean_30d",
    "text_score_mean_last_3",
    "send_hour_cos",
    "messages_received_count_7d",
    "messages_received_since_lead_count",
)


def test_one_fact_is_in_one_group() -> None:
    value, attribute, source, unknown, text, last, hour, week, since = groups_of(COLUMNS)
    assert value == attribute
    assert source == unknown != value
    assert text == last == TEXT_GROUP
    assert hour == ""
    assert week == since == "volume"


def test_groups_given_and_installed_are_the_same() -> None:
    assert groups_of(COLUMNS) == groups_of(COLUMNS, all_features())
    assert groups_of(["lead_value"], []) == ["lead_value"]


def test_membership_sums_columns_to_groups() -> None:
    names, members = membership(["a", "", "b", "a"])
    assert names == ("a", "b")
    assert (np.array([[1.0, 2.0, 3.0, 4.0]]) @ members).tolist() == [[5.0, 3.0]]
