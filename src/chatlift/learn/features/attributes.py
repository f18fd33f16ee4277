"""Attributes: the extra columns of contacts and leads, as text, and how they become numbers.

Input: a history's facts and examples. Output of `attributes_as_of`: one String column per
attribute, `contact.<name>` or `lead.<name>`, one row per example, null where nothing was known
strictly before the cutoff. `AttributeEncoder` types each column from the training rows only and
turns the text into Float64 columns, null where unknown.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import polars as pl

from chatlift.errors import InvalidInput
from chatlift.history import History
from chatlift.learn.arrays import MICROSECONDS_A_DAY, ids_of, microseconds, selected
from chatlift.learn.features.facts import DatedFacts
from chatlift.records import INSTANT
from chatlift.vocabulary import FactSubject

NOT_ATTRIBUTES = frozenset(
    {"opted_out", "status", "phone", "name", "mobile", "telephone", "whatsapp", "email", "id"}
)
"""Well-known facts and a person's own particulars: never attributes."""
NEEDED_SHARE = 0.95
"""Share of the non-empty values that must read as a number, boolean or date."""
FEWEST_HOLDERS = 10
"""A category held by fewer training contacts is `other`."""
IDENTIFIER_SHARE = 0.5
"""Text with more distinct values than this share of the contacts names contacts."""
IDENTIFIER = r"^\+?[0-9]{6,}$"
"""Six digits or more, as in customer numbers and phone numbers; no decimals."""
OTHER, MISSING = "other", "missing"
"""Columns that every category has beside those of its values; a value of that name is `other`."""
_CUTOFF_DAYS = "cutoff in days"
_KNOWN_LATE = "known only since the import, or another instant after all examples"
TRUE_WORDS = ("true", "yes", "y", "t")
FALSE_WORDS = ("false", "no", "n", "f")


def attributes_as_of(
    history: History, examples: pl.DataFrame, names: Sequence[str] | None = None
) -> pl.DataFrame:
    """Return one row per example, one String column per attribute of its contact and lead.

    Parameters
    ----------
    names
        The attributes wanted, such as `contact.plan`; None: all that there are facts of.
    """
    facts = DatedFacts(history.facts)
    wanted = _attribute_names(facts) if names is None else [_parted(name) for name in names]
    if not wanted:
        return pl.DataFrame(height=examples.height)
    cutoffs = microseconds(examples["cutoff"])
    ids = {
        FactSubject.CONTACT: ids_of(examples["contact_id"]),
        FactSubject.LEAD: ids_of(examples["lead_id"]),
    }
    rows = [facts.rows_as_of(subject, name, ids[subject], cutoffs) for subject, name in wanted]
    texts, height = facts.values_at(np.concatenate(rows)), examples.height
    columns = [
        texts.slice(number * height, height).alias(f"{subject}.{name}")
        for number, (subject, name) in enumerate(wanted)
    ]
    return trimmed(pl.DataFrame(columns))


def _attribute_names(facts: DatedFacts) -> list[tuple[FactSubject, str]]:
    return [
        (subject, name)
        for subject, name in facts.names()
        if subject is not FactSubject.MESSAGE and name not in NOT_ATTRIBUTES
    ]


def _parted(attribute: str) -> tuple[FactSubject, str]:
    subject, _, name = attribute.partition(".")
    return FactSubject(subject), name


@dataclass(frozen=True, kw_only=True)
class EncodedAttribute:
    """How one attribute becomes numbers."""

    name: str
    """Such as `contact.plan`."""
    kind: str
    """`number`, `boolean`, `date` or `category`."""
    categories: tuple[str, ...] = ()
    """Of a category: those with a column of their own, sorted."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the encoded columns."""
        if self.kind != "category":
            return (self.name,)
        return tuple(f"{self.name}={value}" for value in (*self.categories, OTHER, MISSING))


