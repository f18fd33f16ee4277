"""Routes of the training API about models and their versions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from chatlift.errors import NotFound
from chatlift.registry.standing import standing_of
from chatlift.registry.versions import Version
from chatlift.service.context import ServiceDep
from chatlift.service.problems import ProblemRoute, described
from chatlift.service.security import Admin, Operator, Viewer
from chatlift.service.version_bodies import (
    ChampionChangeBody,
    DeletedBody,
    LedgerRow,
    ModelRow,
    ModelsBody,
    VersionBody,
    VersionsBody,
    version_row,
)
from chatlift.vocabulary import MODEL_ALIASES, ModelName

HIGHEST_NUMBER = 2**31 - 1
router = APIRouter(prefix="/models", route_class=ProblemRoute)

Named = Annotated[str, Path(max_length=50, description="lead_scoring, churn or engagement.")]
Number = Annotated[int, Path(ge=1, le=HIGHEST_NUMBER)]
Forced = Annotated[
    bool, Query(description="Also where it serves; predictions then answer not_ready.")
]


class NoSuchModel(NotFound):
    """An address names none of the three models."""

    def __init__(self) -> None:
        super().__init__(f"No model has this name. There are: {', '.join(ModelName)}.")


def model_named(name: str) -> ModelName:
    """Return the one model that an address names, also by an alias; raises `NoSuchModel`."""
    found = MODEL_ALIASES.get(name, name)
    if found not in set(ModelName):
        raise NoSuchModel
    return ModelName(found)


@router.get("", operation_id="models_list")
def models(caller: Viewer) -> ModelsBody:
    """List the models, each by its champion, else by its newest version."""
    found: dict[ModelName, Version] = {}
    versions = caller.workspace.versions.list()
    for version in versions:
        if version.is_champion or version.model not in found:
            found[version.model] = version
    rows = [
        ModelRow.of(found[name], standing_of(name, versions)) for name in ModelName if name in found
    ]
    return ModelsBody(total=len(rows), models=rows)


@router.delete("/{model_name}", operation_id="models_delete", responses=described(404, 409))
def delete_model(
    caller: Admin, service: ServiceDep, model_name: Named, force: Forced = False
) -> DeletedBody:
    """Delete all versions of a model, files and rows; ledger and history stay."""
    model = model_named(model_name)
    gone = caller.workspace.versions.delete_model(
        model, by=caller.actor, now=service.clock(), force=force
    )
    return DeletedBody(
        success=True,
        message=f"Deleted {len(gone)} versions of {model}.",
        model=model,
        deleted_versions=[version.number for version in gone],
    )


@router.get("/{model_name}/versions", operation_id="versions_list", responses=described(404))
def list_versions(caller: Viewer, model_name: Named) -> VersionsBody:
    """List a model's versions, the newest first, and every change of its champion."""
    model = model_named(model_name)
    kept = caller.workspace.versions
    return VersionsBody(
        model=model,
        versions=[version_row(version) for version in kept.list(model)],
        ledger=[LedgerRow.of(entry) for entry in kept.ledger(model)],
    )


@router.get(
    "/{model_name}/versions/{number}", operation_id="versions_show", responses=described(404)
)
def show_version(caller: Viewer, model_name: Named, number: Number) -> VersionBody:
    """Show one version: its figures with intervals, and the gate's checks."""
    return VersionBody.of(caller.workspace.versions.get(model_named(model_name), number))


@router.delete(
    "/{model_name}/versions/{number}",
    operation_id="versions_delete",
    responses=described(404, 409),
)
def delete_version(
    caller: Admin, service: ServiceDep, model_name: Named, number: Number, force: Forced = False
) -> DeletedBody:
    """Delete one version, files and rows; the ledger stays."""
    model = model_named(model_name)
    gone = caller.workspace.versions.delete(
        model, number, by=caller.actor, now=service.clock(), force=force
    )
    return DeletedBody(
        success=True,
        message=f"Deleted {model} v{gone.number}.",
        model=model,
        deleted_versions=[gone.number],
    )


@router.post(
    "/{model_name}/versions/{number}/promote",
    operation_id="versions_promote",
    responses=described(404, 409),
)
def promote(
    caller: Operator,
    service: ServiceDep,
    model_name: Named,
    number: Number,
    body: ChampionChangeBody | None = None,
) -> VersionBody:
    """Let a version serve; against the gate's verdict only with a reason."""
    found = caller.workspace.versions.promote(
        model_named(model_name),
        number,
        by=caller.actor,
        reason=body.reason if body else "",
        now=service.clock(),
    )
    return VersionBody.of(found)


@router.post(
    "/{model_name}/rollback", operation_id="models_rollback", responses=described(404, 409)
)
def rollback(
    caller: Operator, service: ServiceDep, model_name: Named, body: ChampionChangeBody | None = None
) -> VersionBody:
    """Let the version serve that served before; no retraining."""
    reason = body.reason if body and body.reason else "rolled back by a person"
    found = caller.workspace.versions.rollback(
        model_named(model_name), by=caller.actor, reason=reason, now=service.clock()
    )
    return VersionBody.of(found)
