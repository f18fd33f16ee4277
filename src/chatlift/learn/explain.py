"""Why a score is what it is: up to three reasons each way, each a fact with its yardstick.

Contributions are exact (tree SHAP, or coefficient x value) and in log-odds, less the mean of those
scored when the version was made, summed over groups that tell one fact. A group is told if it
moved the answer by at least `LEAST_MOVED`, if training showed that it matters (`reason_evidence`)
and if one of its columns has a sentence that speaks the same way (`reason_words`). Often nothing
passes: no reason is better than a silly one. A reason never says *because*.

The mean is stored with the version rather than taken over the batch, so that an entity has the
same reasons asked for alone and in a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chatlift.learn.estimators import Matrix, Vector
from chatlift.learn.features.catalogue import TEXT_PREFIX
from chatlift.learn.features.declare import Feature
from chatlift.learn.fitting import FittedModel
from chatlift.learn.reason_evidence import ColumnEvidence
from chatlift.learn.reason_groups import TEXT_GROUP, groups_of, membership
from chatlift.learn.reason_words import ColumnWords, Known, words_of_columns
from chatlift.learn.snapshots import Snapshot
from chatlift.learn.specs.base import Outcome
from chatlift.vocabulary import ModelName

MOST_REASONS = 3
LEAST_MOVED = 0.1
"""Log-odds: a group that moves the answer by less is not worth a seller's time."""
LEAST_PART = 0.1
"""Share of its group's movement that a column needs to speak for the group."""
NOTHING_STANDS_OUT = "no single thing stands out"
"""What is shown where there is no reason."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One thing that moved a score."""

    group: str
    feature: str
    """The column that moved the group most among those whose sentence fits."""
    words: str
    """The fact and its yardstick."""
    raises: bool
    share: float
    """Share of all movement, 0 to 1."""
    message_id: int | None = None
    """For text: the message that moved the text score most."""


