"""What a model predicts and how, as data: the words in which the three specs are written.

Input: a `History` and an instant. Output: examples, one row per entity and cutoff, with the
columns of `EXAMPLES`. A spec owns its cutoffs and its label; everything after that is the same
for all three models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.errors import InvalidInput
from chatlift.history import History
from chatlift.learn.arrays import (
    MICROSECOND,
    MICROSECONDS_A_DAY,
    Rows,
    Values,
    as_instants,
    begins_run,
    microsecond_of,
)
from chatlift.records import INSTANT
from chatlift.vocabulary import ChurnRule, ModelName, UndatedOutcomes

EXAMPLES = pl.Schema(
    {
        "entity_id": pl.Int64(),
        "contact_id": pl.Int64(),
        "lead_id": pl.Int64(),
        "cutoff": INSTANT,
        "horizon_ends_at": INSTANT,
        "split_at": INSTANT,
        "age_days": pl.Float64(),
        "is_leading": pl.Boolean(),
        "label": pl.Int8(),
    }
)
"""One row per example, sorted by entity_id and cutoff.

`lead_id` and `age_days` are null where the entity is no lead. `split_at` decides on which side
of the temporal holdout the example falls. `is_leading` marks the rows that the leading figures
are computed on. `label` is null while undecided: the horizon is not wholly observed."""


def as_examples(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the columns, types and order of `EXAMPLES`."""
    columns = [pl.col(name).cast(dtype) for name, dtype in EXAMPLES.items()]
    return rows.select(columns).sort("entity_id", "cutoff")


def contact_examples(rows: pl.DataFrame) -> pl.DataFrame:
    """Return examples whose entity is the contact itself; every row leads."""
    return as_examples(
        rows.with_columns(
            entity_id=pl.col("contact_id"),
            lead_id=pl.lit(None, dtype=pl.Int64),
            split_at=pl.col("cutoff"),
            age_days=pl.lit(None, dtype=pl.Float64),
            is_leading=pl.lit(value=True),
        )
    )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Entities, and the instant to speak of each as of; one entity may be asked for several."""

    entity_ids: Rows
    cutoffs: Rows
    """Microseconds since 1970, one per entity."""

    def __len__(self) -> int:
        return len(self.entity_ids)

    @classmethod
    def at(cls, entity_ids: Sequence[int] | Rows | pl.Series, as_of: datetime) -> Asked:
        """Ask for entities as of one instant."""
        ids = np.asarray(entity_ids, dtype=np.int64)
        return cls(entity_ids=ids, cutoffs=np.full(len(ids), microsecond_of(as_of)))

    def take(self, chosen: NDArray[np.bool_]) -> Asked:
        """Return only the pairs that the mask names."""
        return Asked(entity_ids=self.entity_ids[chosen], cutoffs=self.cutoffs[chosen])

    def with_before(self, span: timedelta) -> Asked:
        """Return the pairs and those of the same entities a span earlier, each once."""
        entity_ids = np.concatenate([self.entity_ids, self.entity_ids])
        cutoffs = np.concatenate([self.cutoffs, self.cutoffs - span // MICROSECOND])
        order = np.lexsort((cutoffs, entity_ids))
        both = Asked(entity_ids=entity_ids[order], cutoffs=cutoffs[order])
        return both.take(begins_run(both.entity_ids) | begins_run(both.cutoffs))


def examples_of(
    asked: Asked,
    *,
    contact_ids: Rows,
    horizon_ends: Rows,
    created: Rows | None = None,
    labels: Values | None = None,
) -> pl.DataFrame:
    """Return `EXAMPLES`, one row per asked pair, sorted; every row leads.

    Parameters
    ----------
    horizon_ends, created
        Microseconds. `created`: of the leads that the entities are; None: they are contacts.
    labels
        0, 1 or NaN (undecided); None: all are undecided.
    """
    order = np.lexsort((asked.cutoffs, asked.entity_ids))
    entity_ids, cutoffs = asked.entity_ids[order], asked.cutoffs[order]
    none = [None] * len(order)
    is_lead = created is not None
    begun = cutoffs if created is None else created[order]
    ages = (cutoffs - begun) / MICROSECONDS_A_DAY if is_lead else none
    return pl.DataFrame(
        [
            pl.Series("entity_id", entity_ids),
            pl.Series("contact_id", contact_ids[order]),
            pl.Series("lead_id", entity_ids if is_lead else none, pl.Int64),
            as_instants("cutoff", cutoffs),
            as_instants("horizon_ends_at", horizon_ends[order]),
            as_instants("split_at", begun),
            pl.Series("age_days", ages, pl.Float64),
            pl.Series("is_leading", np.ones(len(order), dtype=np.bool_)),
            pl.Series("label", none, pl.Int8) if labels is None else _labels(labels[order]),
        ]
    )


def _labels(values: Values) -> pl.Series:
    return pl.Series("label", values, nan_to_null=True).cast(pl.Int8)


@dataclass(frozen=True, kw_only=True)
class Hyperparameter:
    """A number that a person may set before training."""

    name: str
    default: float
    minimum: float
    maximum: float
    meaning: str
    is_whole: bool = False
    """Only whole numbers make sense."""

    def check(self, value: float) -> float:
        """Return `value`, or say what is allowed.

        Raises
        ------
        InvalidInput
            If it is outside the range or not whole where it has to be.
        """
        is_allowed = self.minimum <= value <= self.maximum
        if is_allowed and (not self.is_whole or value == int(value)):
            return int(value) if self.is_whole else float(value)
        kind = "a whole number" if self.is_whole else "a number"
        raise InvalidInput(
            f"{self.name} is {value:g}; it takes {kind} from {self.minimum:g} to "
            f"{self.maximum:g} ({self.meaning})."
        )


@dataclass(frozen=True, kw_only=True)
class Target:
    """A quality that the business wants; shown as met or not met."""

    metric: str
    bound: float
    is_upper: bool = False
    """The figure has to stay below the bound (errors) rather than above it."""

    def is_met(self, value: float) -> bool:
        """Tell whether a measured figure reaches the target; the bound itself does not."""
        return value < self.bound if self.is_upper else value > self.bound


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How what a model predicts is told in the past tense."""

    happened: str
    """`bought`."""
    did_not_happen: str
    """`did not buy`."""


