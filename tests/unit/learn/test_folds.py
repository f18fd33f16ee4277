from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.histories import at

from chatlift.learn.folds import grouped_folds, temporal_split
from chatlift.records import INSTANT


@settings(max_examples=50, deadline=None)
@given(
    groups=st.lists(st.integers(0, 40), min_size=10, max_size=300),
    folds=st.integers(2, 10),
    seed=st.integers(0, 99),
)
def test_a_contact_is_in_one_fold_only(groups: list[int], folds: int, seed: int) -> None:
    members = np.array(groups)
    labels = (members % 3 == 0).astype(float)
    fold = grouped_folds(members, labels, folds=folds, seed=seed)
    assert all(len(np.unique(fold[members == group])) == 1 for group in np.unique(members))
    assert fold.min() >= 0
    assert fold.max() < folds


def test_every_fold_holds_its_share_of_ones() -> None:
    groups = np.arange(100)
    labels = (groups < 30).astype(float)
    fold = grouped_folds(groups, labels, folds=5, seed=1)
    # 30 ones over 5 folds: 6 each.
    assert [int(labels[fold == number].sum()) for number in range(5)] == [6] * 5


def test_folds_of_contacts_of_all_sizes_have_nearly_the_same_share_of_ones() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(120), random.integers(1, 25, 120))
    labels = (random.random(len(groups)) < random.random(120)[groups]).astype(float)
    for seed in range(5):
        fold = grouped_folds(groups, labels, folds=5, seed=seed)
        shares = [labels[fold == number].mean() for number in range(5)]
        assert max(shares) - min(shares) < 0.01  # Dealt by chance, it was 0.1.


def test_another_seed_makes_other_folds() -> None:
    groups = np.arange(100)
    labels = (groups < 30).astype(float)
    first, second = (grouped_folds(groups, labels, folds=5, seed=seed) for seed in (1, 2))
    assert np.mean(first == second) < 0.5


def examples(days: list[float], horizon: float) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "split_at": [at(day) for day in days],
            "horizon_ends_at": [at(day + horizon) for day in days],
        },
        schema={"split_at": INSTANT, "horizon_ends_at": INSTANT},
    )


def test_the_holdout_is_the_newest_and_the_purge_drops_what_reaches_into_it() -> None:
    split = temporal_split(examples([float(day) for day in range(100)], 10), test_size=0.2)
    assert split.judge.tolist() == list(range(80, 100))
    # Judging starts on day 80: a horizon of 10 days has ended by then up to day 70.
    assert split.train.tolist() == list(range(71))
    assert split.purged == 9


def test_examples_of_one_instant_leave_nothing_to_train_on() -> None:
    split = temporal_split(examples([5.0] * 20, 10), test_size=0.2)
    assert len(split.train) == 0
