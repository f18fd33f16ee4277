"""Answer: what a model says now of one entity, or of up to a thousand, while somebody waits.

The same answers as `predict` gives, from the history of those contacts alone: no feature looks at
another contact. The version that answers is loaded already, and so is the account's curve, on
which best times rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from chatlift.errors import InvalidInput, NotReady
from chatlift.history import History
from chatlift.learn.best_time import AccountCurve
from chatlift.learn.scoring import Answer, Scorer, entities_by_end, unscorable
from chatlift.learn.specs.directory import SPECS
from chatlift.learn.specs.observing import observed_through
from chatlift.registry.account_curves import AccountCurves
from chatlift.registry.loaded_versions import Loaded, LoadedVersions, named_champion_id
from chatlift.registry.workspace import Workspace
from chatlift.store.named_entities import Named, entities_named
from chatlift.store.reading_contacts import read_contacts
from chatlift.vocabulary import ModelName, Rung

MOST_IDS = 1_000


@dataclass(frozen=True, kw_only=True)
class AnswerRequest:
    """Whom to speak of, and as of when."""

    model: ModelName
    ids: tuple[str, ...]
    """Ids of the source, or the store's numbers."""
    as_of: datetime | None = None
    """None: as of now, as far as the data goes."""


@dataclass(frozen=True, kw_only=True)
class NamedAnswer:
    """One answer, with the ids by which its entity is known."""

    asked: str
    """As the request spelled it."""
    external_id: str
    name: str | None
    """The contact's, where it is known."""
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class AnswerReport:
    """All answers, in the order asked."""

    model: ModelName
    version_number: int
    as_of: datetime
    """The last instant that is known; an answer about a source that ended earlier says so."""
    answers: tuple[NamedAnswer, ...]
    basis: Rung
    """What the version's scores are made of."""
    in_hindsight: bool = False
    """The version has seen outcomes that came after `as_of`."""
    is_stale: bool = False
    """The data ends more than a day before the present."""
    warnings: tuple[str, ...] = ()
    not_scored: Mapping[str, str] = field(default_factory=dict)
    """Ids of entities without an answer, with the reason."""
    unknown_ids: tuple[str, ...] = ()
    """Ids that nobody has."""
    texts: Mapping[int, str] = field(default_factory=dict)
    """What the messages behind the reasons say, by number; for those who may read messages."""


@dataclass(frozen=True, kw_only=True)
class Answering:
    """What a process answers with: loaded versions and curves."""

    versions: LoadedVersions = field(default_factory=LoadedVersions)
    curves: AccountCurves = field(default_factory=AccountCurves)


def answer(
    workspace: Workspace, answering: Answering, request: AnswerRequest, *, now: datetime
) -> AnswerReport:
    """Answer about the named entities.

    Raises
    ------
    InvalidInput
        If too many are named, or `as_of` lies in the future.
    NotReady
        If no version serves, or there is no data yet.
    """
    _refuse(request, now)
    with workspace.database.read() as connection:
        champion_version_id = None
        if request.as_of is None:
            champion_version_id = named_champion_id(connection, workspace, request.model)
        named = entities_named(connection, SPECS[request.model].entity, request.ids)
        chosen = {name: found[0] for name, found in named.items() if len(found) == 1}
        history = read_contacts(connection, sorted({e.contact_id for e in chosen.values()}))
    loaded, in_hindsight = _who_answers(
        workspace, answering.versions, request, champion_version_id, now
    )
    as_of = _as_of(history, request.as_of or now)
    curve = curve_of(workspace, answering.curves, loaded.scorer, now)
    answers = _answers(loaded.scorer, history, chosen, as_of, curve)
    return AnswerReport(
        model=request.model,
        version_number=loaded.version.number,
        as_of=as_of,
        answers=answers,
        basis=loaded.version.basis,
        in_hindsight=in_hindsight,
        is_stale=((request.as_of or now) - as_of).days >= 1,
        warnings=(loaded.warning,) if loaded.warning else (),
        not_scored=_not_scored(named, answers, loaded.scorer),
        unknown_ids=tuple(name for name in dict.fromkeys(request.ids) if name not in named),
        texts=_texts(history, answers),
    )


def _texts(history: History, answers: Sequence[NamedAnswer]) -> dict[int, str]:
    reasons = (reason for found in answers for reason in found.answer.reasons)
    behind = {reason.message_id for reason in reasons if reason.message_id is not None}
    if not behind:
        return {}
    ids = history.messages["message_id"].to_numpy()
    rows = np.flatnonzero(np.isin(ids, list(behind)))
    texts = history.messages["text"][rows].to_list()
    told = zip(ids[rows].tolist(), texts, strict=True)
    return {number: text for number, text in told if text is not None}


def _refuse(request: AnswerRequest, now: datetime) -> None:
    if len(request.ids) > MOST_IDS:
        raise InvalidInput(
            f"{len(request.ids):,} ids were named; at most {MOST_IDS:,} are answered at once. Ask "
            "in parts, or list everybody."
        )
    if request.as_of is not None and request.as_of > now:
        raise InvalidInput(
            f"as_of is {request.as_of:%Y-%m-%d %H:%M} UTC, which lies in the future. Name an "
            "instant that has passed, or leave it out."
        )


def _who_answers(
    workspace: Workspace,
    versions: LoadedVersions,
    request: AnswerRequest,
    champion_version_id: int | None,
    now: datetime,
) -> tuple[Loaded, bool]:
    model = request.model
    if champion_version_id is not None:
        return versions.named_champion(workspace, model, champion_version_id, now=now), False
    return versions.served_at(workspace, model, request.as_of or now, now=now)


def _as_of(history: History, asked: datetime) -> datetime:
    through = observed_through(history)
    if through is None:
        raise NotReady(
            "There is no data to predict on. Run `chatlift generate`, or import your own."
        )
    return min(asked, through)


def curve_of(
    workspace: Workspace, curves: AccountCurves, scorer: Scorer, now: datetime
) -> AccountCurve | None:
    """Return how the account's contacts answer by part of the day, where the model speaks of it."""
    if scorer.spec.model is not ModelName.ENGAGEMENT:
        return None
    return curves.curve(workspace, scorer, now=now)


def _answers(
    scorer: Scorer,
    history: History,
    chosen: Mapping[str, Named],
    as_of: datetime,
    curve: AccountCurve | None,
) -> tuple[NamedAnswer, ...]:
    asked = entities_by_end(scorer.spec, history, as_of)
    wanted = [entity.entity_id for entity in chosen.values()]
    asked = asked.take(np.isin(asked.entity_ids, wanted))
    told = {a.entity_id: a for a in scorer.answers_of(history, asked, curve=curve)}
    return tuple(
        NamedAnswer(
            asked=name,
            external_id=entity.external_id,
            name=entity.name,
            answer=told[entity.entity_id],
        )
        for name, entity in chosen.items()
        if entity.entity_id in told
    )


def _not_scored(
    named: Mapping[str, Sequence[Named]], answers: Sequence[NamedAnswer], scorer: Scorer
) -> dict[str, str]:
    answered = {answer.asked for answer in answers}
    several = f"several sources know a {scorer.spec.entity} by this id; ask by its number"
    return {
        name: several if len(found) > 1 else unscorable(scorer.spec, scorer.spans)
        for name, found in named.items()
        if name not in answered
    }
