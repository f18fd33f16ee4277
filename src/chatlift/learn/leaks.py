"""Columns that know the outcome beforehand: proven ones refuse, suspected ones need a word.

Only imported attributes are looked at. Features that Chatlift computes from dated messages are
exempt: their instants are known, and a property test holds that they never see the cutoff.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from chatlift.learn.features.attributes import AttributeEncoder
from chatlift.learn.gate import SUSPICIOUS_AUC, Leak
from chatlift.learn.metrics import Figure, Judged, measure, measure_values
from chatlift.learn.snapshots import Snapshot

FEWEST_LEADS = 20
"""Closed and open leads each, below which nothing can be said."""
MOST_FILLED_GAP = 0.3
"""Share filled on closed leads less that on open ones, above which a column is suspected."""


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
        f"it must not be used: leave it out with --leave-out {column}, or vouch for it with "
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
    if scores.std() == 0 or labels.std() == 0:
        return Figure(None)
    judged = Judged(labels, scores, np.zeros_like(labels), snapshot.contacts[rows])
    value = measure_values([judged], ["roc_auc"])["roc_auc"]
    if value is not None and value < 0.5:
        judged, value = replace(judged, probabilities=-scores), 1 - value
    if value is None or value <= SUSPICIOUS_AUC:
        return Figure(value)  # Its interval begins below; resampling every column took longest.
    return measure([judged], ["roc_auc"], seed=seed)["roc_auc"]


def filled_when_closed(attributes: pl.DataFrame, is_closed: pl.Series) -> list[Leak]:
    """Return lead attributes that are filled in as a lead closes, whatever the mapping says.

    One that closed leads have and open leads never do is a proven leak; one that closed leads
    have far more often is suspected.

    Parameters
    ----------
    attributes
        One row per lead as known today, one String column per attribute.
    is_closed
        Whether the lead of that row is won or lost.
    """
    if not attributes.width:
        return []
    closed, still_open = attributes.filter(is_closed), attributes.filter(~is_closed)
    if min(closed.height, still_open.height) < FEWEST_LEADS:
        return []
    found = []
    for name in attributes.columns:
        filled = 1 - closed.get_column(name).null_count() / closed.height
        filled_open = 1 - still_open.get_column(name).null_count() / still_open.height
        if filled - filled_open > MOST_FILLED_GAP:
            found.append(_filled_late(name, filled, filled_open))
    return found


def _filled_late(column: str, filled: float, filled_open: float) -> Leak:
    told = f"The attribute {column} is filled on {filled:.0%} of closed leads and on "
    if filled_open == 0:
        return Leak(
            column=column,
            is_proven=True,
            sentence=told + "no open one, so it is known only after the outcome. Leave it out "
            f"with --leave-out {column}.",
        )
    return Leak(
        column=column,
        is_proven=False,
        sentence=told + f"{filled_open:.0%} of open ones, as if it were filled in when a lead "
        f"closes. Leave it out with --leave-out {column}, or vouch for it with "
        f"--accept-column {column}.",
    )
