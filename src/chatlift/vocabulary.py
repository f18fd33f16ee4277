"""The closed sets of words that tables, commands and pages share.

`docs/glossary.md` explains them; a term has one spelling and it stands here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from chatlift.errors import InvalidInput

DEFAULT_ACCOUNT = "default"
SIMULATED = "simulated"
"""The source of generated records, which never stand beside real ones."""


SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def parse_source(name: str) -> str:
    """Return the name of a source of real records, as a caller gave it.

    Raises
    ------
    InvalidInput
        If it is no plain name, or the one of generated records.

    Examples
    --------
    >>> parse_source("hubspot-eu")
    'hubspot-eu'
    """
    if name == SIMULATED or not SOURCE_NAME.fullmatch(name):
        raise InvalidInput(
            "The name of a source has to be 1 to 64 letters, digits, dots, dashes or underscores, "
            f"begin with a letter or digit, and not be {SIMULATED!r}, which generated records have."
        )
    return name


class ModelName(StrEnum):
    """The three models, as they are spelled in URLs, commands and pages."""

    LEAD_SCORING = "lead_scoring"
    CHURN = "churn"
    ENGAGEMENT = "engagement"


MODEL_ALIASES = {
    "churn_prediction": ModelName.CHURN,
    "engagement_prediction": ModelName.ENGAGEMENT,
}
"""Names the platform used before; accepted on input, never printed."""


def parse_models(name: str) -> tuple[ModelName, ...]:
    """Return the models that a name on input stands for; `all` is the three in order.

    Raises
    ------
    InvalidInput
        If the name is none of the models, their aliases or `all`.

    Examples
    --------
    >>> parse_models("churn_prediction")
    (<ModelName.CHURN: 'churn'>,)
    >>> len(parse_models("all"))
    3
    """
    if name == "all":
        return tuple(ModelName)
    if name in MODEL_ALIASES:
        return (MODEL_ALIASES[name],)
    if name in set(ModelName):
        return (ModelName(name),)
    known = ", ".join(["all", *ModelName])
    raise InvalidInput(f"No model is called {name!r}. Choose one of: {known}.")


class Direction(StrEnum):
    """Who wrote a message: `in` is the contact, `out` is the business."""

    INBOUND = "in"
    OUTBOUND = "out"


class LeadOutcome(StrEnum):
    """What became of a lead."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class FactSubject(StrEnum):
    """What a dated fact is about."""

    CONTACT = "contact"
    LEAD = "lead"
    MESSAGE = "message"


class RunStatus(StrEnum):
    """Where a run stands; it ends in one of the last four."""

    QUEUED = "queued"
    TRAINING = "training"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


FINAL_STATUSES = frozenset(
    {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.INTERRUPTED}
)


class RunEventKind(StrEnum):
    """What a run tells while it goes its way."""

    QUEUED = "queued"
    STARTED = "started"
    PROGRESS = "progress"
    MODEL = "model"
    STOPPING = "stopping"
    REQUEUED = "requeued"
    ENDED = "ended"


class Role(StrEnum):
    """What a caller may do, each all that the ones before may.

    A viewer reads, an operator also trains, writes records and reads messages, an admin also
    deletes, and hands out tokens.

    Examples
    --------
    >>> Role.OPERATOR.includes(Role.VIEWER), Role.VIEWER.includes(Role.ADMIN)
    (True, False)
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Tell whether this role may do all that `other` may."""
        ranked = list(Role)
        return ranked.index(self) >= ranked.index(other)


class RhythmWord(StrEnum):
    """How often a schedule trains, in a word; any other rhythm is a cron line."""

    DAILY = "daily"
    WEEKLY = "weekly"
    BIWEEKLY = "biweekly"
    MONTHLY = "monthly"


class SlotDecision(StrEnum):
    """What became of an instant at which a schedule was due."""

    RAN = "ran"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"


class ScoringStatus(StrEnum):
    """Where a scoring of everybody, or one share of it, stands."""

    QUEUED = "queued"
    SCORING = "scoring"
    COMPLETED = "completed"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class WebhookKind(StrEnum):
    """The services whose webhooks are understood."""

    WHATSAPP_CLOUD = "whatsapp_cloud"
    CHATWOOT = "chatwoot"


class ChurnRule(StrEnum):
    """What counts as leaving: falling silent, or cancelling a contract."""

    AUTO = "auto"
    SILENCE = "silence"
    CONTRACT = "contract"


class Rung(StrEnum):
    """What the scores of a version are made of, from the simplest to the richest."""

    RULE = "rule"
    """The simple rule: a regularised logistic regression on one to three columns."""
    SHRUNKEN = "shrunken"
    """The prescribed algorithm, started from the rule's log-odds and held close to them."""
    FULL = "full"
    """The prescribed algorithm."""
    BLEND = "blend"
    """A weighted sum of the log-odds of the prescribed algorithm, its companion and the rule."""


class UndatedOutcomes(StrEnum):
    """What training does about leads that closed on an unknown day."""

    LEAVE_OUT = "leave_out"
    AT_CREATION = "at_creation"


class Verdict(StrEnum):
    """What the gate decided about a version."""

    PROMOTE = "promote"
    KEEP_CHAMPION = "keep_champion"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One step of a long piece of work, told while it runs."""

    phase: str
    """Short name of what is being done, such as `features` or `folds`."""
    fraction: float
    """Share of the whole work that is done, 0 to 1."""
    message: str = ""
    """One line for a person."""
    model: ModelName | None = None
    """The model in training, where there is one."""


ReportProgress = Callable[[Progress], None]
"""Takes each step; it may raise `Cancelled`, and the work stops there."""


def no_progress(step: Progress) -> None:
    """Take a step and say nothing."""
