"""Account settings: what an account chose, beside the defaults, and changes of that.

A setting has a dotted name, such as `time_zone`, `churn_rule` or `churn.targets.f1`. Whatever is
changed is checked as training would read it, before it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from chatlift.errors import InvalidInput
from chatlift.learn.specs.base import ModelSpec
from chatlift.learn.specs.choices import Choices
from chatlift.learn.specs.directory import SPECS
from chatlift.registry.workspace import Workspace
from chatlift.store.accounts import save_settings, save_time_zone
from chatlift.vocabulary import ChurnRule, ModelName, UndatedOutcomes

TIME_ZONE = "time_zone"
DEFAULT = "default"
"""The word that takes an own value back."""
SPANS: Mapping[ModelName, tuple[str, ...]] = {
    ModelName.LEAD_SCORING: ("ages_days", "leading_age_days", "horizon_days"),
    ModelName.CHURN: ("active_days", "cutoff_every_days", "horizon_days"),
    ModelName.ENGAGEMENT: ("silence_hours",),
}
"""The spans that each model looks at."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One choice of an account."""

    name: str
    value: Any
    """In force: the account's own, or the default."""
    default: Any

    @property
    def is_own(self) -> bool:
        """Whether the account chose another value than the default."""
        return bool(self.value != self.default)


def settings_of(workspace: Workspace) -> tuple[Setting, ...]:
    """Return every setting of the account, in an order to be read."""
    own = workspace.account.settings
    zone = Setting(
        name=TIME_ZONE, value=workspace.account.time_zone, default=workspace.settings.time_zone
    )
    named = (
        Setting(name=name, value=_found(own, name, default), default=default)
        for name, default in _defaults()
    )
    return (zone, *named)


def change_setting(workspace: Workspace, name: str, text: str) -> Setting:
    """Give a setting another value, or with `default` take the account's own back.

    Parameters
    ----------
    text
        As a person writes it: a number, true or false, a word, or ages as `1,3,7`.

    Returns
    -------
    Setting
        As it stands now. A `Workspace` opened before keeps the old one.

    Raises
    ------
    InvalidInput
        If there is no such setting or it cannot take the value.
    """
    known = {setting.name: setting for setting in settings_of(workspace)}
    if name not in known:
        raise InvalidInput(
            f"No setting is called {name!r}. `chatlift settings show` lists them all."
        )
    default = known[name].default
    value = default if text == DEFAULT else _read(name, text, default)
    account = workspace.account
    if name == TIME_ZONE:
        save_time_zone(workspace.database, account.account_id, _zone(value))
    else:
        own = _with(account.settings, name.split("."), None if text == DEFAULT else value)
        for spec in SPECS.values():
            Choices.of(spec, own)
        save_settings(workspace.database, account.account_id, own)
    return Setting(name=name, value=value, default=default)


def _defaults() -> Iterator[tuple[str, Any]]:
    yield "churn_rule", ChurnRule.AUTO
    yield "undated_outcomes", UndatedOutcomes.LEAVE_OUT
    yield "require_targets", False
    for model, spec in SPECS.items():
        for section, values in _sections(model, spec).items():
            for name, default in values.items():
                yield f"{model}.{section}.{name}", default


def _sections(model: ModelName, spec: ModelSpec) -> dict[str, dict[str, Any]]:
    return {
        "targets": {target.metric: target.bound for target in spec.targets},
        "readiness": asdict(spec.readiness),
        "spans": {name: getattr(spec.spans, name) for name in SPANS[model]},
    }


def _found(own: Mapping[str, Any], name: str, default: Any) -> Any:
    found: Any = own
    for part in name.split("."):
        if part not in found:
            return default
        found = found[part]
    return tuple(found) if isinstance(default, tuple) else found


def _read(name: str, text: str, default: Any) -> Any:
    """Return the value that a person wrote, of the kind that the default has."""
    if isinstance(default, str | StrEnum):
        return text
    told = f"[{text}]" if isinstance(default, tuple) else text.lower()
    try:
        value = json.loads(told)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} is {text!r}; write it like {_example(default)}.") from error
    return tuple(value) if isinstance(default, tuple) else value


def _example(default: Any) -> str:
    """Return a value as a person would write it.

    Examples
    --------
    >>> _example((1.0, 3.0)), _example(False), _example(0.75)
    ('1,3', 'false', '0.75')
    """
    if isinstance(default, tuple):
        return ",".join(f"{part:g}" for part in default)
    return str(default).lower()


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidInput(
            f"{name!r} is no IANA time zone. Use a name such as Europe/Madrid or UTC."
        ) from error
    return name


def _with(own: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """Return the settings with one value in place; None takes it out."""
    first, *rest = path
    others = {name: kept for name, kept in own.items() if name != first}
    if rest:
        inner = _with(own.get(first, {}), rest, value)
        return others | ({first: inner} if inner else {})
    return others if value is None else others | {first: value}
