"""From a stored version to something that answers: verified bytes, spec, choices, key."""

from __future__ import annotations

from dataclasses import replace

from chatlift.errors import InvalidInput
from chatlift.history import History
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.features.declare import Feature
from chatlift.learn.fitting import FittedModel
from chatlift.learn.model_files import from_files
from chatlift.learn.scoring import Scorer
from chatlift.learn.specs.base import Spans
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.artifacts import Artifact
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ChurnRule, ModelName, UndatedOutcomes


def scorer_of(workspace: Workspace, artifact: Artifact) -> Scorer:
    """Return what answers with this artifact's model.

    Raises
    ------
    Unavailable
        If the files do not make a model.
    InvalidInput
        If the version uses a feature that is no longer installed.
    """
    spec = SPECS[artifact.model]
    model = from_files(artifact.files, spec.main_file)
    return Scorer(
        model=model,
        spec=spec,
        spans=spans_of(artifact),
        features=_features(artifact.model, model),
        key=workspace.text_key,
    )


def spans_of(artifact: Artifact) -> Spans:
    """Return the spans that a version's cutoffs and labels were made by."""
    told = dict(artifact.manifest["spans"])
    undated = told.get("undated_outcomes", UndatedOutcomes.LEAVE_OUT)
    return Spans(
        **told
        | {
            "ages_days": tuple(told["ages_days"]),
            "churn_rule": ChurnRule(told.get("churn_rule", ChurnRule.AUTO)),
            "undated_outcomes": UndatedOutcomes(undated),
        }
    )


def _features(name: ModelName, model: FittedModel) -> tuple[Feature, ...]:
    """Return the declared features that the version was fitted with, in its order."""
    known = {feature.name: feature for feature in catalogue(name)}
    missing = [wanted for wanted in model.recipe.features if wanted not in known]
    if missing:
        raise InvalidInput(
            f"This version of {name} looks at {', '.join(missing[:3])}, which this installation "
            "does not compute. Install the package that adds it, or train again."
        )
    return tuple(known[wanted] for wanted in model.recipe.features)


def history_of(workspace: Workspace) -> History:
    """Read the account's history in its own time zone."""
    history = workspace.crm.read_history()
    return replace(history, time_zone=workspace.account.time_zone)
