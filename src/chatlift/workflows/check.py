"""Check: run the model test suite on stored versions, as a new process would load them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from chatlift.errors import ChatliftError, NotReady
from chatlift.history import History
from chatlift.learn.arrays import microseconds
from chatlift.learn.reporting import figures_from_json
from chatlift.learn.scoring import Answer, Scorer, entities_by_end
from chatlift.learn.specs.base import Asked
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.specs.observing import observed_through
from chatlift.learn.suite import Finding, Recorded, run_suite
from chatlift.registry.serving import history_of, scorer_of
from chatlift.registry.versions import Version
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName

SHOWN_PREDICTIONS = 5


@dataclass(frozen=True, kw_only=True)
class ModelCheck:
    """What became of one version."""

    model: ModelName
    version_number: int | None
    """None where no version could be found."""
    location: str
    """Where its files lie."""
    findings: tuple[Finding, ...]
    answers: tuple[Answer, ...]
    """Up to five real entities, spread over the scores."""
    asked: int
    """Entities that were asked for; fewer answers than this is a failure."""

    @property
    def passed(self) -> bool:
        """Whether every finding passed and every entity asked for got its answer."""
        return (
            bool(self.findings)
            and all(finding.passed for finding in self.findings)
            and len(self.answers) == self.asked
        )

    @property
    def average_score(self) -> float | None:
        """Mean shown score of the predictions; None without any."""
        return float(np.mean([a.score for a in self.answers])) if self.answers else None


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What became of all versions asked for."""

    checks: tuple[ModelCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether every version passed."""
        return all(check.passed for check in self.checks)


def check(
    workspace: Workspace,
    models: tuple[ModelName, ...],
    *,
    version: str = "champion",
    strict: bool = False,
) -> CheckReport:
    """Test the named version of each model.

    Parameters
    ----------
    version
        `champion`, `candidate` (the newest version that is not champion) or a number.
    strict
        Whether a target that is not met is a failure.
    """
    history = history_of(workspace)
    return CheckReport(
        checks=tuple(_checked(workspace, history, model, version, strict) for model in models)
    )


def _checked(
    workspace: Workspace, history: History, model: ModelName, wanted: str, strict: bool
) -> ModelCheck:
    found: Version | None = None
    try:
        found = workspace.versions.get(model, wanted)
        return _examined(workspace, history, found, strict)
    except ChatliftError as error:
        failed = Finding(name="loads", passed=False, sentence=str(error))
        return ModelCheck(
            model=model,
            version_number=found.number if found else None,
            location=str(found.folder) if found else "",
            findings=(failed,),
            answers=(),
            asked=0,
        )


def _examined(workspace: Workspace, history: History, version: Version, strict: bool) -> ModelCheck:
    artifact = workspace.versions.load(version)
    scorer = scorer_of(workspace, artifact)
    through = observed_through(history)
    if through is None:
        raise NotReady("There is no data to test on. Import some, or run `chatlift generate`.")
    loaded = Finding(
        name="loads",
        passed=True,
        sentence=f"{len(artifact.files)} files match their SHA-256 and were read.",
    )
    recorded = _recorded(workspace, version)
    answers = _five(scorer, history, through)
    return ModelCheck(
        model=version.model,
        version_number=version.number,
        location=str(version.folder),
        findings=(loaded, *run_suite(scorer, history, recorded, through, strict=strict)),
        answers=answers,
        asked=len(answers),
    )


def _recorded(workspace: Workspace, version: Version) -> Recorded:
    choices = Choices.of(SPECS[version.model], workspace.account.settings)
    return Recorded(
        stored=workspace.versions.evaluation_predictions(version),
        figures=figures_from_json(version.evaluation["figures"]),
        basis=version.evaluation["basis"],
        targets=choices.targets,
    )


def _five(scorer: Scorer, history: History, as_of: datetime) -> tuple[Answer, ...]:
    """Answer for five entities spread over the scores, as `predict` would; fewer where so few."""
    snapshot = scorer.snapshot_of(history, entities_by_end(scorer.spec, history, as_of))
    if not len(snapshot):
        return ()
    order = np.argsort(-scorer.model.probabilities(snapshot), kind="stable")
    places = np.linspace(0, len(order) - 1, min(SHOWN_PREDICTIONS, len(order))).astype(np.int64)
    chosen = snapshot.take(order[places])
    cutoffs = microseconds(chosen.examples["cutoff"])
    return tuple(scorer.answers_of(history, Asked(entity_ids=chosen.entities, cutoffs=cutoffs)))
