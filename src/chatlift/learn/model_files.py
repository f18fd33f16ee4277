"""A fitted model as files and back: booster bytes, arrays and JSON, nothing that can run code.

The registry writes these files, keeps their SHA-256 and checks it before anything here parses
them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from chatlift.errors import InvalidInput, Unavailable
from chatlift.learn.calibration import Calibrator
from chatlift.learn.estimators import ESTIMATORS, Fitted, FittedLogistic
from chatlift.learn.features.attributes import AttributeEncoder
from chatlift.learn.features.text import TextWeights
from chatlift.learn.fitting import FittedModel, Recipe
from chatlift.learn.ladder import COMPANIONS, FittedRule, Member, WeightedSum
from chatlift.learn.reason_evidence import ReasonEvidence
from chatlift.vocabulary import Rung

PIPELINE_FILE = "pipeline.json"
TEXT_FILE = "text_weights.bin"
UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a damaged document may raise."""
SCHEMA_VERSION = 1


def to_files(model: FittedModel, main_file: str) -> dict[str, bytes]:
    """Return file name to content; `main_file` holds the estimator."""
    pipeline = {
        "schema_version": SCHEMA_VERSION,
        "recipe": recipe_to_json(model.recipe),
        "encoder": model.encoder.to_json(),
        "calibrator": model.calibrator.to_json(),
        "anchor": model.anchor,
        "weights": {str(member): weight for member, weight in model.estimator.weights.items()},
        "threshold": model.threshold,
        "rounds": model.rounds,
        "medians": [None if np.isnan(value) else value for value in model.medians.tolist()],
        "evidence": model.evidence.to_json() if model.evidence else None,
        "text_bits": model.text.bits if model.text else None,
    }
    files = {
        main_file: model.prescribed.dump(),
        PIPELINE_FILE: json.dumps(pipeline, allow_nan=False).encode("utf-8"),
    }
    for member, fitted in model.estimator.members.items():
        if member is not Member.PRESCRIBED:
            files[_member_file(member, model.recipe.estimator)] = fitted.dump()
    if model.text:
        files[TEXT_FILE] = model.text.weights.astype("<i4").tobytes()
    return files


def from_files(files: Mapping[str, bytes], main_file: str) -> FittedModel:
    """Read what `to_files` wrote; hashes have been checked by the registry.

    Raises
    ------
    Unavailable
        If a file is missing or does not hold what it should.
    """
    try:
        return _parse(files, main_file)
    except (*UNREADABLE, IndexError, InvalidInput) as error:
        raise Unavailable(
            f"The files of this version do not make a model ({type(error).__name__} while "
            "reading them). Roll back to the version before, or train again."
        ) from error


def _parse(files: Mapping[str, bytes], main_file: str) -> FittedModel:
    pipeline = json.loads(files[PIPELINE_FILE])
    if pipeline["schema_version"] != SCHEMA_VERSION:
        raise ValueError(pipeline["schema_version"])
    recipe = recipe_from_json(pipeline["recipe"])
    medians = [np.nan if value is None else value for value in pipeline["medians"]]
    prescribed = ESTIMATORS[recipe.estimator].load(files[main_file])
    model = FittedModel(
        recipe=recipe,
        encoder=AttributeEncoder.from_json(pipeline["encoder"]),
        text=_text(files, pipeline["text_bits"]),
        estimator=_weighted_sum(files, recipe.estimator, prescribed, pipeline),
        prescribed=prescribed,
        calibrator=Calibrator.from_json(pipeline["calibrator"]),
        anchor=_finite(pipeline.get("anchor", 0.0)),
        threshold=float(pipeline["threshold"]),
        rounds=int(pipeline["rounds"]),
        medians=np.asarray(medians, dtype=np.float64),
        kept_evidence=_evidence(pipeline.get("evidence")),
    )
    _check_widths(model)
    return model


def _check_widths(model: FittedModel) -> None:
    """Refuse members that were fitted on other columns."""
    width = len(model.columns)
    for fitted in model.estimator.members.values():
        if isinstance(fitted, FittedRule) and max(fitted.columns, default=-1) >= width:
            raise ValueError(fitted.columns)
        if isinstance(fitted, FittedLogistic) and len(fitted.curves.knots) != width:
            raise ValueError(len(fitted.curves.knots))


def _weighted_sum(
    files: Mapping[str, bytes], estimator: str, prescribed: Fitted, pipeline: Mapping[str, Any]
) -> WeightedSum:
    """Read the members; a version of before there was a ladder has the prescribed one alone."""
    weights = {
        Member(name): _finite(weight)
        for name, weight in pipeline.get("weights", {Member.PRESCRIBED: 1.0}).items()
    }
    members = {
        member: prescribed
        if member is Member.PRESCRIBED
        else _member(member, estimator, files[_member_file(member, estimator)])
        for member in weights
    }
    if not weights or min(weights.values()) < 0:
        raise ValueError("weights")
    return WeightedSum(members, weights)


def _member(member: Member, estimator: str, content: bytes) -> Fitted:
    if member is Member.RULE:
        return FittedRule.load(content)
    return ESTIMATORS[_algorithm(member, estimator)].load(content)


def _algorithm(member: Member, estimator: str) -> str:
    return COMPANIONS[estimator].estimator if member is Member.COMPANION else estimator


def _member_file(member: Member, estimator: str) -> str:
    """Name the file of a member other than the prescribed algorithm."""
    is_linear = member is Member.RULE or _algorithm(member, estimator) == "logistic"
    return f"{member}.{'json' if is_linear else 'ubj'}"


def _finite(value: object) -> float:
    number = float(_number(value))
    if not np.isfinite(number):
        raise ValueError(number)
    return number


def _evidence(found: Mapping[str, Any] | None) -> ReasonEvidence | None:
    return None if found is None else ReasonEvidence.from_json(found)


def _text(files: Mapping[str, bytes], bits: int | None) -> TextWeights | None:
    if bits is None:
        return None
    weights = np.frombuffer(files[TEXT_FILE], dtype="<i4").astype(np.int32)
    if len(weights) != 2**bits:
        raise ValueError(len(weights))
    return TextWeights(weights=weights, bits=bits)


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as plain values."""
    return {
        "estimator": recipe.estimator,
        "parameters": dict(recipe.parameters),
        "seed": recipe.seed,
        "features": list(recipe.features),
        "left_out": list(recipe.left_out),
        "rule": list(recipe.rule),
        "directions": dict(recipe.directions),
        "basis": recipe.basis,
    }


def recipe_from_json(found: Mapping[str, Any]) -> Recipe:
    """Read what `recipe_to_json` wrote."""
    return Recipe(
        estimator=str(found["estimator"]),
        parameters={str(name): _number(value) for name, value in found["parameters"].items()},
        seed=int(found["seed"]),
        features=tuple(str(name) for name in found["features"]),
        left_out=tuple(str(name) for name in found.get("left_out", ())),
        rule=tuple(str(name) for name in found.get("rule", ())),
        directions={str(name): int(one) for name, one in found.get("directions", {}).items()},
        basis=Rung(found.get("basis", Rung.FULL)),
    )


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise TypeError(type(value).__name__)
