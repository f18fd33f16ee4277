"""A version that remembers its rows, or lies about them, is seen to fail the suite."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.businesses import QUICK
from tests.histories import at, business

from chatlift.history import History
from chatlift.learn.calibration import Calibrator
from chatlift.learn.estimators import Matrix, Vector
from chatlift.learn.evaluation import Options
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import FittedModel, Recipe, fit
from chatlift.learn.ladder import Member, WeightedSum
from chatlift.learn.readiness import ReadinessReport
from chatlift.learn.scoring import Scorer
from chatlift.learn.snapshots import Snapshot
from chatlift.learn.specs.base import Readiness, Target
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.suite import SHIPPED_FOLD, Finding, Recorded, run_suite
from chatlift.learn.training import Task, Trained, train_model
from chatlift.vocabulary import ModelName, Verdict

DAYS = 100
LEADS = ModelName.LEAD_SCORING
SPEC = SPECS[LEADS]
FLOORS = Readiness(entities=40, examples=80, per_class=10)


@dataclass(frozen=True)
class Memory:
    """An estimator that knows the rows it saw by their bytes, and nothing else."""

    seen: dict[bytes, float]
    base: float

    def margins(self, matrix: Matrix) -> Vector:
        return np.array([self.seen.get(row.tobytes(), self.base) for row in matrix])

    def contributions(self, matrix: Matrix, *, is_exact: bool = True) -> Vector:
        zeros = np.zeros((len(matrix), matrix.shape[1]))
        return np.hstack([zeros, self.margins(matrix).reshape(-1, 1)])

    def dump(self) -> bytes:
        return b"{}"


def memorising(snapshot: Snapshot, recipe: Recipe) -> FittedModel:
    """Fit honestly, then put a memory of the training rows in the place of what was learned."""
    honest = fit(snapshot, recipe)
    share = float(snapshot.labels.mean())
    rows = honest.design(snapshot)
    seen = {
        row.tobytes(): 6.0 if label else -6.0
        for row, label in zip(rows, snapshot.labels, strict=True)
    }
    memory = Memory(seen, float(np.log(share / (1 - share))))
    return with_memory(honest, memory)


def with_memory(honest: FittedModel, memory: Memory) -> FittedModel:
    alone = WeightedSum({Member.PRESCRIBED: memory}, {Member.PRESCRIBED: 1.0})
    return replace(honest, estimator=alone, prescribed=memory, calibrator=Calibrator(), anchor=0.0)


def memorising_but_dumped_as_honest(snapshot: Snapshot, recipe: Recipe) -> FittedModel:
    """What a cheat has to do to get its files past the registry: ship another model in them."""
    honest = fit(snapshot, recipe)
    cheat = memorising(snapshot, recipe).prescribed
    shipped = _Disguised(cheat.seen, cheat.base, honest.prescribed.dump())  # type: ignore[attr-defined]
    return with_memory(honest, shipped)


@dataclass(frozen=True)
class _Disguised(Memory):
    content: bytes = b""

    def dump(self) -> bytes:
        return self.content


def task(**changed: Any) -> Task:
    settings = {
        "spec": SPEC,
        "choices": Choices(spans=SPEC.spans, floors=FLOORS, targets=SPEC.targets),
        "features": catalogue(LEADS),
        "options": Options(cv_folds=2),
        "parameters": QUICK[LEADS],
        "key": b"a key of this test",
    }
    return Task(**(settings | changed))


@pytest.fixture(scope="module")
def told() -> History:
    return business(7, contacts=70, days=DAYS)


@pytest.fixture(scope="module")
def honest(told: History) -> Trained:
    return trained(told)


def trained(told: History, **how: Any) -> Trained:
    found = train_model(told, task(), **how)
    assert not isinstance(found, ReadinessReport)
    return found


def scorer_with(model: FittedModel) -> Scorer:
    one = task()
    spans, features = one.choices.spans, one.features
    return Scorer(model=model, spec=SPEC, spans=spans, features=features, key=one.key)


def recorded_of(found: Trained, **changed: Any) -> Recorded:
    known = {
        "stored": found.stored,
        "figures": found.evaluation.figures,
        "basis": found.evaluation.basis,
        "targets": SPEC.targets,
    }
    return Recorded(**(known | changed))


def suite(found: Trained, told: History, **changed: Any) -> dict[str, Finding]:
    model = changed.pop("model", found.model)
    strict = changed.pop("strict", False)
    findings = run_suite(
        scorer_with(model), told, recorded_of(found, **changed), at(DAYS), strict=strict
    )
    return {finding.name: finding for finding in findings}


def failed(findings: dict[str, Finding]) -> set[str]:
    return {name for name, finding in findings.items() if not finding.passed}


def test_an_honest_version_passes(honest: Trained, told: History) -> None:
    assert failed(suite(honest, told)) == set()


@pytest.fixture(scope="module")
def cheat(told: History) -> Trained:
    """A memoriser, judged as training judges; its files hold another model to get past loading."""
    return trained(told, fit_with=memorising_but_dumped_as_honest)


def test_a_version_that_remembers_its_rows_fails(cheat: Trained, told: History) -> None:
    """On unseen rows it knows nothing; on its own a nudge makes it forget."""
    found = failed(suite(cheat, told))
    assert {"knows_more_than_chance", "does_not_memorise"} <= found
    assert "reproduces_stored_predictions" not in found  # Perfect memory reproduces perfectly.


def test_a_version_that_remembers_its_rows_is_refused_by_the_gate(cheat: Trained) -> None:
    decision = cheat.decision
    assert decision.verdict is Verdict.REFUSE
    assert {"better_than_base_rate", "model_test_suite"} <= {
        check.name for check in decision.checks if not check.passed
    }


def test_a_memory_beside_honest_predictions_is_given_away_by_a_nudge_alone(
    honest: Trained, told: History
) -> None:
    """Honest folds, honest figures, and a memoriser shipped with its own stored predictions."""
    shipped = memorising(honest.snapshot, task().recipe)
    stored = with_shipped(honest.stored, shipped.probabilities(honest.snapshot))
    assert failed(suite(honest, told, model=shipped, stored=stored)) == {"does_not_memorise"}


def test_another_model_than_the_one_stored_is_seen(honest: Trained, told: History) -> None:
    other = fit(honest.snapshot, replace(task().recipe, seed=5))
    assert failed(suite(honest, told, model=other)) == {"reproduces_stored_predictions"}


def with_shipped(stored: pl.DataFrame, chances: Vector) -> pl.DataFrame:
    folds = stored.filter(pl.col("fold") != SHIPPED_FOLD)
    shipped = stored.filter(pl.col("fold") == SHIPPED_FOLD)
    return pl.concat([folds, shipped.with_columns(probability=pl.Series(chances))])


def test_stored_predictions_that_are_the_labels_are_refused(honest: Trained, told: History) -> None:
    perfect = honest.stored.with_columns(probability=pl.col("label").cast(pl.Float64))
    found = failed(suite(honest, told, stored=perfect))
    assert found == {"figures_hold", "reproduces_stored_predictions"}


def test_figures_nobody_measured_are_refused(honest: Trained, told: History) -> None:
    figures = dict(honest.evaluation.figures)
    better = replace(figures["mae"], value=figures["mae"].value - 1)  # type: ignore[operator]
    findings = suite(honest, told, figures=figures | {"mae": better})
    assert failed(findings) == {"figures_hold"}
    assert "mae" in findings["figures_hold"].sentence


def test_labels_that_changed_since_are_told_with_their_number(
    honest: Trained, told: History
) -> None:
    later = told.leads.with_columns(outcome=pl.lit("lost"))
    findings = suite(honest, replace(told, leads=later))
    assert "labels_hold" in failed(findings)
    assert "later imports corrected an outcome" in findings["labels_hold"].sentence


def test_a_forgotten_contact_is_told_and_is_no_failure(honest: Trained, told: History) -> None:
    others = pl.col("contact_id") > 3
    without = replace(
        told,
        contacts=told.contacts.filter(others),
        messages=told.messages.filter(others),
        leads=told.leads.filter(others),
    )
    findings = suite(honest, without)
    assert findings["labels_hold"].passed
    assert " 0 can no longer be rebuilt" not in findings["labels_hold"].sentence


def test_scores_that_are_no_numbers_are_seen(honest: Trained, told: History) -> None:
    broken = replace(honest.model, calibrator=Calibrator(slope=float("nan")))
    with np.errstate(invalid="ignore"):
        found = failed(suite(honest, told, model=broken))
    assert {"in_range", "edge_inputs", "reproduces_stored_predictions"} <= found


def test_targets_count_only_where_strict(honest: Trained, told: History) -> None:
    hard = (Target(metric="r2", bound=0.9999),)
    assert failed(suite(honest, told, targets=hard)) == set()
    assert failed(suite(honest, told, targets=hard, strict=True)) == {"targets_met"}
