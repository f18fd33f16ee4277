from __future__ import annotations

import numpy as np
import pytest

from chatlift.errors import Unavailable
from chatlift.learn.calibration import sigmoid
from chatlift.learn.estimators import Matrix, Vector
from chatlift.learn.ladder import (
    BLEND_PRIOR,
    MEMBERS_OF,
    Candidate,
    FittedRule,
    Member,
    Rows,
    RuleInputs,
    WeightedSum,
    blend_weights,
    choose,
    climb,
)
from chatlift.vocabulary import Rung

NAMES = ("hours_since_last_message_in", "noise", "lead.source=ad", "lead.source=friend")
QUICK = {
    "xgboost_regression": {"trees": 15, "trees_per_round": 2},
    "xgboost_forest": {
        "trees": 10,
        "max_depth": 4,
        "leaf_rows": 5,
        "column_share": 0.5,
        "row_share": 0.6,
    },
    "logistic": {"l2": 10.0},
}


def world(count: int = 400, seed: int = 0) -> tuple[Matrix, Vector]:
    """Rows whose log-odds fall with the logarithm of the hours; sources mean nothing."""
    random = np.random.default_rng(seed)
    hours = random.exponential(50, count)
    is_ad = random.random(count) < 0.5
    matrix = np.column_stack([hours, random.normal(size=count), is_ad, ~is_ad])
    labels = (random.random(count) < sigmoid(3 - np.log1p(hours))).astype(np.float64)
    return matrix.astype(np.float32), labels


def rows_of(names: tuple[str, ...] = NAMES[:1]) -> Rows:
    matrix, labels = world()
    folds = np.arange(len(labels)) % 5
    return Rows(
        matrix=matrix,
        labels=labels,
        folds=folds,
        contacts=np.arange(len(labels)),
        inputs=RuleInputs.of(names, NAMES),
    )


def candidate(rung: Rung, *losses: float) -> Candidate:
    nothing = WeightedSum({}, {})
    return Candidate(rung=rung, estimator=nothing, margins=np.zeros(1), losses=np.array(losses))


TWO = np.array([1, 2])


def test_the_blend_is_shipped_unless_another_rung_is_better_by_a_standard_error() -> None:
    blend = candidate(Rung.BLEND, 0.5, 0.4)
    # Better by 0.1 and by 0.0: on average by 0.05, with a standard error of 0.05.
    unsure = {Rung.FULL: candidate(Rung.FULL, 0.4, 0.4), Rung.BLEND: blend}
    assert choose(unsure, TWO) is Rung.BLEND
    # Better by 0.1 and by 0.04: on average by 0.07, with a standard error of 0.03.
    shown = {Rung.FULL: candidate(Rung.FULL, 0.4, 0.36), Rung.BLEND: blend}
    assert choose(shown, TWO) is Rung.FULL


def test_without_a_blend_the_rung_with_the_least_loss_is_shipped() -> None:
    known = {
        Rung.RULE: candidate(Rung.RULE, 0.5, 0.5),
        Rung.FULL: candidate(Rung.FULL, 0.4, 0.5),
    }
    assert choose(known, TWO) is Rung.FULL


def test_a_rule_without_input_is_never_chosen() -> None:
    known = {
        Rung.RULE: candidate(Rung.RULE, 0.1, 0.1),
        Rung.SHRUNKEN: candidate(Rung.SHRUNKEN, 0.9, 0.9),
    }
    assert choose(known, TWO, has_rule=False) is Rung.SHRUNKEN


@pytest.mark.parametrize("estimator", QUICK)
def test_every_rung_answers_in_log_odds_that_its_contributions_add_up_to(estimator: str) -> None:
    rows = rows_of()
    ladder = climb(rows, estimator, QUICK[estimator], 0)
    assert set(ladder.candidates) == set(Rung)
    for rung, one in ladder.candidates.items():
        assert set(one.estimator.members) <= set(MEMBERS_OF[rung])
        assert all(weight > 0 for weight in one.estimator.weights.values())
        parts = one.estimator.contributions(rows.matrix)
        assert parts.shape == (len(rows.labels), len(NAMES) + 1)
        assert np.allclose(parts.sum(axis=1), one.estimator.margins(rows.matrix), atol=1e-3)


