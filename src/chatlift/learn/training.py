"""The training of one model, whole and pure: history in, a judged version's content out.

Enough data? Leaks? Measured on rows it has not seen; refitted on all of them; put through the
model test suite as read back from its own files; compared with the champion; judged by the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.errors import InvalidInput
from chatlift.history import History
from chatlift.learn.anchoring import mean_points_moved
from chatlift.learn.closings import ClosingsOf, contact_closings, lead_closings
from chatlift.learn.comparing import Champion, compare, same_recipe
from chatlift.learn.evaluation import (
    Evaluation,
    Options,
    evaluate,
    evaluation_rows,
)
from chatlift.learn.features.declare import Feature
from chatlift.learn.fitting import Fit, FittedModel, Recipe, fit
from chatlift.learn.gate import (
    AgainstChampion,
    CheckKind,
    Decision,
    Evidence,
    Leak,
    decide,
    is_too_good,
)
from chatlift.learn.leaks import find_leaks
from chatlift.learn.model_files import from_files, to_files
from chatlift.learn.movement import most_moving
from chatlift.learn.readiness import ReadinessReport, assess_history
from chatlift.learn.scoring import Scorer
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.base import ModelSpec
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.churn import rule_of
from chatlift.learn.specs.observing import observed_through
from chatlift.learn.suite import SHIPPED_FOLD, STORED, Finding, Recorded, run_suite
from chatlift.learn.threads import one_thread_each, side_by_side
from chatlift.vocabulary import (
    ChurnRule,
    ModelName,
    Progress,
    ReportProgress,
    Rung,
    no_progress,
)

MOST_EXAMPLES = 200_000
"""More are thinned out evenly by their keys; what is left is still every kind of example."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One model to be trained."""

    spec: ModelSpec
    choices: Choices
    features: tuple[Feature, ...]
    options: Options
    parameters: Mapping[str, float] = field(default_factory=dict)
    """Hyperparameters that were set; the spec's defaults otherwise."""
    key: bytes
    """The account's key for hashing words."""
    champion: Champion | None = None
    accepted_columns: frozenset[str] = frozenset()
    """Suspected columns that a person has vouched for."""
    left_out_columns: frozenset[str] = frozenset()
    """Imported attributes not to look at, such as one filled in after the outcome."""
    require_targets: bool = False
    basis: Rung | None = None
    """The rung to ship; None: the one that the data supports."""
    is_generated: bool = False
    """Whether the account's data was generated."""
    now: datetime | None = None
    """The present instant, for the days that readiness names; labels never look at it."""

    @property
    def recipe(self) -> Recipe:
        """How it will be fitted."""
        return Recipe(
            estimator=self.spec.estimator,
            parameters=self.spec.parameters(self.parameters),
            seed=self.options.seed,
            features=tuple(
                feature.name
                for feature in self.features
                if feature.attribute not in self.left_out_columns
            ),
            left_out=tuple(sorted(self.left_out_columns)),
            rule=self.spec.rule,
            directions={
                feature.name: direction
                for feature in self.features
                if (direction := feature.direction.get(self.spec.model, 0))
            },
            basis=self.basis,
        )


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A version's content and everything known about it."""

    model: FittedModel
    files: dict[str, bytes]
    snapshot: Snapshot
    evaluation: Evaluation
    stored: pl.DataFrame
    """One row per stored prediction; see `suite.STORED`."""
    findings: tuple[Finding, ...]
    decision: Decision
    against: AgainstChampion | None
    """The comparison with the champion; None where none serves."""
    has_spent_look: bool
    """Whether a new recipe was compared with the champion on enough new data to count."""
    rung_of_data: Rung | None = None
    """The rung that the data chose, where the champion's was kept; None: it is the one shipped."""
    readiness: ReadinessReport


def train_model(
    history: History,
    task: Task,
    *,
    fit_with: Fit = fit,
    report: ReportProgress = no_progress,
) -> Trained | ReadinessReport:
    """Train one model, or say what is missing.

    Parameters
    ----------
    fit_with
        The fit to be judged and shipped; a test hands in one that cheats to see it caught.
    """
    _step(report, "examples", 0.02, "finding examples and their labels")
    examples = thinned(task.spec.examples(history, task.choices.spans))
    readiness = assess_history(history, examples, task.spec, task.choices, now=task.now)
    if not readiness.is_ready:
        return readiness
    _step(report, "features", 0.05, "computing what was known at each cutoff")
    mature = examples.filter(pl.col("label").is_not_null())
    snapshot = take_snapshot(history, mature, task.features, key=task.key)
    _refuse_unknown(task.left_out_columns, snapshot)
    with one_thread_each():
        trained = _judged(history, task, snapshot, readiness, fit_with, report)
        if not _may_be_refreshed_instead(task, trained):
            return trained
        same_rung = replace(task, basis=task.champion.model.basis if task.champion else None)
        refreshed = _judged(history, same_rung, snapshot, readiness, fit_with, report)
        return replace(
            refreshed, has_spent_look=trained.has_spent_look, rung_of_data=trained.model.basis
        )


