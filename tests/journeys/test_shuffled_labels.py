"""Outcomes that say nothing must not be learned: shuffled labels, through the public path."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from benchmarks.shuffled_labels import (
    LEADS_ONLY,
    UNTIL,
    contact_auc,
    lead_auc,
    shuffled_by_contact,
    shuffled_leads,
)

from chatlift.records import LEADS
from chatlift.vocabulary import ModelName

SEEDS = (101, 102, 103)
QUICK = replace(LEADS_ONLY, cv_folds=2, parameters={ModelName.LEAD_SCORING: {"trees": 20}})


@pytest.mark.slow
def test_shuffled_lead_outcomes_are_not_predicted() -> None:
    # With 36 won of 120 leads the AUC of a score that says nothing has the standard deviation
    # sqrt((36 + 84 + 1) / (12 * 36 * 84)) = 0.058; the mean of three seeds 0.033. The bound is
    # four of those, 0.13: wide, since benchmarks/shuffled_labels.py measures 50 seeds; a leak of
    # the outcome gives 0.9 and more.
    mean = np.mean([lead_auc(seed, QUICK) for seed in SEEDS])
    assert mean == pytest.approx(0.5, abs=0.13)


def test_shuffled_engagement_labels_are_not_predicted() -> None:
    # About 600 sends of 150 contacts: sqrt(601 / (12 * 300 * 300)) = 0.024, at most doubled by
    # labels that are alike within a contact; four standard deviations are 0.19.
    assert contact_auc(ModelName.ENGAGEMENT, 101) == pytest.approx(0.5, abs=0.19)


def test_shuffling_keeps_the_dates_and_the_number_won_and_brings_closings_inside() -> None:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    leads = pl.DataFrame(
        {
            "external_id": [f"lead-{number}" for number in range(40)],
            "contact_external_id": [f"contact-{number}" for number in range(40)],
            "created_at": [created] * 40,
            "outcome": ["won"] * 10 + ["lost"] * 20 + ["open"] * 10,
            "closed_at": [created + timedelta(days=day) for day in range(1, 31)] + [None] * 10,
            "outcome_known_at": [UNTIL] * 40,
        },
        schema=LEADS,
    )
    dealt = shuffled_leads(leads, np.random.default_rng(1))
    assert (dealt["outcome"] == "won").sum() == 10
    assert dealt["outcome"].to_list()[30:] == ["open"] * 10
    assert dealt["outcome"].to_list() != leads["outcome"].to_list()
    assert dealt["closed_at"].to_list()[:28] == leads["closed_at"].to_list()[:28]
    assert dealt["closed_at"].max() == created + timedelta(days=29)


def test_labels_of_a_contact_come_from_one_other_contact() -> None:
    examples = pl.DataFrame({"contact_id": [1] * 5 + [2] * 5, "label": [1] * 5 + [0] * 5})
    dealt = shuffled_by_contact(examples, np.random.default_rng(0))
    by_contact = dealt.group_by("contact_id").agg(pl.col("label").n_unique())
    assert by_contact["label"].to_list() == [1, 1]