@dataclass(frozen=True, kw_only=True)
class Bands:
    """How a score from 0 to 100 reads, highest first."""

    high: str
    medium: str
    low: str
    high_from: float = 70.0
    medium_from: float = 40.0

    @property
    def names(self) -> tuple[str, str, str]:
        """All bands, highest first."""
        return self.high, self.medium, self.low

    def of(self, score: float) -> str:
        """Return the band of a score.

        Examples
        --------
        >>> Bands(high="hot", medium="warm", low="cold").of(69.9)
        'warm'
        """
        if score >= self.high_from:
            return self.high
        return self.medium if score >= self.medium_from else self.low


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """The least data a model is fitted on."""

    entities: int
    """Mature entities."""
    examples: int
    """Mature examples."""
    per_class: int = 20
    """Mature entities of each class."""
    conversations: int = 0
    """Conversations of the account, where silence is the label."""


LONGEST_SPAN = 10_000
"""Of days or hours; no business looks further."""


@dataclass(frozen=True, kw_only=True)
class Spans:
    """What decides cutoffs and labels: lengths of time and churn's rule; per account settings."""

    ages_days: tuple[float, ...] = (1.0, 3.0, 7.0, 14.0, 21.0)
    """lead_scoring: ages at which an open lead becomes an example."""
    leading_age_days: float = 7.0
    """lead_scoring: leads still open at this age lead the report."""
    horizon_days: float = 30.0
    """Span after the cutoff (leads: after creation) in which the label is decided."""
    active_days: float = 60.0
    """churn: a contact takes part if it wrote within this span before the cutoff."""
    cutoff_every_days: float = 7.0
    """churn: distance of the cutoffs; 0 takes only the last one of each contact."""
    silence_hours: float = 24.0
    """engagement: quiet time before an outbound message that makes it a send."""
    churn_rule: ChurnRule = ChurnRule.AUTO
    """churn: what counts as leaving; a version keeps the rule it was trained by."""
    undated_outcomes: UndatedOutcomes = UndatedOutcomes.LEAVE_OUT
    """lead_scoring: whether leads that closed on an unknown day are left out, or all leads are
    looked at as they were created; a version keeps the rule it was trained by."""

    @property
    def horizon(self) -> timedelta:
        """The horizon as a span."""
        return timedelta(days=self.horizon_days)

    def overridden(self, values: Mapping[str, Any]) -> Spans:
        """Return these spans with an account's own values in place.

        Raises
        ------
        InvalidInput
            If a name is unknown or a value is no positive number up to `LONGEST_SPAN`.
        """
        known = [field.name for field in fields(self) if field.name not in RULES]
        for name, value in values.items():
            if name not in known:
                raise InvalidInput(f"No span is called {name!r}. There are: {', '.join(known)}.")
            if not _is_span(name, value):
                raise InvalidInput(
                    f"The span {name} is {value!r}; it takes a positive number, "
                    f"at most {LONGEST_SPAN}."
                )
        chosen = {
            name: tuple(float(age) for age in value) if name == "ages_days" else float(value)
            for name, value in values.items()
        }
        return replace(self, **chosen)  # type: ignore[arg-type]