@pytest.mark.parametrize("rung", list(Rung))
def test_a_rung_that_was_asked_for_is_fitted_beside_rule_and_prescribed(rung: Rung) -> None:
    ladder = climb(rows_of(), "logistic", QUICK["logistic"], 0, only=rung)
    assert ladder.chosen is rung
    assert set(ladder.candidates) == {rung, Rung.RULE, Rung.FULL}
    assert ladder.prescribed is not None


@pytest.mark.parametrize("estimator", QUICK)
def test_a_correction_leaves_a_rule_nearly_alone_that_knows_everything(estimator: str) -> None:
    rows = rows_of()
    ladder = climb(rows, estimator, QUICK[estimator], 0)
    rule, shrunken = (ladder.candidates[rung].margins for rung in (Rung.RULE, Rung.SHRUNKEN))
    full = ladder.candidates[Rung.FULL].margins
    assert np.corrcoef(rule, shrunken)[0, 1] > 0.95
    assert np.corrcoef(rule, shrunken)[0, 1] > np.corrcoef(rule, full)[0, 1]


def test_a_blend_draws_on_who_knows_and_drops_who_does_not() -> None:
    random = np.random.default_rng(1)
    truth = random.normal(size=5_000)
    labels = (random.random(5_000) < sigmoid(truth)).astype(np.float64)
    weights = blend_weights(np.column_stack([truth, -truth, np.zeros(5_000)]), labels)
    assert weights[0] > 0.8
    assert weights[1] == 0


def test_a_blend_of_few_rows_stays_near_its_prior() -> None:
    random = np.random.default_rng(2)
    margins = random.normal(size=(10, 3))
    labels = (random.random(10) < 0.5).astype(np.float64)
    assert blend_weights(margins, labels) == pytest.approx(BLEND_PRIOR, abs=0.1)


def test_a_rule_reads_the_logarithm_of_spans_and_survives_its_file() -> None:
    matrix, labels = world()
    rule = RuleInputs.of(["hours_since_last_message_in", "lead.source"], NAMES).fit(matrix, labels)
    assert rule.columns == (0, 2, 3)
    assert rule.is_logged == (True, False, False)
    again = FittedRule.load(rule.dump())
    assert np.array_equal(again.margins(matrix), rule.margins(matrix))
    assert np.corrcoef(rule.margins(matrix), -np.log1p(matrix[:, 0]))[0, 1] > 0.95
    assert not rule.contributions(matrix)[:, 1].any()  # The noise is none of its inputs.


def test_a_rule_without_inputs_gives_everybody_the_base_rate() -> None:
    matrix, labels = world()
    rule = RuleInputs.of(["lead.value"], NAMES).fit(matrix, labels)
    assert sigmoid(rule.margins(matrix)) == pytest.approx(labels.mean(), abs=0.01)
    assert np.array_equal(FittedRule.load(rule.dump()).margins(matrix), rule.margins(matrix))


def test_the_contacts_source_stands_in_for_a_leads() -> None:
    columns = ("contact.source=ad", "contact.source=friend")
    assert RuleInputs.of(["lead.source"], columns).columns == (0, 1)


APART = b'{"columns": [0, 3], "is_logged": [true], "logistic": null, "base": 0.0}'
BEHIND = b'{"columns": [-1], "is_logged": [true], "logistic": null, "base": 0.0}'
ENDLESS = b'{"columns": [Infinity], "is_logged": [true], "logistic": null, "base": 0.0}'


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"columns": 1}', b"\x80\x04.", b"[" * 100_000, APART, BEHIND, ENDLESS],
)
def test_a_damaged_rule_is_refused(content: bytes) -> None:
    with pytest.raises(Unavailable, match="simple rule cannot be read"):
        FittedRule.load(content)


def test_the_members_of_a_rung_without_fitted_weights_count_once() -> None:
    ladder = climb(rows_of(), "logistic", QUICK["logistic"], 0)
    shrunken = ladder.candidates[Rung.SHRUNKEN].estimator
    assert shrunken.weights == {Member.RULE: 1.0, Member.CORRECTION: 1.0}