@dataclass(frozen=True, kw_only=True)
class AttributeEncoder:
    """The types of all attributes, learned from training rows."""

    attributes: tuple[EncodedAttribute, ...]
    dropped: tuple[tuple[str, str], ...] = ()
    """Attributes left out, each with the reason."""

    @classmethod
    def learn(cls, attributes: pl.DataFrame, groups: Sequence[int]) -> AttributeEncoder:
        """Type every column.

        Parameters
        ----------
        attributes
            As `attributes_as_of` returns them; training rows only.
        groups
            The contact of each row.
        """
        kept, dropped = [], []
        read_as = _counts(attributes)
        for name in attributes.columns:
            held = pl.DataFrame({"value": attributes[name], "group": pl.Series(groups)})
            typed = _typed(name, held.drop_nulls("value"), read_as[name])
            if isinstance(typed, EncodedAttribute):
                kept.append(typed)
            else:
                dropped.append((name, typed))
        return cls(attributes=tuple(kept), dropped=tuple(dropped))

    @property
    def known_too_late(self) -> tuple[str, ...]:
        """Names of the attributes of which no example knew a value."""
        return tuple(name for name, reason in self.dropped if reason.startswith(_KNOWN_LATE))

    @property
    def why_little_is_known(self) -> str | None:
        """What to do where more attributes were known too late than were used; else None."""
        late = self.known_too_late
        if len(late) <= len(self.attributes):
            return None
        columns = ",".join(dict.fromkeys(name.partition(".")[2] for name in late))
        return (
            f"{len(late)} of {len(late) + len(self.attributes)} imported columns are "
            f"{_KNOWN_LATE}: no past example can use them. If you knew them when their records "
            f"were created, say: chatlift data known-since creation --columns "
            f"{shlex.quote(columns)} (or all); then train again."
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the attributes, in order."""
        return tuple(attribute.name for attribute in self.attributes)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the encoded columns, in order."""
        return tuple(column for attribute in self.attributes for column in attribute.columns)

    def encode(self, attributes: pl.DataFrame, cutoffs: pl.Series) -> pl.DataFrame:
        """Return one row per example, one Float64 column per encoded column; null: unknown.

        A date counts the days from it to the cutoff. An attribute that the rows lack is unknown.
        """
        if not self.attributes:
            return pl.DataFrame(height=len(cutoffs))
        texts = [_texts(attributes, attribute.name) for attribute in self.attributes]
        now = (cutoffs.cast(INSTANT).cast(pl.Int64) / MICROSECONDS_A_DAY).alias(_CUTOFF_DAYS)
        return selected(pl.DataFrame([*texts, now]), self._encoders)

    @cached_property
    def _encoders(self) -> tuple[pl.Expr, ...]:
        """One expression per encoded column, over the texts of all attributes."""
        return tuple(column for attribute in self.attributes for column in _encoders_of(attribute))

    def words(self, column: str) -> tuple[str, str]:
        """Return how a high and a low value of an encoded column read to a seller.

        Raises
        ------
        InvalidInput
            If there is no such column.
        """
        for attribute in self.attributes:
            if column in attribute.columns:
                return _words(attribute, column)
        raise InvalidInput(
            f"No encoded column is called {column!r}. There are: {', '.join(self.columns)}."
        )

    def to_json(self) -> str:
        """Return the encoder as JSON text."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> AttributeEncoder:
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidInput
            If the text is something else.
        """
        try:
            told = json.loads(text)
            attributes = tuple(
                EncodedAttribute(
                    name=one["name"], kind=one["kind"], categories=tuple(one["categories"])
                )
                for one in told["attributes"]
            )
            dropped = tuple((name, reason) for name, reason in told["dropped"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                "The attribute encoder of this version cannot be read. Train a new version."
            ) from error
        return cls(attributes=attributes, dropped=dropped)


def trimmed(attributes: pl.DataFrame) -> pl.DataFrame:
    """Return the columns without white space around their values; what is empty is unknown."""
    text = pl.all().str.strip_chars()
    return selected(attributes, [pl.when(text != "").then(text)])


def _texts(attributes: pl.DataFrame, name: str) -> pl.Series:
    if name not in attributes.columns:
        return pl.Series(name, [None] * attributes.height, dtype=pl.String)
    return attributes[name]


def _counts(attributes: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Return for each attribute how many of its values each parser can read.

    In one go: a fit of 0.1 s would otherwise spend a tenth of it on asking one by one.
    """
    if not attributes.width:
        return {}
    asked = [
        parse(pl.col(name)).count() for name in attributes.columns for parse in _PARSERS.values()
    ]
    numbered = [count.alias(str(place)) for place, count in enumerate(asked)]
    counts = iter(attributes.select(numbered).row(0))
    return {name: {kind: next(counts) for kind in _PARSERS} for name in attributes.columns}


def _typed(name: str, held: pl.DataFrame, read_as: Mapping[str, int]) -> EncodedAttribute | str:
    """Return how to encode the column, or why it is left out."""
    values = held["value"]
    if values.is_empty():
        return f"{_KNOWN_LATE}: no past example can use it. {how_to_vouch(name)}"
    if values.n_unique() < 2:
        return "it has the same value, or none, in all training rows"
    for kind, readable in read_as.items():
        if readable >= NEEDED_SHARE * len(values):
            if kind == "number" and _are_identifiers(held):
                return "its values are long whole numbers, nearly unique per contact"
            return EncodedAttribute(name=name, kind=kind)
    contacts = held["group"].n_unique()
    if values.n_unique() > max(2 * FEWEST_HOLDERS, IDENTIFIER_SHARE * contacts):
        return "its values are nearly unique per contact, as names or identifiers are"
    holders = held.group_by("value").agg(pl.col("group").n_unique())
    ours = ~pl.col("value").is_in([OTHER, MISSING])
    common = holders.filter(pl.col("group") >= FEWEST_HOLDERS, ours)["value"].sort().to_list()
    if not common:
        return f"no value is held by {FEWEST_HOLDERS} contacts or more"
    return EncodedAttribute(name=name, kind="category", categories=tuple(common))


def how_to_vouch(attribute: str) -> str:
    """Return what to do about an attribute that was known when its record was created.

    Examples
    --------
    >>> how_to_vouch("lead.Lead Source").split(": ")[1]
    "chatlift data known-since creation --subject lead --columns 'Lead Source'"
    """
    subject, _, name = attribute.partition(".")
    return (
        f"If you knew it when the {subject} was created, say: chatlift data known-since creation "
        f"--subject {subject} --columns {shlex.quote(name)}"
    )


def _are_identifiers(held: pl.DataFrame) -> bool:
    """Tell whether the values are of an identifier's or a phone's length, and hardly repeat."""
    values = held["value"]
    is_long = int(values.str.contains(IDENTIFIER).sum()) >= NEEDED_SHARE * len(values)
    return is_long and values.n_unique() > IDENTIFIER_SHARE * held["group"].n_unique()


def _boolean(text: pl.Expr) -> pl.Expr:
    lower = text.str.to_lowercase()
    is_true, is_false = lower.is_in(TRUE_WORDS), lower.is_in(FALSE_WORDS)
    return pl.when(is_true).then(1.0).when(is_false).then(0.0)


def _number(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _days(text: pl.Expr) -> pl.Expr:
    """Return days since 1970 of ISO dates and instants; null for anything else."""
    days = text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32)
    return days.cast(pl.Float64)


_PARSERS = {"boolean": _boolean, "number": _number, "date": _days}
"""How the text of an attribute that is no category becomes a number, by its kind."""


def _encoders_of(attribute: EncodedAttribute) -> list[pl.Expr]:
    """Return one expression per encoded column of the attribute, over its text."""
    text = pl.col(attribute.name)
    if attribute.kind == "category":
        return _indicators(attribute, text)
    number = _PARSERS[attribute.kind](text)
    number = pl.col(_CUTOFF_DAYS) - number if attribute.kind == "date" else number
    return [number.cast(pl.Float64).alias(attribute.name)]


def _indicators(attribute: EncodedAttribute, text: pl.Expr) -> list[pl.Expr]:
    hits = [text.eq_missing(pl.lit(category)) for category in attribute.categories]
    is_other = text.is_not_null() & ~text.is_in(attribute.categories)
    return [
        hit.cast(pl.Float64).alias(name)
        for name, hit in zip(attribute.columns, [*hits, is_other, text.is_null()], strict=True)
    ]


def _words(attribute: EncodedAttribute, column: str) -> tuple[str, str]:
    subject, _, name = attribute.name.partition(".")
    told = f"{subject}'s {name.replace('_', ' ')}"
    if attribute.kind == "category":
        value = column.removeprefix(f"{attribute.name}=")
        if value == MISSING:
            return f"{told} is unknown", f"{told} is known"
        return f"{told} is {value}", f"{told} is not {value}"
    return {
        "boolean": (f"{told} is yes", f"{told} is no"),
        "date": (f"{told} lies long back", f"{told} is recent or still to come"),
        "number": (f"{told} is high", f"{told} is low"),
    }[attribute.kind]
