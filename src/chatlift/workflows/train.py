"""Train: from the account's history to registered versions and the gate's verdicts.

One run trains one model or all three in turn. If one is refused, or has too little data, the
others still finish. Whatever happens, the run ends in a final state, and the champion is untouched
unless the verdict was to promote.
"""

from __future__ import annotations

import hashlib
import json
import platform
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import version as installed_version
from typing import Any

from chatlift.errors import Cancelled, ChatliftError, InvalidInput, Unavailable
from chatlift.history import History
from chatlift.learn.ceilings import Ceilings, ceilings
from chatlift.learn.comparing import Champion
from chatlift.learn.evaluation import Options
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import Fit, fit
from chatlift.learn.gate import Decision, gain_spread
from chatlift.learn.model_files import from_files, recipe_to_json
from chatlift.learn.readiness import ReadinessReport
from chatlift.learn.reporting import (
    decision_from_json,
    decision_to_json,
    evaluation_to_json,
    headline_metrics,
)
from chatlift.learn.specs.base import Spans
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.churn import settled
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.suite import Finding
from chatlift.learn.training import (
    Task,
    Trained,
    anchor_points,
    mature_entities,
    train_model,
    trained_on,
)
from chatlift.registry.artifacts import DamagedArtifact
from chatlift.registry.champions import GateCounts
from chatlift.registry.failures import failure_of
from chatlift.registry.run_rows import Run, RunLost, cancelled_message
from chatlift.registry.serving import history_of, spans_of
from chatlift.registry.versions import NoChampion, Version
from chatlift.registry.workspace import Workspace
from chatlift.simulate.truth_files import load_truth, truth_by_entity
from chatlift.store.database import DatabaseAway
from chatlift.vocabulary import (
    ModelName,
    Progress,
    ReportProgress,
    Rung,
    RunStatus,
    Verdict,
    no_progress,
)

Clock = Callable[[], datetime]

WATCH_SECONDS = 1.0
"""How often a run under way looks whether somebody asked it to stop."""
RENEW_EVERY = 5
"""After so many looks its lease is renewed."""
HIGHEST_SEED = 1_000_000_000
"""Folds and repeats add to a seed; the libraries take whole numbers below 2 ** 31."""
RECORDED_LIBRARIES = ("chatlift", "numpy", "polars", "scikit-learn", "xgboost-cpu")
"""Whose versions a manifest keeps."""


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """What a person asked for."""

    models: tuple[ModelName, ...] = tuple(ModelName)
    requested_model: str = "all"
    test_size: float = 0.2
    cv_folds: int = 5
    seed: int = 0
    parameters: Mapping[ModelName, Mapping[str, float]] = field(default_factory=dict)
    """Hyperparameters that were set, by model."""
    bases: Mapping[ModelName, Rung] = field(default_factory=dict)
    """Rungs that were set, by model; the others are chosen by what the data supports."""
    require_targets: bool = False
    promote: bool = True
    """False: register and judge, but leave the champion alone."""
    accepted_columns: frozenset[str] = frozenset()
    """Attributes a person has vouched for."""
    left_out_columns: frozenset[str] = frozenset()
    """Attributes not to look at, such as one filled in after the outcome."""

    def __post_init__(self) -> None:
        if not 0.05 <= self.test_size <= 0.5:
            raise InvalidInput(f"--test-size is {self.test_size:g}; it takes 0.05 to 0.5.")
        if not 2 <= self.cv_folds <= 10:
            raise InvalidInput(f"--cv-folds is {self.cv_folds}; it takes 2 to 10.")
        if not 0 <= self.seed <= HIGHEST_SEED:
            raise InvalidInput(f"--seed is {self.seed}; it takes 0 to {HIGHEST_SEED}.")

    def to_json(self) -> dict[str, Any]:
        """Return the request as the run's row keeps it."""
        return {
            "test_size": self.test_size,
            "cv_folds": self.cv_folds,
            "seed": self.seed,
            "parameters": {model: dict(values) for model, values in self.parameters.items()},
            "bases": {str(model): str(rung) for model, rung in self.bases.items()},
            "require_targets": self.require_targets,
            "promote": self.promote,
            "accepted_columns": sorted(self.accepted_columns),
            "left_out_columns": sorted(self.left_out_columns),
        }

    @classmethod
    def of_run(cls, run: Run) -> TrainRequest:
        """Return what a run was asked for; what its row does not say takes its default.

        Raises
        ------
        InvalidInput
            If a value cannot be used.
        """
        asked = dict(run.request)
        for name in ("accepted_columns", "left_out_columns"):
            asked[name] = frozenset(asked.get(name, ()))
        parameters = asked.pop("parameters", {})
        bases = asked.pop("bases", {})
        return cls(
            models=run.models,
            requested_model=run.requested_model,
            parameters={ModelName(model): values for model, values in parameters.items()},
            bases={ModelName(model): Rung(rung) for model, rung in bases.items()},
            **{name: asked[name] for name in REQUEST_FIELDS & asked.keys()},
        )


