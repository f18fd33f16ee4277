"""How a feature's value reads to a seller, beside what is usual: "wrote 12 messages; most wrote 3".

A `Reading` is declared with a feature. Its sentences hold `{}` where the value goes; a quantity
turns the number into words with the unit that people use for its size, and with the right plural.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

MINUTES_PER_HOUR = 60
HOURS_PER_DAY = 24.0
DAYS_PER_MONTH = 30.4
MINUTES_UP_TO = 100
HOURS_UP_TO_HOURS = 48.0
DAYS_UP_TO_DAYS = 60.0
MONTHS_UP_TO = 24.0


class Quantity(Protocol):
    """Turns a known value into words."""

    def words(self, value: float) -> str:
        """Return the value with its unit."""

    def short(self, value: float) -> str:
        """Return the value for a sentence that has named the unit before."""


@dataclass(frozen=True)
class Counted:
    """A whole number of things, each called `one`; several are `many`."""

    one: str
    many: str

    def words(self, value: float) -> str:
        """Return such as `12 messages`.

        Examples
        --------
        >>> messages = Counted("message", "messages")
        >>> [messages.words(n) for n in (0, 1, 1200)]
        ['no messages', '1 message', '1,200 messages']
        """
        return f"{number_words(value, none='no')} {self.one if round(value) == 1 else self.many}"

    def short(self, value: float) -> str:
        """Return the number alone, or `none`."""
        return number_words(value, none="none")


@dataclass(frozen=True)
class Duration:
    """A span of time, given in units of `hours` hours."""

    hours: float = 1.0

    def words(self, value: float) -> str:
        """Return the span in minutes, hours, days, months or years.

        Examples
        --------
        >>> [Duration().words(hours) for hours in (0.001, 0.1, 1.0, 1.5, 3.2, 50)]
        ['less than a minute', '6 minutes', '1 hour', '90 minutes', '3 hours', '2 days']
        >>> [Duration(24).words(days) for days in (0.5, 45, 100, 900)]
        ['12 hours', '45 days', '3 months', '2 years']
        """
        hours = value * self.hours
        days = hours / HOURS_PER_DAY
        months = days / DAYS_PER_MONTH
        minutes = round(hours * 60)
        if minutes < MINUTES_UP_TO and minutes != MINUTES_PER_HOUR:
            return _several(minutes, "minute") if minutes else "less than a minute"
        if hours < HOURS_UP_TO_HOURS:
            return _several(hours, "hour")
        if days < DAYS_UP_TO_DAYS:
            return _several(days, "day")
        return _several(months, "month") if months < MONTHS_UP_TO else _several(months / 12, "year")

    def short(self, value: float) -> str:
        """Return the same."""
        return self.words(value)


@dataclass(frozen=True)
class Percent:
    """A share from 0 to 1."""

    def words(self, value: float) -> str:
        """Return a whole percentage.

        Examples
        --------
        >>> Percent().words(0.414)
        '41 %'
        """
        return f"{100 * value:.0f} %"

    def short(self, value: float) -> str:
        """Return the same."""
        return self.words(value)


@dataclass(frozen=True)
class Number:
    """Any number, such as a price or a ratio."""

    def words(self, value: float) -> str:
        """Return it with as many digits as its size needs.

        Examples
        --------
        >>> [Number().words(value) for value in (0.25, 2.0, 12.6, 1234.5)]
        ['0.25', '2', '12.6', '1,234']
        """
        if abs(value) >= 100:
            return f"{value:,.0f}"
        return f"{value:.1f}".removesuffix(".0") if abs(value) >= 1 else f"{value:.2g}"

    def short(self, value: float) -> str:
        """Return the same."""
        return self.words(value)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The sentences of a feature; `{}` stands for the value."""

    quantity: Quantity
    high: str
    """Of a value above the usual one: `takes {} to answer`."""
    low: str = ""
    """Of a value below it: `answers within {}`; empty: as `high`."""
    usual: str
    """Of the usual value: `most take {}`."""
    none: str = ""
    """Of a value of zero, without `{}`; empty: as `low`."""
    whole: str = ""
    """For a smoothed share: the feature that counts what it is a share of, so that the counts
    themselves can be shown (`3 of 4`)."""

    def of(self, value: float, usual: float, whole: float | None = None) -> str | None:
        """Return the fact and its yardstick; None where the two would read the same.

        Parameters
        ----------
        usual
            The middle value over the training rows.
        whole
            The value of the feature `whole`; None or NaN: unknown.

        Examples
        --------
        >>> reading = Reading(
        ...     quantity=Duration(), high="takes {} to answer", low="answers within {}",
        ...     usual="most take {}",
        ... )
        >>> reading.of(0.1, 3.0)
        'answers within 6 minutes; most take 3 hours'
        >>> reading.of(20.0, 3.0)
        'takes 20 hours to answer; most take 3 hours'
        >>> reading.of(3.01, 3.0) is None
        True
        """
        shown, middle = self.quantity.words(value), self.quantity.words(usual)
        if shown == middle:
            return None
        if self.whole:
            shown = counts_of(value, whole) or f"about {shown} of"
            middle = f"about {middle}"
        else:
            middle = self.quantity.short(usual)
        fact = self.high if value > usual or not self.low else self.low
        fact = self.none if self.none and value == 0 else fact
        return f"{fact.format(shown)}; {self.usual.format(middle)}"


@dataclass(frozen=True, kw_only=True)
class OwnPace(Reading):
    """The sentences of a silence as a multiple of the contact's own pauses: both are told.

    `whole` names the feature with the hours of silence. At most a hundredfold is told, and no
    pause shorter than an hour, so that the pause is what the multiple was made of.
    """

    def of(self, value: float, usual: float, whole: float | None = None) -> str | None:
        """Return the silence beside the contact's own pause; None where they do not differ.

        Examples
        --------
        >>> reading = OwnPace(
        ...     quantity=Duration(), high="silent for {}", usual="usually writes again after {}"
        ... )
        >>> reading.of(3.0, 0.5, 72.0)
        'silent for 3 days; usually writes again after 24 hours'
        >>> reading.of(0.9, 0.5, 72.0) is None
        True
        """
        if whole is None or math.isnan(whole) or value <= 0 or (value > 1) is not (value > usual):
            return None
        shown, pause = self.quantity.words(whole), self.quantity.words(whole / value)
        if shown == pause:
            return None
        return f"{self.high.format(shown)}; {self.usual.format(pause)}"


def counts_of(share: float, whole: float | None) -> str | None:
    """Return `3 of 4` behind a share smoothed as (part + 1) / (whole + 2); None where unknown.

    Examples
    --------
    >>> counts_of(4 / 6, 4.0)
    '3 of 4'
    """
    if whole is None or math.isnan(whole) or whole < 1:
        return None
    part = min(max(round(share * (whole + 2) - 1), 0), round(whole))
    return f"{part:,} of {round(whole):,}"


def number_words(value: float, *, none: str) -> str:
    """Return a whole number, or a word for zero."""
    return f"{round(value):,}" if round(value) else none


def _several(value: float, one: str) -> str:
    count = round(value)
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"
