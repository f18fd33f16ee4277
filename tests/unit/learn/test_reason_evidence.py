"""Evidence: noise is not told, what matters is, directions and rates are those of the rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chatlift.learn.reason_evidence import (
    FEWEST_CONTACTS,
    InnerFit,
    ReasonEvidence,
    evenly,
    evidence_of,
)

COLUMNS = ("reply_delay_median_hours", "contact.size", "contact.plan=plus", "contact.plan=missing")
FOLDS, ROWS = 3, 100


def inner(
    design: np.ndarray, labels: np.ndarray, contributions: np.ndarray, contacts: np.ndarray
) -> list[InnerFit]:
    """Deal rows out to three fits in turn."""
    return [
        InnerFit(
            design=design[fold::FOLDS].astype(np.float32),
            labels=labels[fold::FOLDS],
            contacts=contacts[fold::FOLDS],
            contributions=contributions[fold::FOLDS],
        )
        for fold in range(FOLDS)
    ]


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fast repliers (below 0) have the outcome in 80 %, slow ones in 20 %; the rest is chance."""
    rng = np.random.default_rng(seed)
    size = FOLDS * ROWS
    delay = rng.normal(size=size)
    labels = (rng.random(size) < np.where(delay < 0, 0.8, 0.2)).astype(np.float64)
    missing = rng.random(size) < 0.3
    plus = (rng.random(size) < 0.5) & ~missing
    design = np.column_stack([delay, rng.normal(size=size), plus, missing])
    contributions = np.column_stack([-delay, rng.normal(size=(size, 3))])
    return design, labels, contributions, np.arange(size)


def found(seed: int = 0) -> ReasonEvidence:
    design, labels, contributions, contacts = drawn(seed)
    folds = inner(design, labels, contributions, contacts)
    return evidence_of(folds, columns=COLUMNS, medians=np.zeros(4))


def test_what_went_with_the_outcome_on_unseen_rows_is_stable_and_has_a_direction() -> None:
    evidence = found()
    assert "answering" in evidence.stable_groups
    assert evidence.columns["reply_delay_median_hours"].direction == -1
    assert evidence.base_rate == pytest.approx(0.5, abs=0.06)


def test_pure_noise_passes_in_at_most_one_version_of_twenty() -> None:
    """Two of three groups are noise; the error share of 0.05 is over all groups of a version."""
    passed = sum(len(found(seed).stable_groups - {"answering"}) > 0 for seed in range(100))
    assert passed <= 5
    assert all("answering" in found(seed).stable_groups for seed in range(20))


def test_what_helps_in_one_fold_only_is_not_stable() -> None:
    """Against the outcome in one fold of three, with it in the others: strong, but not stable."""
    design, labels, contributions, contacts = drawn(0)
    turned = np.array(contributions)
    turned[0::FOLDS, 0] *= -0.2
    folds = inner(design, labels, turned, contacts)
    evidence = evidence_of(folds, columns=COLUMNS, medians=np.zeros(4))
    assert "answering" not in evidence.stable_groups


def test_a_rate_needs_ten_contacts_and_every_contact_weighs_the_same() -> None:
    """Of ten contacts with plan plus nine bought; one of them has 21 rows and did not."""
    plus = np.repeat([1.0, 0.0], [30, 30])
    contacts = np.concatenate([np.arange(9), np.full(21, 9), np.arange(100, 130)])
    labels = np.concatenate([np.ones(9), np.zeros(21), np.zeros(30)])
    design = np.column_stack([np.zeros(60), np.zeros(60), plus, np.zeros(60)])
    folds = inner(design, labels, np.zeros((60, 4)), contacts)
    evidence = evidence_of(folds, columns=COLUMNS, medians=np.zeros(4))
    column = evidence.columns["contact.plan=plus"]
    assert FEWEST_CONTACTS == 10
    assert column.rate == pytest.approx(0.9)
    assert column.rate_without == 0.0
    assert evidence.base_rate == pytest.approx(9 / 40)
    fewer = inner(design[1:], labels[1:], np.zeros((59, 4)), contacts[1:])
    again = evidence_of(fewer, columns=COLUMNS, medians=np.zeros(4))
    assert again.columns["contact.plan=plus"].rate is None


@pytest.mark.parametrize("helps", [True, False])
def test_an_unknown_value_has_a_rate_only_where_it_helped(helps: bool) -> None:
    design, labels, contributions, contacts = drawn(3)
    missing = design[:, 3] == 1
    if helps:
        labels = np.where(missing, 1.0, labels)
        contributions[:, 3] = np.where(missing, 2.0, 0.0)
    folds = inner(design, labels, contributions, contacts)
    evidence = evidence_of(folds, columns=COLUMNS, medians=np.zeros(4))
    rate = evidence.columns["contact.plan=missing"].missing_rate
    assert rate == (1.0 if helps else None)


def test_evidence_reads_back_as_it_was_written() -> None:
    evidence = found().with_reference(np.array([[0.1, -0.25, 0.0, 1.0]]))
    text = json.dumps(evidence.to_json(), allow_nan=False)
    assert ReasonEvidence.from_json(json.loads(text)) == evidence
    assert evidence.reference == ((0.1, -0.25, 0.0, 1.0),)


def test_a_column_that_was_never_known_tells_nothing() -> None:
    design, labels, contributions, contacts = drawn(0)
    design[:, 1] = np.nan
    folds = inner(design, labels, contributions, contacts)
    medians = np.array([0.0, np.nan, 0.0, 0.0])
    column = evidence_of(folds, columns=COLUMNS, medians=medians).columns["contact.size"]
    assert (column.direction, column.rate, column.middle) == (0, None, None)


def test_rows_are_taken_evenly() -> None:
    assert evenly(np.arange(3), 5).tolist() == [0, 1, 2]
    assert evenly(np.arange(1000), 3).tolist() == [0, 500, 999]
