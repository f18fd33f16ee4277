"""Reading what a person typed: model names, instants, hyperparameters.

What cannot be understood ends the command as wrong usage (exit code 2), before anything runs.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer

from chatlift.errors import InvalidInput
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import ModelName, Rung, parse_models

Parameters = dict[ModelName, dict[str, float]]
Bases = dict[ModelName, Rung]
BASIS = "basis"
"""What `--set` and files call the rung that shall ship."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What was set of how models are fitted."""

    parameters: Parameters = field(default_factory=dict)
    """Hyperparameters, by model."""
    bases: Bases = field(default_factory=dict)
    """Rungs that shall ship, by model."""

    @property
    def models(self) -> set[ModelName]:
        """The models of which anything was set."""
        return {*self.parameters, *self.bases}


@contextmanager
def as_usage() -> Iterator[None]:
    """Turn `InvalidInput` into wrong usage."""
    try:
        yield
    except InvalidInput as error:
        raise typer.BadParameter(str(error)) from error


def models_named(name: str) -> tuple[ModelName, ...]:
    """Return the models that a name stands for; raises `BadParameter` for any other word."""
    with as_usage():
        return parse_models(name)


def model_named(name: str) -> ModelName:
    """Return the one model of that name; `all` will not do."""
    try:
        (model,) = parse_models(name)
    except (InvalidInput, ValueError) as error:
        told = f"{name!r} is not one model. Name one of: {', '.join(ModelName)}."
        raise typer.BadParameter(told) from error
    return model


def parse_instant(text: str) -> datetime:
    """Return a date (its first moment) or an instant; naive where no zone is given.

    Raises
    ------
    BadParameter
        If it is neither.

    Examples
    --------
    >>> parse_instant("2026-03-01").isoformat()
    '2026-03-01T00:00:00'
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no date or instant. Write 2026-03-01, 2026-03-01T15:00 or "
            "2026-03-01T15:00+01:00."
        ) from error


def in_zone(instant: datetime, zone: str) -> datetime:
    """Return the instant, read in an IANA zone where it carries none."""
    return instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(zone))


def chosen_parameters(
    models: Sequence[ModelName], settings: Sequence[str], file: Path | None
) -> Chosen:
    """Return the hyperparameters and rungs that were set, checked; `settings` win over the file.

    Parameters
    ----------
    settings
        `name=value` for every model that has it, or `model.name=value` for one; `basis=full` and
        `model.basis=full` set the rung that ships.
    file
        JSON or TOML: `{model: {name: value, "basis": rung}}`.

    Raises
    ------
    BadParameter
        If a model, name or value cannot be used; the text names what there is.
    """
    chosen = _from_file(file) if file else Chosen()
    for setting in settings:
        _take(chosen, models, setting)
    _refuse_untrained(models, chosen)
    with as_usage():
        for model, values in chosen.parameters.items():
            SPECS[model].parameters(values)
    return chosen


def _take(chosen: Chosen, models: Sequence[ModelName], setting: str) -> None:
    """Add what one `--set` says to what was chosen before."""
    key, sign, text = (part.strip() for part in setting.partition("="))
    if not sign:
        raise typer.BadParameter(f"--set {setting}: write name=value, such as max_depth=3.")
    named, dot, name = key.rpartition(".")
    if name == BASIS:
        rung = _rung(f"--set {setting}", text)
        chosen.bases.update(dict.fromkeys([model_named(named)] if dot else models, rung))
        return
    value = _number(setting, text)
    for model in [model_named(named)] if dot else _having(models, name, setting):
        chosen.parameters.setdefault(model, {})[name] = value


def _rung(where: str, text: object) -> Rung:
    if text not in tuple(Rung):
        raise typer.BadParameter(f"{where}: the basis {text!r} is none of {', '.join(Rung)}.")
    return Rung(str(text))


def _having(models: Sequence[ModelName], name: str, setting: str) -> list[ModelName]:
    having = [model for model in models if name in _names(model)]
    if not having:
        raise typer.BadParameter(f"--set {setting}: no such hyperparameter. {_known(models)}")
    return having


def _number(setting: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise typer.BadParameter(f"--set {setting}: {text!r} is no number.") from error


def _names(model: ModelName) -> list[str]:
    return [parameter.name for parameter in SPECS[model].hyperparameters]


def _known(models: Sequence[ModelName]) -> str:
    return " ".join(f"{model} has: {', '.join(_names(model))}." for model in models)


def _from_file(file: Path) -> Chosen:
    try:
        text = file.read_text(encoding="utf-8-sig")
        raw = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(
            f"--params {file.name} cannot be read ({type(error).__name__}). Write it as TOML, or "
            "as JSON with the ending .json, in UTF-8."
        ) from error
    bases = _taken_out(raw)
    if not _is_table_of_numbers(raw):
        raise typer.BadParameter(
            f"--params {file.name} does not hold a table of numbers per model, such as "
            '{"churn": {"trees": 200, "basis": "full"}}; only the basis is a word.'
        )
    return Chosen(
        parameters={
            model_named(model): {name: float(value) for name, value in values.items()}
            for model, values in raw.items()
        },
        bases={
            model_named(model): _rung(f"--params {file.name}", word)
            for model, word in bases.items()
        },
    )


def _taken_out(raw: Any) -> dict[str, Any]:
    """Take the rungs out of a file's content, by the name of the model; the numbers stay."""
    tables = raw if isinstance(raw, dict) else {}
    return {
        model: values.pop(BASIS)
        for model, values in tables.items()
        if isinstance(values, dict) and BASIS in values
    }


def _is_table_of_numbers(raw: Any) -> bool:
    return isinstance(raw, Mapping) and all(
        isinstance(values, Mapping)
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values.values())
        for values in raw.values()
    )


def _refuse_untrained(models: Sequence[ModelName], chosen: Chosen) -> None:
    for model in sorted(chosen.models):
        if model not in models:
            raise typer.BadParameter(
                f"Hyperparameters or a basis were set for {model}, which this command does not "
                "train."
            )
