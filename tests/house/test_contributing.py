"""The feature that CONTRIBUTING.md shows is one that works."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from chatlift import history
from chatlift.history import History
from chatlift.learn.features.catalogue import ENTRY_POINT_GROUP, FAMILIES, merged
from chatlift.learn.features.engine import compute_features

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CUTOFF = datetime(2026, 3, 1, tzinfo=UTC)


def shown_family() -> dict[str, object]:
    shown = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    family: dict[str, object] = {}
    exec(shown[1], family)  # noqa: S102 - our own page, which this test is about.
    return family


def asked(days_before: list[int]) -> History:
    """Contact 1 asked one question so many days before the cutoff, watched for a year."""
    messages = pl.DataFrame(
        {
            "message_id": range(len(days_before)),
            "contact_id": 1,
            "direction": "in",
            "kind": "text",
            "text": "how much?",
            "sent_at": [CUTOFF - timedelta(days=days) for days in sorted(days_before)[::-1]],
            "is_automatic": False,
        }
    )
    start = CUTOFF - timedelta(days=365)
    contact = {"contact_id": 1, "external_id": "c1", "source": "shop", "created_at": start}
    watched = {"source": "shop", "observed_from": start, "observed_through": CUTOFF}
    return History(
        messages=shaped(messages, history.MESSAGES),
        contacts=shaped(pl.DataFrame([contact]), history.CONTACTS),
        observations=shaped(pl.DataFrame([watched]), history.OBSERVATIONS),
    )


def shaped(rows: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    given = {name: pl.col(name) if name in rows.columns else pl.lit(None) for name in schema}
    return rows.select(given[name].cast(dtype).alias(name) for name, dtype in schema.items())


def test_the_shown_feature_fits_into_the_catalogue() -> None:
    family = shown_family()["FEATURES"]
    features = merged([*FAMILIES.items(), ("CONTRIBUTING.md", family)])  # type: ignore[list-item]
    assert len(features) == sum(len(known) for known in FAMILIES.values()) + 1


def test_the_shown_feature_measures_what_it_says() -> None:
    examples = pl.DataFrame({"contact_id": [1], "cutoff": [CUTOFF], "lead_id": [None]})
    family = shown_family()["FEATURES"]
    values = compute_features(asked([2, 3, 10, 20, 60]), examples, family)  # type: ignore[arg-type]
    assert values.to_series().to_list() == [0.5]  # 2 of the 4 questions of the last 30 days


def test_the_page_names_the_entry_point_group_that_is_read() -> None:
    assert f'[project.entry-points."{ENTRY_POINT_GROUP}"]' in PAGE
