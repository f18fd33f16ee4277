from __future__ import annotations

import polars as pl
import pytest
from benchmarks.ladder import (
    HEADER,
    ModelResult,
    figure_rows,
    first_repeat,
    grouped,
    request_of,
    row_of,
    verdict_rows,
)

from chatlift.learn.suite import STORED
from chatlift.simulate.request import SimulationRequest
from chatlift.vocabulary import ModelName

GAIN = {"value": 0.02, "low": -0.01, "high": 0.05}


def result(seed: int, *, auc: float, rule_auc: float, status: str = "promote") -> ModelResult:
    """A result whose chosen rung lost 0.5 nats, the best rung 0.48."""
    other = {"log_loss": 0.6, "roc_auc": 0.7}
    return ModelResult(
        contacts=200,
        seed=seed,
        model=ModelName.CHURN,
        status=status,
        rung="full",
        figures={
            "chosen": {"log_loss": 0.5, "roc_auc": auc},
            "rule": {"log_loss": 0.55, "roc_auc": rule_auc},
            "prescribed": other,
            "reference": other,
            "rung rule": {"log_loss": 0.55, "roc_auc": rule_auc},
            "rung blend": {"log_loss": 0.48, "roc_auc": 0.8},
        },
        auc_gains=dict.fromkeys(("rule", "prescribed", "reference"), GAIN),
    )


def not_ready(contacts: int) -> ModelResult:
    return ModelResult(contacts=contacts, seed=3, model=ModelName.LEAD_SCORING, status="not_ready")


def stored(*rows: tuple[int, int, bool, float]) -> pl.DataFrame:
    """One row per (repeat, fold, is_leading, probability); all have the label 1."""
    return pl.DataFrame(
        [
            {
                "entity_id": 1,
                "contact_id": 1,
                "cutoff": None,
                "label": 1,
                "is_leading": is_leading,
                "repeat": repeat,
                "fold": fold,
                "probability": probability,
                "threshold": 0.5,
            }
            for repeat, fold, is_leading, probability in rows
        ],
        schema=STORED,
    )


def test_an_account_of_the_default_size_has_the_default_counts() -> None:
    usual = SimulationRequest(until=request_of(200, 7).until)
    made = request_of(200, 7)
    assert (made.contacts, made.conversations) == (usual.contacts, usual.conversations)
    assert (made.closed_leads, made.open_leads) == (usual.closed_leads, usual.open_leads)


@pytest.mark.parametrize(("basis", "expected"), [("out_of_fold", [0.1, 0.7]), ("holdout", [0.4])])
def test_only_leading_rows_of_the_basis_in_the_first_repeat_are_compared(
    basis: str, expected: list[float]
) -> None:
    rows = stored(
        (0, 0, True, 0.1),
        (0, 1, True, 0.7),
        (0, 1, False, 0.2),  # Does not lead.
        (1, 0, True, 0.3),  # Second repeat.
        (0, -1, True, 0.4),  # Temporal holdout.
        (0, -2, True, 0.9),  # By the shipped model, which has seen it.
    )
    judged = first_repeat(rows, basis)
    assert judged.probabilities.tolist() == expected
    assert judged.decisions.tolist() == [float(chance >= 0.5) for chance in expected]


def test_regret_is_what_the_best_rung_in_hindsight_would_have_saved() -> None:
    assert result(0, auc=0.8, rule_auc=0.8).regret == pytest.approx(0.02)  # 0.5 less 0.48


def test_the_summary_counts_what_is_served_and_what_ranks_worse_than_the_rule() -> None:
    results = [
        result(0, auc=0.80, rule_auc=0.70),
        result(1, auc=0.795, rule_auc=0.80),  # Worse by 0.005, which does not count.
        result(2, auc=0.78, rule_auc=0.80, status="refuse"),  # Worse by 0.02.
    ]
    [row] = verdict_rows(grouped(results))
    assert row[:2] == [200, ModelName.CHURN]
    assert str(row[2]).startswith("2 of 3 = 66.7 %")
    assert row[3:] == [0, "full 3", "1 of 3", "0.0200", "0.0200"]


def test_what_was_not_ready_is_counted_and_has_no_figures() -> None:
    results = [not_ready(100), result(0, auc=0.8, rule_auc=0.7)]
    groups = grouped(results)
    assert list(groups) == [(100, ModelName.LEAD_SCORING), (200, ModelName.CHURN)]
    assert verdict_rows(groups)[0][3:] == [1, "-", "0 of 0", "-", "-"]
    assert [row[2] for row in figure_rows(groups)] == ["log_loss", "roc_auc"]


def test_every_row_has_a_cell_per_column() -> None:
    assert len(row_of(not_ready(100))) == len(HEADER)
    assert len(row_of(result(0, auc=0.8, rule_auc=0.7))) == len(HEADER)