def _may_be_refreshed_instead(task: Task, trained: Trained) -> bool:
    """Tell whether the champion stays only because another rung was not shown to be better.

    Its own rung on newer data is a refresh then, which need not be shown better.
    """
    if task.champion is None or task.basis is not None:
        return False
    champion = task.champion.model.recipe
    is_same_otherwise = same_recipe(replace(trained.model.recipe, basis=champion.basis), champion)
    in_the_way = [check.kind for check in trained.decision.checks if check.stands_in_the_way]
    return (
        set(in_the_way) == {CheckKind.CHAMPION}
        and trained.model.basis is not champion.basis
        and task.champion.has_same_spans
        and is_same_otherwise
    )


def _judged(
    history: History,
    task: Task,
    snapshot: Snapshot,
    readiness: ReadinessReport,
    fit_with: Fit,
    report: ReportProgress,
) -> Trained:
    recipe = task.recipe
    with side_by_side(task.options.threads) as beside:
        # Begun first: with it to the end, both cores have work while the figures are computed.
        shipped = beside.begin([partial(fit_with, snapshot, recipe)])
        evaluation = evaluate(
            snapshot,
            task.spec,
            recipe,
            task.options,
            task.choices.floors,
            beside,
            fit_with=fit_with,
            report=lambda step: report(replace(step, fraction=0.08 + 0.78 * step.fraction)),
        )
        _step(report, "refit", 0.88, "refitting on all mature examples")
        [model] = shipped()
    model = _with_reference(history, task, snapshot, model)
    files = to_files(model, task.spec.main_file)
    stored = stored_predictions(snapshot, evaluation, model)
    _step(report, "test", 0.92, "running the model test suite")
    findings = _suite(history, task, files, stored, evaluation)
    _step(report, "gate", 0.96, "weighing the evidence")
    evidence = _evidence(history, task, snapshot, evaluation, model, findings)
    decision = decide(evidence)
    return Trained(
        model=model,
        files=files,
        snapshot=snapshot,
        evaluation=evaluation,
        stored=stored,
        findings=tuple(findings),
        decision=decision,
        against=evidence.against,
        has_spent_look=_has_spent_look(decision),
        readiness=readiness,
    )


def _has_spent_look(decision: Decision) -> bool:
    """Tell whether a new recipe could have been promoted by luck.

    What another check refuses cannot, and may be looked at again once that is mended.
    """
    stopped = {check.kind for check in decision.checks if check.stands_in_the_way}
    is_fresh = any(check.name == "fresh_look" and check.passed for check in decision.checks)
    return is_fresh and stopped <= {CheckKind.CHAMPION}


def _with_reference(
    history: History, task: Task, snapshot: Snapshot, model: FittedModel
) -> FittedModel:
    """Return the model with the means that its reasons are told against."""
    through = observed_through(history)
    newest = snapshot.take(newest_per_entity(snapshot))
    return (
        model if through is None else _scorer(task, model).with_reference(history, through, newest)
    )


def _scorer(task: Task, model: FittedModel) -> Scorer:
    return Scorer(
        model=model,
        spec=task.spec,
        spans=task.choices.spans,
        features=task.features,
        key=task.key,
    )


def _refuse_unknown(columns: frozenset[str], snapshot: Snapshot) -> None:
    known = snapshot.attributes.columns
    unknown = sorted(columns - set(known))
    if unknown:
        raise InvalidInput(
            f"There is no attribute {unknown[0]!r} to leave out. "
            f"There are: {', '.join(known) or 'none'}."
        )


def _step(report: ReportProgress, phase: str, fraction: float, message: str) -> None:
    report(Progress(phase=phase, fraction=fraction, message=message))


