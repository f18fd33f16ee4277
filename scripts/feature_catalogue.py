"""Write `docs/features.md`, the catalogue of built-in features, from their declarations.

python scripts/feature_catalogue.py           # write it
python scripts/feature_catalogue.py --check   # fail if it is out of date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chatlift.learn.features.catalogue import FAMILIES
from chatlift.learn.features.declare import Feature
from chatlift.vocabulary import ModelName

TARGET = Path(__file__).resolve().parent.parent / "docs" / "features.md"
HEAD = """# Features

Written by `python scripts/feature_catalogue.py` from the declarations; do not edit.

Every value is computed as of a cutoff, from what was known strictly before it, and from the
contact's own records only. Medians and other quantiles come from running counts per logarithmic
bucket and are off by at most 10 %. A window that starts before the contact's source was observed
gives no value. Besides these, a model looks at the attributes of contacts and leads and at one
text score.

A feature is added in one file of `src/chatlift/learn/features/families`: declare it with its
words, and give `compute`, which takes an `AsOf` view. An installed package adds features through
the entry point group `chatlift.features`, which names a sequence of `Feature` or a function that
returns one.
"""


def main() -> None:
    """Write the catalogue, or compare it with what is there."""
    parser = argparse.ArgumentParser(description="Write docs/features.md.")
    parser.add_argument("--check", action="store_true", help="fail if the file is out of date")
    text = catalogue_text()
    if not parser.parse_args().check:
        TARGET.write_text(text, encoding="utf-8", newline="\n")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        sys.exit("docs/features.md is out of date. Run: python scripts/feature_catalogue.py")


def catalogue_text() -> str:
    """Return the whole page."""
    sections = [family_text(origin, features) for origin, features in FAMILIES.items()]
    total = sum(len(features) for features in FAMILIES.values())
    return "\n".join([HEAD, f"There are {total} built-in features.\n", *sections])


def family_text(origin: str, features: tuple[Feature, ...]) -> str:
    """Return the section of one family."""
    title = origin.rsplit(".", 1)[-1].replace("_", " ").capitalize()
    head = "| feature | means | unit | range | no value means | high reads | low reads | models |"
    return "\n".join([f"## {title}\n", head, "|---" * 8 + "|", *map(row_text, features), ""])


def row_text(feature: Feature) -> str:
    """Return one line of the table."""
    cells = [
        f"`{feature.name}`",
        feature.meaning,
        feature.unit,
        range_text(feature),
        feature.null_means,
        feature.high,
        feature.low,
        models_text(feature),
    ]
    return f"| {' | '.join(cells)} |"


def range_text(feature: Feature) -> str:
    """Return the range in words."""
    if feature.minimum is None:
        return "any"
    if feature.maximum is None:
        return f"from {feature.minimum:g}"
    return f"{feature.minimum:g} to {feature.maximum:g}"


def models_text(feature: Feature) -> str:
    """Return the models in their usual order."""
    if feature.models == frozenset(ModelName):
        return "all"
    return ", ".join(model for model in ModelName if model in feature.models)


if __name__ == "__main__":
    main()