@dataclass(frozen=True, kw_only=True)
class Explainer:
    """Tells why a model scores as it does: made once for a model, used for all that it says."""

    model: FittedModel
    columns: tuple[ColumnWords, ...]
    groups: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]
    """Places of the columns of each group."""
    wholes: tuple[int | None, ...]
    """Per column the place of what it is a share of."""
    is_stable: NDArray[np.bool_]
    """Per group whether training showed that it matters."""
    reference: Vector
    """Mean contributions per slot (one, or parts of the week) and column."""

    @classmethod
    def of(
        cls, model: FittedModel, features: Sequence[Feature], outcome: Outcome, name: ModelName
    ) -> Explainer:
        """Prepare a model's reasons.

        Parameters
        ----------
        features
            The declared features of the model, for their groups and words.
        outcome
            How what the model predicts is told.
        """
        evidence = model.evidence
        declared = {feature.name: feature for feature in features}
        names, members = membership(groups_of(model.columns, features))
        known = Known(outcome=outcome, base_rate=evidence.base_rate if evidence else None)
        columns = words_of_columns(
            model.columns, model.encoder, declared, _evidence(model, declared, name), known
        )
        place = {column: number for number, column in enumerate(model.columns)}
        return cls(
            model=model,
            columns=columns,
            groups=names,
            places=tuple(tuple(np.flatnonzero(column).tolist()) for column in members.T),
            wholes=tuple(place.get(c.reading.whole) if c.reading else None for c in columns),
            is_stable=np.array(
                [evidence is None or group in evidence.stable_groups for group in names],
                dtype=np.bool_,
            ),
            reference=_reference(model),
        )

    def reasons(
        self,
        snapshot: Snapshot,
        design: Matrix,
        rows: Sequence[int],
        slots: Sequence[int] | Rows | None = None,
    ) -> list[tuple[Reason, ...]]:
        """Return the reasons of the named examples: those that raise it first, strongest first.

        Parameters
        ----------
        design
            The model's design matrix of the whole snapshot.
        slots
            Per row of `rows` its part of the week (`reason_reference.slots_at`); None: the first.
        """
        values = design[rows]
        which = np.zeros(len(values), dtype=np.int64) if slots is None else np.asarray(slots)
        moved = self.model.contributions(values) - self.reference[which % len(self.reference)]
        by_group = self._sums(moved)
        messages = strongest_messages(self.model, snapshot, rows)
        told = zip(values.tolist(), moved, by_group, messages, strict=True)
        return [self._reasons_of(*row) for row in told]

    def _sums(self, moved: Vector) -> Vector:
        """Return the sums per group, row by row: the very same bits alone and in a batch."""
        order = [place for places in self.places for place in places]
        starts = np.cumsum([0, *(len(places) for places in self.places[:-1])])
        return np.asarray(np.add.reduceat(moved[:, order], starts, axis=1))

    def _reasons_of(
        self, values: list[float], moved: Vector, by_group: Vector, message_id: int | None
    ) -> tuple[Reason, ...]:
        total = float(np.abs(by_group).sum()) or 1.0
        by_side: dict[bool, list[Reason]] = {True: [], False: []}
        for group in self._candidates(by_group):
            raises, share = bool(by_group[group] > 0), float(abs(by_group[group])) / total
            if len(by_side[raises]) == MOST_REASONS:
                continue
            said = {reason.words for side in by_side.values() for reason in side}
            reason = self._reason(group, values, moved, share, raises=raises, message_id=message_id)
            if reason is not None and reason.words not in said:
                by_side[raises].append(reason)
        return (*by_side[True], *by_side[False])

    def _candidates(self, by_group: Vector) -> Iterator[int]:
        """Yield the groups that moved the answer enough, the strongest first."""
        strength = np.where(self.is_stable, np.abs(by_group), 0.0)
        for group in np.argsort(-strength, kind="stable").tolist():
            if strength[group] < LEAST_MOVED:
                return
            yield group

    def _reason(
        self,
        group: int,
        values: list[float],
        moved: Vector,
        share: float,
        *,
        raises: bool,
        message_id: int | None,
    ) -> Reason | None:
        """Return the sentence of the column that moved the group most and speaks its way."""
        medians = self.model.medians
        for place in self._speakers(group, moved, 1.0 if raises else -1.0):
            whole = self.wholes[place]
            words = self.columns[place].sentence(
                values[place],
                float(medians[place]),
                None if whole is None else values[whole],
                raises=raises,
            )
            if words is not None:
                return Reason(
                    group=self.groups[group],
                    feature=self.model.columns[place],
                    words=words,
                    raises=raises,
                    share=share,
                    message_id=message_id if self.groups[group] == TEXT_GROUP else None,
                )
        return None

    def _speakers(self, group: int, moved: Vector, sign: float) -> list[int]:
        """Return the columns that have a part in what the group moved, the strongest first."""
        strengths = {place: sign * float(moved[place]) for place in self.places[group]}
        least = LEAST_PART * sum(strengths.values())
        parts = [place for place, strength in strengths.items() if strength >= least]
        return sorted(parts, key=lambda place: -strengths[place])


def _reference(model: FittedModel) -> Vector:
    if model.evidence is None or not model.evidence.reference:
        return np.zeros((1, len(model.columns)))
    return np.array(model.evidence.reference)


def _evidence(
    model: FittedModel, declared: Mapping[str, Feature], name: ModelName
) -> Mapping[str, ColumnEvidence]:
    """Return the evidence by column; a sense that is known beforehand has to agree with it.

    Of a version without evidence only columns whose sense is known can be told.
    """
    senses = {column: f.direction[name] for column, f in declared.items() if name in f.direction}
    senses |= {column: 1 for column in model.columns if column.startswith(TEXT_PREFIX)}
    if model.evidence is None:
        return {column: ColumnEvidence(direction=sense) for column, sense in senses.items()}
    return {
        column: ColumnEvidence() if senses.get(column, one.direction) != one.direction else one
        for column, one in model.evidence.columns.items()
    }


def strongest_messages(
    model: FittedModel, snapshot: Snapshot, rows: Sequence[int]
) -> list[int | None]:
    """Return per named example the message that pulls the text score furthest its way."""
    if model.text is None:
        return [None] * len(rows)
    scores = model.text.message_scores(snapshot.tokens)
    found: list[int | None] = []
    for row in rows:
        start, end = snapshot.starts[row], snapshot.ends[row]
        window = scores[start:end]
        if not len(window):
            found.append(None)
            continue
        strongest = int(np.argmax(window * (1 if window.sum() >= 0 else -1)))
        found.append(int(snapshot.message_ids[start + strongest]))
    return found