REQUEST_FIELDS = TrainRequest.__dataclass_fields__.keys() - {
    "models",
    "requested_model",
    "parameters",
    "bases",
}
"""What `to_json` tells as it is."""


@dataclass(frozen=True, kw_only=True)
class ModelOutcome:
    """What became of one model."""

    model: ModelName
    sentence: str
    """One line for a person."""
    readiness: ReadinessReport | None = None
    evaluation: Mapping[str, Any] | None = None
    """As `learn.reporting.evaluation_to_json` tells it; None where nothing was fitted."""
    decision: Decision | None = None
    findings: tuple[Finding, ...] = ()
    version: Version | None = None
    """What was registered; None where nothing was fitted."""
    serving_number: int | None = None
    """Number of the version that serves once this is over; None: none does."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    rounds: int = 0
    error: Mapping[str, Any] | None = None
    """As `registry.failures.failure_of` tells it; None where nothing failed."""

    @property
    def status(self) -> str:
        """`completed`, `not_ready` or `failed`."""
        if self.decision is not None:
            return "completed"
        return "not_ready" if self.readiness is not None else "failed"


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What became of a run."""

    run: Run
    outcomes: tuple[ModelOutcome, ...]
    seconds: float


def never() -> bool:
    """Tell that nobody asked to stop."""
    return False


def train(
    workspace: Workspace,
    request: TrainRequest,
    *,
    clock: Clock,
    report: ReportProgress = no_progress,
    fit_with: Fit = fit,
    is_asked_to_stop: Callable[[], bool] = never,
) -> TrainReport:
    """Train the requested models in one run.

    Parameters
    ----------
    clock
        Tells the present instant; used for the run's lease and the ledger, never for labels.
    report
        Told of every step; it may raise `Cancelled`, and the run ends so.
    fit_with
        The fit to use; the prescribed one by default.
    is_asked_to_stop
        Looked at every second from another thread: if true, the run ends as cancelled at once,
        though the process may need a moment more to wind up the fits under way.

    Raises
    ------
    Conflict
        If another run trains one of the models.
    Cancelled
        If it was asked to stop; the run has ended as cancelled, the champion is untouched.
    """
    _refuse_unusable(request)
    run = workspace.runs.start(
        request.models,
        requested_model=request.requested_model,
        request=request.to_json(),
        now=clock(),
    )
    running = _Running(workspace, request, run, clock, report, fit_with, is_asked_to_stop)
    return _carried_out(running, running.kept_alive())


def train_claimed(
    workspace: Workspace,
    run: Run,
    *,
    clock: Clock,
    report: ReportProgress = no_progress,
    fit_with: Fit = fit,
) -> TrainReport:
    """Train a run that a worker has claimed, in the attempt it was claimed for.

    The worker renews the lease, not this process, which could otherwise hold on to a run whose
    worker is gone. What an attempt before has registered is kept and not trained again.

    Raises
    ------
    RunLost
        If the run was taken away meanwhile; nothing has been written since.
    Cancelled
        If it was asked to stop; the run has ended as cancelled, the champion is untouched.
    """
    try:
        request = TrainRequest.of_run(run)
        _refuse_unusable(request)
    except InvalidInput as error:
        workspace.runs.finish(
            run.run_id,
            run.attempt,
            RunStatus.FAILED,
            now=clock(),
            message=str(error),
            error=failure_of(error),
        )
        raise
    running = _Running(workspace, request, run, clock, report, fit_with, never)
    running.renews_itself = False
    return _carried_out(running, nullcontext())


