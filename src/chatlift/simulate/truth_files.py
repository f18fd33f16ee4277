"""The truth as files: one Parquet file per frame, in a folder apart from the CRM."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import polars as pl

from chatlift.history import History
from chatlift.private_files import PARTIAL_SUFFIX, create_open, make_private_folder
from chatlift.records import INSTANT
from chatlift.simulate.truth import Truth
from chatlift.vocabulary import ModelName

FRAMES = ("leads", "sends", "contacts")
AFTER_WEEK = "probability_after_week"


def save_truth(folder: Path, truth: Truth) -> None:
    """Write the truth into `folder`, made where missing, in place of what was there."""
    make_private_folder(folder)
    for name in FRAMES:
        partial = folder / f"{name}{PARTIAL_SUFFIX}"
        partial.unlink(missing_ok=True)  # A killed process left it.
        with create_open(partial) as file:
            getattr(truth, name).write_parquet(file)
        partial.replace(folder / f"{name}.parquet")


def load_truth(folder: Path) -> Truth | None:
    """Read the truth back; None where the folder holds none, as for real data, or an older form."""
    paths = {name: folder / f"{name}.parquet" for name in FRAMES}
    if not all(path.is_file() for path in paths.values()):
        return None
    truth = Truth(**{name: pl.read_parquet(path) for name, path in paths.items()})
    return truth if AFTER_WEEK in truth.leads.columns else None


def drop_from_truth(folder: Path, external_ids: Collection[str]) -> int:
    """Rewrite the files without these contacts and leads; return how many rows went."""
    truth = load_truth(folder)
    if truth is None:
        return 0
    kept = Truth(**{name: _without(getattr(truth, name), external_ids) for name in FRAMES})
    dropped: int = sum(getattr(truth, name).height - getattr(kept, name).height for name in FRAMES)
    if dropped:
        save_truth(folder, kept)
    return dropped


def _without(rows: pl.DataFrame, external_ids: Collection[str]) -> pl.DataFrame:
    ids = [name for name in rows.columns if name.endswith("external_id")]
    return rows.filter(~pl.any_horizontal(pl.col(ids).is_in(list(external_ids))))


def truth_by_entity(truth: Truth, model: ModelName, history: History) -> pl.DataFrame:
    """Return the truth under the store's ids: `entity_id`, `cutoff`, `probability`.

    One row per lead (null `cutoff`: it holds from the age of a week on, at which leads are
    judged), per contact and Monday, or per send.
    """
    if model is ModelName.LEAD_SCORING:
        named = history.leads.select("external_id", entity_id="lead_id")
        told = truth.leads.select(
            "external_id", probability=AFTER_WEEK, cutoff=pl.lit(None, dtype=INSTANT)
        )
    else:
        named = history.contacts.select("external_id", entity_id="contact_id")
        told = truth.contacts if model is ModelName.CHURN else _sends(truth)
    return told.join(named, on="external_id").select("entity_id", "cutoff", "probability")


def _sends(truth: Truth) -> pl.DataFrame:
    return truth.sends.select(
        "probability", external_id="contact_external_id", cutoff=pl.col("sent_at").cast(INSTANT)
    )
