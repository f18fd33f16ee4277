"""All features that a model looks at: the built-in families and what installed packages add.

A package adds features through the entry point group `chatlift.features`; each entry point names a
sequence of `Feature`, or a function without arguments that returns one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from chatlift.errors import Conflict, InvalidInput
from chatlift.learn.features.declare import Feature
from chatlift.learn.features.families import (
    answering,
    daytime,
    lead_facts,
    recency,
    shape,
    volume,
)
from chatlift.vocabulary import ModelName

TEXT_PREFIX = "text_score_"
"""How the names of the text columns begin; declared features have other names."""
ENTRY_POINT_GROUP = "chatlift.features"
FAMILIES = {
    module.__name__: module.FEATURES
    for module in (recency, volume, answering, daytime, shape, lead_facts)
}
"""Origin of each built-in family to its features."""


def catalogue(model: ModelName) -> tuple[Feature, ...]:
    """Return the features of a model, built-in families first.

    Raises
    ------
    Conflict
        If two features share a name; the text names both origins.
    InvalidInput
        If an entry point gives something else than features.
    """
    return tuple(feature for feature in all_features() if model in feature.models)


def all_features() -> tuple[Feature, ...]:
    """Return every feature, of all models; errors as in `catalogue`."""
    return merged([*FAMILIES.items(), *installed_features()])


def merged(origins: Iterable[tuple[str, Iterable[Feature]]]) -> tuple[Feature, ...]:
    """Put features of several origins in one row.

    Raises
    ------
    Conflict
        If two share a name.
    """
    found: dict[str, tuple[str, Feature]] = {}
    for origin, features in origins:
        for feature in features:
            if feature.name in found:
                raise Conflict(
                    f"Two features are called {feature.name}: one of {found[feature.name][0]}, "
                    f"one of {origin}. Rename one, or uninstall its package."
                )
            found[feature.name] = (origin, feature)
    return tuple(feature for _, feature in found.values())


def installed_features() -> list[tuple[str, tuple[Feature, ...]]]:
    """Return the features of installed packages, by origin, in the order of their names."""
    points = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    return [(_origin(point), _load(point)) for point in points]


def _origin(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an unnamed package"
    return f"{package} ({point.value})"


@cache
def _load(point: EntryPoint) -> tuple[Feature, ...]:
    offered = point.load()
    features = tuple(offered() if callable(offered) else offered)
    if not all(isinstance(feature, Feature) for feature in features):
        raise InvalidInput(
            f"The entry point {point.name} of {_origin(point)} gives something else than "
            "features. It has to name a sequence of Feature or a function that returns one."
        )
    return features