def _refuse_unusable(request: TrainRequest) -> None:
    for model in request.models:
        SPECS[model].parameters(request.parameters.get(model))


def _carried_out(running: _Running, watched: AbstractContextManager[None]) -> TrainReport:
    """Train and end the run, whatever happens."""
    started = running.clock()
    try:
        running.workspace.versions.sweep_orphans(now=started)
        with watched:
            outcomes = running.all_models()
        ended = running.end(*_ending(outcomes))
    except (Cancelled, KeyboardInterrupt) as stopped:
        running.cancel()
        raise Cancelled(running.cancelled()) from stopped
    except BaseException as error:
        if running.has_been_cancelled():
            raise Cancelled(running.cancelled()) from error
        # A worker takes the run up again where only the database was away.
        is_tried_again = isinstance(error, DatabaseAway) and not running.renews_itself
        if not isinstance(error, RunLost) and not is_tried_again:
            running.end(RunStatus.FAILED, "Training failed.", failure_of(error))
        raise
    seconds = (running.clock() - started).total_seconds()
    return TrainReport(run=ended, outcomes=tuple(outcomes), seconds=seconds)


def _ending(
    outcomes: Sequence[ModelOutcome],
) -> tuple[RunStatus, str, Mapping[str, Any] | None]:
    """Return how the run ends: failed only if no model came to a verdict."""
    if any(outcome.decision is not None for outcome in outcomes):
        told = "; ".join(f"{o.model}: {_short(o)}" for o in outcomes)
        return RunStatus.COMPLETED, told, None
    first = next((o.error for o in outcomes if o.error), None)
    kind = first or {"type": "NotReady", "kind": "not_ready", "sentence": outcomes[0].sentence}
    return RunStatus.FAILED, outcomes[0].sentence, kind


def _short(outcome: ModelOutcome) -> str:
    return str(outcome.decision.verdict) if outcome.decision else outcome.status