def thinned(examples: pl.DataFrame, most: int = MOST_EXAMPLES) -> pl.DataFrame:
    """Return at most about `most` examples, chosen by their keys: the same ones in every run."""
    if examples.height <= most:
        return examples
    step = -(-examples.height // most)
    week = pl.col("cutoff").dt.timestamp("us") // (7 * 86_400_000_000)
    return examples.filter((pl.col("entity_id") + week) % step == 0)


def stored_predictions(
    snapshot: Snapshot, evaluation: Evaluation, model: FittedModel
) -> pl.DataFrame:
    """Return what a version keeps: the predictions it was judged on, and its own of all rows."""
    judged = evaluation_rows(snapshot, evaluation.predictions)
    shipped = snapshot.examples.select(
        "entity_id", "contact_id", "cutoff", "label", "is_leading"
    ).with_columns(
        repeat=pl.lit(0),
        fold=pl.lit(SHIPPED_FOLD),
        probability=pl.Series(model.probabilities(snapshot), dtype=pl.Float64),
        threshold=pl.lit(model.threshold),
    )
    both = [
        frame.select(pl.col(n).cast(t) for n, t in STORED.items()) for frame in (judged, shipped)
    ]
    return pl.concat(both)


def _suite(
    history: History,
    task: Task,
    files: Mapping[str, bytes],
    stored: pl.DataFrame,
    evaluation: Evaluation,
) -> list[Finding]:
    """Run the model test suite on the version as read back from its files."""
    through = observed_through(history)
    if through is None:
        return []
    scorer = _scorer(task, from_files(files, task.spec.main_file))
    recorded = Recorded(
        stored=stored,
        figures=evaluation.figures,
        basis=evaluation.basis,
        targets=task.choices.targets,
    )
    return run_suite(scorer, history, recorded, through)


def _evidence(
    history: History,
    task: Task,
    snapshot: Snapshot,
    evaluation: Evaluation,
    model: FittedModel,
    findings: list[Finding],
) -> Evidence:
    against = (
        compare(
            task.champion,
            snapshot,
            evaluation.predictions,
            model.recipe,
            task.options,
            basis=evaluation.basis,
        )
        if task.champion
        else None
    )
    return Evidence(
        spec=task.spec,
        floors=task.choices.floors,
        evaluation=evaluation,
        leaks=_leaks(history, task, snapshot),
        accepted_columns=task.accepted_columns,
        suite_failures=[finding.sentence for finding in findings if not finding.passed],
        scores=model.probabilities(snapshot),
        targets=task.choices.targets,
        require_targets=task.require_targets,
        against=against,
        is_generated=task.is_generated,
        moving_columns=_moving_columns(task, snapshot, evaluation, model),
    )


def _moving_columns(
    task: Task, snapshot: Snapshot, evaluation: Evaluation, model: FittedModel
) -> tuple[str, ...]:
    """Return the columns to look at where the figures are too good to be true."""
    is_suspicious = is_too_good(evaluation) and not task.is_generated
    return most_moving(model, snapshot) if is_suspicious else ()


def _leaks(history: History, task: Task, snapshot: Snapshot) -> list[Leak]:
    attributes = snapshot.attributes.drop(task.left_out_columns, strict=False)
    looked_at = replace(snapshot, attributes=attributes)
    return find_leaks(history, looked_at, _closings_of(history, task), seed=task.options.seed)


def _closings_of(history: History, task: Task) -> ClosingsOf | None:
    """Return who finds what is closed and what is open; None where nothing ever closes."""
    if task.spec.model is ModelName.LEAD_SCORING:
        return lead_closings
    by_contract = rule_of(history, task.choices.spans) is ChurnRule.CONTRACT
    return contact_closings if task.spec.model is ModelName.CHURN and by_contract else None


def trained_on(stored: pl.DataFrame) -> frozenset[tuple[int, int]]:
    """Return (entity id, cutoff in microseconds) of every example the shipped model was fitted on.

    Parameters
    ----------
    stored
        One row per stored prediction; see `suite.STORED`.
    """
    shipped = stored.filter(pl.col("fold") == SHIPPED_FOLD)
    keys = shipped.select("entity_id", pl.col("cutoff").dt.timestamp("us"))
    return frozenset(keys.iter_rows())


def anchor_points(trained: Trained) -> float:
    """Return by how many points on average the anchor moves the scores of the training examples.

    On the 0-100 scale; negative where it lowers them.
    """
    shipped = trained.stored.filter(pl.col("fold") == SHIPPED_FOLD)
    return mean_points_moved(shipped.get_column("probability").to_numpy(), trained.model.anchor)


def mature_entities(stored: pl.DataFrame) -> NDArray[np.int64]:
    """Return the distinct entities behind a version."""
    return np.unique(stored.get_column("entity_id").drop_nulls().to_numpy())


def newest_per_entity(snapshot: Snapshot) -> NDArray[np.int64]:
    """Return the row of each entity's newest example."""
    rows = snapshot.examples.select("entity_id", "cutoff").with_row_index("row")
    newest = rows.group_by("entity_id").agg(pl.col("row").sort_by("cutoff").last())
    return newest.get_column("row").sort().to_numpy().astype(np.int64)
