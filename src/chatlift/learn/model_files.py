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
from chatlift.learn.estimators import ESTIMATORS
from chatlift.learn.features.attributes import AttributeEncoder
from chatlift.learn.features.text import TextWeights
from chatlift.learn.fitting import FittedModel, Recipe

PIPELINE_FILE = "pipeline.json"
TEXT_FILE = "text_weights.bin"
SCHEMA_VERSION = 1


def to_files(model: FittedModel, main_file: str) -> dict[str, bytes]:
    """Return file name to content; `main_file` holds the estimator."""
    pipeline = {
        "schema_version": SCHEMA_VERSION,
        "recipe": recipe_to_json(model.recipe),
        "encoder": model.encoder.to_json(),
        "calibrator": model.calibrator.to_json(),
        "threshold": model.threshold,
        "rounds": model.rounds,
        "medians": [None if np.isnan(value) else value for value in model.medians.tolist()],
        "text_bits": model.text.bits if model.text else None,
    }
    files = {
        main_file: model.estimator.dump(),
        PIPELINE_FILE: json.dumps(pipeline, allow_nan=False).encode("utf-8"),
    }
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
    except (KeyError, ValueError, TypeError, IndexError, InvalidInput) as error:
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
    return FittedModel(
        recipe=recipe,
        encoder=AttributeEncoder.from_json(pipeline["encoder"]),
        text=_text(files, pipeline["text_bits"]),
        estimator=ESTIMATORS[recipe.estimator].load(files[main_file]),
        calibrator=Calibrator.from_json(pipeline["calibrator"]),
        threshold=float(pipeline["threshold"]),
        rounds=int(pipeline["rounds"]),
        medians=np.asarray(medians, dtype=np.float64),
    )


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
    }


def recipe_from_json(found: Mapping[str, Any]) -> Recipe:
    """Read what `recipe_to_json` wrote."""
    return Recipe(
        estimator=str(found["estimator"]),
        parameters={str(name): _number(value) for name, value in found["parameters"].items()},
        seed=int(found["seed"]),
        features=tuple(str(name) for name in found["features"]),
        left_out=tuple(str(name) for name in found.get("left_out", ())),
    )


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise TypeError(type(value).__name__)
