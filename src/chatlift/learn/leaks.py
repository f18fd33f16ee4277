"""Columns that know the outcome beforehand: proven ones refuse, suspected ones need a word.

Only imported attributes are looked at. Features that Chatlift computes from dated messages are
exempt: their instants are known, and a property test holds that they never see the cutoff.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from chatlift.learn.features.attributes import AttributeEncoder
from chatlift.learn.gate import SUSPICIOUS_AUC, Leak
from chatlift.learn.metrics import Figure, Judged, measure
from chatlift.learn.snapshots import Snapshot

FEWEST_CLOSED = 20


def suspected_leaks(snapshot: Snapshot, *, seed: int) -> list[Leak]:
    """Return attributes whose single column separates the classes almost wholly.

    The lower bound of the AUC of the column alone, whichever way it points, lies above 0.95.
    """
    encoder = AttributeEncoder.learn(snapshot.attributes, snapshot.contacts.tolist())
    cutoffs = snapshot.examples.get_column("cutoff")
    encoded = encoder.encode(snapshot.attributes, cutoffs)
    leaks = []
    for name in encoded.columns:
        auc = _single_auc(encoded.get_column(name), snapshot, seed=seed)
        if auc.low is not None and auc.low > SUSPICIOUS_AUC:
            leaks.append(_suspected(name.split("=", 1)[0], auc))
    return leaks


def _suspected(column: str, auc: Figure) -> Leak:
    return Leak(
        column=column,
        is_proven=False,
        auc=auc,
        sentence=f"The imported attribute {column} alone separates the outcomes almost wholly "
        f"(AUC {auc.value:.3f}, at least {auc.low:.3f}). If it was filled in after the outcome "
        f"it must not be used: leave it out of the mapping, or vouch for it with "
        f"--accept-column {column}.",
    )


def _single_auc(values: pl.Series, snapshot: Snapshot, *, seed: int) -> Figure:
    """AUC of one column on leading rows; unknown counts as a value below all others."""
    column = values.cast(pl.Float64).fill_nan(None)
    known = column.drop_nulls()
    if known.is_empty():
        return Figure(None)
    lowest = float(known.min()) - 1.0  # type: ignore[arg-type]
    rows = snapshot.is_leading
    scores = column.fill_null(lowest).to_numpy()[rows]
    labels = snapshot.labels[rows]
    if np.corrcoef(scores, labels)[0, 1] < 0:
        scores = -scores
    judged = Judged(labels, scores, np.zeros_like(labels), snapshot.contacts[rows])
    return measure([judged], ["roc_auc"], seed=seed)["roc_auc"]


def filled_only_when_closed(attributes: pl.DataFrame, is_closed: pl.Series) -> list[Leak]:
    """Return lead attributes that closed leads have and open leads never do: proven leaks.

    Parameters
    ----------
    attributes
        One row per lead as known today, one String column per attribute.
    is_closed
        Whether the lead of that row is won or lost.
    """
    closed, still_open = attributes.filter(is_closed), attributes.filter(~is_closed)
    if min(closed.height, still_open.height) < FEWEST_CLOSED:
        return []
    return [
        Leak(
            column=name,
            is_proven=True,
            sentence=f"The attribute {name} is filled only on closed leads, so it is known only "
            "after the outcome. Leave it out of the mapping.",
        )
        for name in attributes.columns
        if closed.get_column(name).null_count() < closed.height / 2
        and still_open.get_column(name).null_count() == still_open.height
    ]