class _Running:
    """One run under way."""

    def __init__(
        self,
        workspace: Workspace,
        request: TrainRequest,
        run: Run,
        clock: Clock,
        report: ReportProgress,
        fit_with: Fit,
        is_asked_to_stop: Callable[[], bool],
    ) -> None:
        self.workspace = workspace
        self.request = request
        self.run = run
        self.clock = clock
        self.report = report
        self.fit_with = fit_with
        self.is_asked_to_stop = is_asked_to_stop
        self.renews_itself = True
        """Whether this process holds the run by itself; otherwise its worker does."""
        self.published: list[str] = []
        self.is_cancelled = False
        """Whether the run has ended as cancelled; its row then takes nothing more."""
        self._cancelling = threading.Lock()

    def end(self, status: RunStatus, message: str, error: Mapping[str, Any] | None = None) -> Run:
        """End the run in a final state."""
        return self.workspace.runs.finish(
            self.run.run_id,
            self.run.attempt,
            status,
            now=self.clock(),
            message=message,
            error=error,
        )

    def cancel(self) -> None:
        """End the run as cancelled, at once and once: also while a long fit still goes on.

        A run that has ended meanwhile, as by `runs stop`, stays as it ended.
        """
        with self._cancelling:
            if not self.is_cancelled:
                with suppress(RunLost):
                    self.end(RunStatus.CANCELLED, self.cancelled())
                self.is_cancelled = True

    def has_been_cancelled(self) -> bool:
        """Tell whether it is over, also by another's hand; waits for one just being written."""
        with self._cancelling:
            found = self.workspace.runs.get(self.run.run_id)
            return self.is_cancelled or found.status is RunStatus.CANCELLED

    def cancelled(self) -> str:
        """Say what a cancelled run leaves behind."""
        return cancelled_message(self.published)

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Watch the run from a thread: renew its lease, and end it if somebody asked it to stop.

        So one long fit is neither taken for a death nor does it hold up a cancellation. Whatever
        the fit still wants to write is refused, and it stops at its next step.
        """
        is_over = threading.Event()

        def watch() -> None:
            looks = 0
            while not is_over.wait(WATCH_SECONDS) and not self.is_cancelled:
                looks += 1
                # A lost run is seen by the next report of progress, and a look that fails for
                # any reason, such as a dropped connection, must not be the last one.
                with suppress(Exception):
                    self._look(renews=looks % RENEW_EVERY == 0)

        heart = threading.Thread(target=watch, name="lease", daemon=True)
        heart.start()
        try:
            yield
        finally:
            is_over.set()
            heart.join()

    def _look(self, *, renews: bool) -> None:
        runs = self.workspace.runs
        found = runs.get(self.run.run_id)
        if found.cancel_requested_at is not None or self.is_asked_to_stop():
            self.cancel()
        elif renews:
            runs.renew(self.run.run_id, self.run.attempt)

    def all_models(self) -> list[ModelOutcome]:
        """Train the models in turn; one that fails leaves the others alone."""
        self._tell(Progress(phase="history", fraction=0.0, message="reading the history"))
        history = history_of(self.workspace)
        outcomes = []
        for index, model in enumerate(self.request.models):
            outcome = self._registered_before(model) or self._guarded(
                model, history, self._part(model, index)
            )
            serving = self.workspace.versions.champion(model)
            outcomes.append(replace(outcome, serving_number=serving.number if serving else None))
            if outcome.version is not None:
                self.published.append(f"{model} v{outcome.version.number}")
            self._record(outcome)
        return outcomes

    def _registered_before(self, model: ModelName) -> ModelOutcome | None:
        """Return what an attempt before came to; None where it registered no version."""
        if self.run.attempt == 1:
            return None
        for version in self.workspace.versions.list(model):
            if version.run_id == self.run.run_id:
                decision = decision_from_json(version.gate)
                champion = self.workspace.versions.champion(model)
                return ModelOutcome(
                    model=model,
                    sentence=_sentence(decision, version, champion),
                    evaluation=version.evaluation,
                    decision=decision,
                    version=version,
                )
        return None

    def _part(self, model: ModelName, index: int) -> ReportProgress:
        """Return a report whose fractions are the model's part of the whole run."""
        count = len(self.request.models)

        def report(step: Progress) -> None:
            whole = (index + min(step.fraction, 1.0)) / count
            self._tell(replace(step, fraction=whole, model=model))

        return report

    def _tell(self, step: Progress) -> None:
        if self.is_cancelled:
            raise Cancelled(self.cancelled())
        self.workspace.runs.progress(
            self.run.run_id,
            self.run.attempt,
            phase=step.phase,
            percent=100 * step.fraction,
            message=step.message,
            now=self.clock(),
            current_model=step.model,
        )
        self.report(step)

    def _guarded(self, model: ModelName, history: History, report: ReportProgress) -> ModelOutcome:
        try:
            return self._one(model, history, report)
        except (Cancelled, KeyboardInterrupt, RunLost, DatabaseAway):
            raise
        except ChatliftError as error:
            if self.has_been_cancelled():
                raise
            return ModelOutcome(model=model, sentence=str(error), error=failure_of(error))
        except Exception as error:  # noqa: BLE001 - one model's failure leaves the others alone
            return ModelOutcome(
                model=model,
                sentence=f"Training {model} failed unexpectedly ({type(error).__name__}). The run "
                "keeps where; train again with --debug, and report it if it stays.",
                error=failure_of(error),
            )

    def _one(self, model: ModelName, history: History, report: ReportProgress) -> ModelOutcome:
        champion = self._champion(model)
        task = self._task(model, history, champion)
        trained = train_model(history, task, fit_with=self.fit_with, report=report)
        if isinstance(trained, ReadinessReport):
            return ModelOutcome(
                model=model, sentence=trained.sentence(task.spec), readiness=trained
            )
        evaluation = evaluation_to_json(
            trained.evaluation, task.choices.targets, self._ceilings(model, history, trained)
        )
        evaluation["counts"]["undecided"] = trained.readiness.undecided
        undated = trained.readiness.undated
        evaluation["counts"]["undated"] = undated.count if undated else 0
        evaluation["judged_words"] = task.spec.judged_words(task.choices.spans)
        evaluation["undated"] = undated.sentence if undated else None
        evaluation["left_out"] = dict(trained.model.encoder.dropped)
        evaluation["why_little_is_known"] = trained.model.encoder.why_little_is_known
        evaluation["entities"] = len(mature_entities(trained.stored))
        evaluation["shipped_rung"] = trained.model.basis
        evaluation["set_rung"] = task.basis
        evaluation["rung_of_data"] = trained.rung_of_data
        evaluation["anchor"] = trained.model.anchor
        evaluation["anchor_points"] = anchor_points(trained)
        version = self._register(task, trained, evaluation, champion)
        return ModelOutcome(
            model=model,
            sentence=_sentence(trained.decision, version, champion),
            readiness=trained.readiness,
            evaluation=evaluation,
            decision=trained.decision,
            findings=trained.findings,
            version=version,
            parameters=trained.model.recipe.parameters,
            rounds=trained.model.rounds,
        )

    def _champion(self, model: ModelName) -> Version | None:
        """Return who serves; where its files are damaged, the version before takes over first."""
        with suppress(DamagedArtifact, NoChampion):
            return self.workspace.versions.load_serving(model, now=self.clock()).version
        return self.workspace.versions.champion(model)

    def _task(self, model: ModelName, history: History, champion: Version | None) -> Task:
        spec = SPECS[model]
        choices = Choices.of(spec, self.workspace.account.settings)
        spans = _in_force(model, choices.spans, history)
        choices = replace(choices, spans=spans)
        return Task(
            spec=spec,
            choices=choices,
            features=catalogue(model),
            options=Options(
                test_size=self.request.test_size,
                cv_folds=self.request.cv_folds,
                seed=self.request.seed,
                threads=self.workspace.settings.threads,
            ),
            parameters=self.request.parameters.get(model, {}),
            key=self.workspace.text_key,
            champion=self._to_beat(champion, spans, history),
            accepted_columns=self.request.accepted_columns,
            left_out_columns=self.request.left_out_columns,
            require_targets=self.request.require_targets or choices.require_targets,
            basis=self.request.bases.get(model),
            is_generated=load_truth(self.workspace.truth_folder) is not None,
            now=self.clock(),
        )

    def _to_beat(self, version: Version | None, spans: Spans, history: History) -> Champion | None:
        """Return the champion for comparison.

        None where none serves, its files are damaged or make no model here, or it uses a feature
        that is not there. Files that cannot be read just now are no reason to do without.
        """
        if version is None:
            return None
        model = version.model
        try:
            artifact = self.workspace.versions.load(version)
        except DamagedArtifact:
            return None
        try:
            fitted = from_files(artifact.files, SPECS[model].main_file)
        except Unavailable:
            return None
        if not set(fitted.recipe.features) <= {feature.name for feature in catalogue(model)}:
            return None
        counts = self.workspace.versions.gate_counts(model)
        return Champion(
            number=version.number,
            model=fitted,
            has_same_spans=_in_force(model, spans_of(artifact), history) == spans,
            trained_on=trained_on(self.workspace.versions.evaluation_predictions(version)),
            looks_before=counts.look_count,
            entities_at_last_look=counts.entities_at_look or int(version.evaluation["entities"]),
            refresh_gain=counts.refresh_gain,
            refresh_variance=counts.refresh_variance,
        )

    def _ceilings(self, model: ModelName, history: History, trained: Trained) -> Ceilings | None:
        """Return the best anyone could reach, where the data was generated."""
        truth = load_truth(self.workspace.truth_folder)
        if truth is None:
            return None
        return ceilings(trained.snapshot, truth_by_entity(truth, model, history))

    def _register(
        self,
        task: Task,
        trained: Trained,
        evaluation: Mapping[str, Any],
        champion: Version | None,
    ) -> Version:
        if self.renews_itself:
            # After the machine has slept the lease may have run out with nobody else at work.
            self.workspace.runs.renew(self.run.run_id, self.run.attempt)
        now = self.clock()
        verdict = trained.decision.verdict
        promotes = verdict is Verdict.PROMOTE and self.request.promote
        return self.workspace.versions.register(
            run_id=self.run.run_id,
            attempt=self.run.attempt,
            model=task.spec.model,
            files=trained.files,
            manifest=_manifest(task, trained, now),
            recipe_fingerprint=_fingerprint(recipe_to_json(trained.model.recipe)),
            data_fingerprint=trained.snapshot.fingerprint,
            metrics=headline_metrics(trained.evaluation, task.spec),
            evaluation=evaluation,
            gate=decision_to_json(trained.decision),
            verdict=verdict,
            promote=promotes,
            expected_champion=champion.number if champion else None,
            predictions=trained.stored,
            now=now,
            gate_counts=counted(
                self.workspace.versions.gate_counts(task.spec.model),
                trained,
                int(evaluation["entities"]),
                is_promoted=promotes,
            ),
        )

    def _record(self, outcome: ModelOutcome) -> None:
        figures = outcome.evaluation["figures"] if outcome.evaluation else {}
        self.workspace.runs.record_model(
            self.run.run_id,
            self.run.attempt,
            outcome.model,
            metrics={name: figure["value"] for name, figure in figures.items()},
            verdict=outcome.decision.verdict if outcome.decision else None,
            sentence=outcome.sentence,
            version_number=outcome.version.number if outcome.version else None,
            now=self.clock(),
        )