RULES = frozenset({"churn_rule", "undated_outcomes"})
"""Of the spans, what is no length of time; the account's settings name them beside the models."""


def _is_span(name: str, value: object) -> bool:
    if name == "ages_days":
        return (
            isinstance(value, list | tuple) and bool(value) and all(_is_positive(a) for a in value)
        )
    return _is_positive(value) or (name == "cutoff_every_days" and value == 0)


def _is_positive(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 < value <= LONGEST_SPAN


def whole_question(spans: Spans) -> str:
    """Return the words for judged entities where every example leads: none are needed."""
    del spans
    return ""


def known_at_cutoff(examples: pl.DataFrame, spans: Spans) -> pl.DataFrame:
    """Return the examples as they are: what is known at their cutoffs may be looked at."""
    del spans
    return examples


MakeExamples = Callable[[History, Spans], pl.DataFrame]
MakeScoringExamples = Callable[[History, Spans, Asked], pl.DataFrame]


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Everything that makes one model what it is."""

    model: ModelName
    question: str
    outcome: Outcome
    """Words for what came true, or did not."""
    entity: str
    """What is scored, in one word: lead or contact."""
    estimator: str
    """Key into `learn.estimators`: the prescribed algorithm."""
    reference_estimator: str
    """Key of the algorithm fitted beside it, so that the price of the choice is known."""
    hyperparameters: tuple[Hyperparameter, ...]
    spans: Spans
    examples: MakeExamples
    """All examples of a history, decided and undecided."""
    scoring_examples: MakeScoringExamples
    """One example per asked entity that can be scored at its instant; no labels."""
    headline_metrics: tuple[str, ...]
    targets: tuple[Target, ...]
    bands: Bands
    recommendations: Mapping[str, str]
    """Band to what to do."""
    readiness: Readiness
    rule: tuple[str, ...]
    """The features and attributes that the simple rule looks at, at most three; see
    `learn.ladder.RuleInputs`. Those that an account does not have are left out."""
    rule_words: str
    """How the simple rule is called."""
    main_file: str
    """Name of the artifact's main file."""
    judged_words: Callable[[Spans], str] = whole_question
    """Which entities the leading figures are of, such as `open at 7 days`; empty: all."""
    looked_at: Callable[[pl.DataFrame, Spans], pl.DataFrame] = known_at_cutoff
    """Examples to be scored, with the cutoffs up to which the version may look."""

    def parameters(self, chosen: Mapping[str, float] | None = None) -> dict[str, float]:
        """Return all hyperparameters with the chosen values checked and in place.

        Raises
        ------
        InvalidInput
            If a name is unknown or a value is out of its range.
        """
        known = {parameter.name: parameter for parameter in self.hyperparameters}
        chosen = chosen or {}
        for name in chosen:
            if name not in known:
                raise InvalidInput(
                    f"{self.model} has no hyperparameter {name!r}. It has: {', '.join(known)}."
                )
        return {
            name: parameter.check(chosen.get(name, parameter.default))
            for name, parameter in known.items()
        }