def _in_force(model: ModelName, spans: Spans, history: History) -> Spans:
    """Return the spans as they act on this history: with churn's rule settled."""
    return settled(spans, history) if model is ModelName.CHURN else spans


def counted(
    counts: GateCounts, trained: Trained, entities: int, *, is_promoted: bool
) -> GateCounts:
    """Return what the gate has counted once a version is registered.

    Parameters
    ----------
    entities
        Mature entities that the version was trained on.
    """
    against = trained.against
    if against is None:
        if not is_promoted:
            return counts
        at_look = counts.entities_at_look
        return replace(
            counts,
            entities_at_look=entities if at_look is None else at_look,
            refresh_gain=0.0,
            refresh_variance=0.0,
        )
    if trained.has_spent_look:
        counts = replace(counts, look_count=counts.look_count + 1, entities_at_look=entities)
    if not is_promoted:
        return counts
    if not against.is_refresh:
        return replace(counts, refresh_gain=0.0, refresh_variance=0.0)
    return replace(
        counts,
        refresh_gain=counts.refresh_gain + float(against.brier_gains[0]),
        refresh_variance=counts.refresh_variance + gain_spread(against) ** 2,
    )


def _sentence(decision: Decision, version: Version, champion: Version | None) -> str:
    """Say what became of a version, by which checks, and what serves where it does not."""
    if decision.verdict is Verdict.PROMOTE:
        serves = "serves now" if version.is_champion else "was not promoted, as asked"
        notes = "".join(f" Note: {note}" for note in decision.notes)
        return f"v{version.number} passed every check and {serves}.{notes}"
    word = "refused" if decision.verdict is Verdict.REFUSE else "kept as a candidate"
    checks = ", ".join(check.name for check in decision.checks if check.stands_in_the_way)
    serves = "Nothing serves." if champion is None else f"v{champion.number} goes on serving."
    return f"v{version.number} was {word} ({checks}): {' '.join(decision.reasons)} {serves}"


def _manifest(task: Task, trained: Trained, now: datetime) -> dict[str, Any]:
    return {
        "model": task.spec.model,
        "created_at": now.isoformat(),
        "question": task.spec.question,
        "estimator": task.spec.estimator,
        "recipe": recipe_to_json(trained.model.recipe) | {"features": None},
        "features": list(trained.model.recipe.features),
        "hyperparameters": dict(trained.model.recipe.parameters),
        "basis": trained.model.basis,
        "weights": {str(part): weight for part, weight in trained.model.estimator.weights.items()},
        "anchor": trained.model.anchor,
        "seed": trained.model.recipe.seed,
        "spans": asdict(task.choices.spans),
        "data_fingerprint": trained.snapshot.fingerprint,
        "libraries": {name: installed_version(name) for name in RECORDED_LIBRARIES},
        "python": platform.python_version(),
    }


def _fingerprint(recipe: Mapping[str, Any]) -> str:
    """Return what tells two recipes apart; the seed is no part of a recipe."""
    told = {name: value for name, value in recipe.items() if name != "seed"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
