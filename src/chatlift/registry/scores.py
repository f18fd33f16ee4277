"""The stored scores of a completed scoring job, a page at a time, the highest first."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Column, ColumnElement, Connection, and_, func, or_, select

from chatlift.learn.explain import Reason
from chatlift.learn.scoring import Answer, AnswerState, Trend
from chatlift.learn.specs.directory import SPECS
from chatlift.records import INSTANT
from chatlift.registry.scoring_jobs import SCORES, ScoringJob
from chatlift.store.database import Database

Place = tuple[float, int]
"""Probability and number of an entity: where it stands in the list."""
MOST_TOTALS = 256

COLUMNS = pl.Schema(
    {
        "entity_id": pl.Int64(),
        "contact_id": pl.Int64(),
        "external_id": pl.String(),
        "state": pl.String(),
        "probability": pl.Float64(),
        "score": pl.Float64(),
        "band": pl.String(),
        "trend": pl.String(),
        "reasons": pl.String(),
        "best_time": pl.String(),
        "features_fingerprint": pl.String(),
        "as_of": INSTANT,
    }
)
"""One row per scored entity, as `ScoreRow` keeps it; reasons as a JSON list."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which entities of a list are wanted; None: all."""

    band: str | None = None
    trend: str | None = None
    search: str | None = None
    """Part of the external id, whatever the case."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One answer with the id that its source knows it by."""

    external_id: str
    answer: Answer

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return (self.answer.probability, self.answer.entity_id)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What there is in a whole list, whatever page of it is shown."""

    wanted: int
    """Scored entities that meet the filters."""
    past_horizon: int
    """Entities open past their horizon, which are listed apart."""
    has_high: bool
    """Whether any scored entity reaches the highest band."""
    as_of: datetime | None
    """The latest instant that an answer holds for; None where there are none."""


def frame_of(predictions: Sequence[Prediction]) -> pl.DataFrame:
    """Return predictions as rows of `COLUMNS`, to be stored."""
    told = ("external_id", "reasons")
    rows = [
        {
            "external_id": found.external_id,
            "reasons": json.dumps([asdict(reason) for reason in found.answer.reasons]),
            **{name: getattr(found.answer, name) for name in COLUMNS if name not in told},
        }
        for found in predictions
    ]
    return pl.DataFrame(rows, COLUMNS)


class KeptTotals:
    """The totals of a process's latest lists, which cost a look at every score; thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int, Filters], Totals] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, database: Database, account_id: int, job: ScoringJob, wanted: Filters, revision: int
    ) -> Totals:
        """Return what a list holds in all.

        Parameters
        ----------
        revision
            The account's count of changes: who is forgotten is counted no more.
        """
        key = (job.job_id, revision, wanted)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = totals(database, account_id, job, wanted)
            with self._lock:
                self._kept[key] = found
                while len(self._kept) > MOST_TOTALS:
                    self._kept.popitem(last=False)
        return found


def totals(database: Database, account_id: int, job: ScoringJob, wanted: Filters) -> Totals:
    """Return what a list holds in all."""
    is_scored = SCORES.c.state == AnswerState.SCORED
    high = SPECS[job.model].bands.high
    statement = select(
        func.count().filter(is_scored, *_conditions(wanted)),
        func.count().filter(SCORES.c.state == AnswerState.PAST_HORIZON),
        func.count().filter(is_scored, SCORES.c.band == high),
        func.max(SCORES.c.as_of),
    ).where(*_of(account_id, job))
    with database.read() as connection:
        count, past, high_count, as_of = connection.execute(statement).one()
    return Totals(wanted=count, past_horizon=past, has_high=high_count > 0, as_of=as_of)


def page(
    database: Database,
    account_id: int,
    job: ScoringJob,
    wanted: Filters,
    *,
    limit: int,
    behind: Place | None,
) -> list[Prediction]:
    """Return at most `limit` scored entities, the highest first, from behind a place on."""
    statement = (
        select(*(SCORES.c[name] for name in COLUMNS))
        .where(*_of(account_id, job), SCORES.c.state == AnswerState.SCORED, *_conditions(wanted))
        .order_by(SCORES.c.probability.desc(), SCORES.c.entity_id)
        .limit(limit)
    )
    if behind is not None:
        statement = statement.where(_is_behind(SCORES.c.probability, SCORES.c.entity_id, behind))
    with database.read() as connection:
        return _listed(connection, statement, job)


def _listed(connection: Connection, statement: Any, job: ScoringJob) -> list[Prediction]:
    recommendations = SPECS[job.model].recommendations
    listed = []
    for row in connection.execute(statement):
        values = dict(row._mapping)
        external_id = values.pop("external_id")
        reasons = tuple(Reason(**reason) for reason in values.pop("reasons"))
        values |= {"state": AnswerState(row.state), "trend": Trend(row.trend)}
        answer = Answer(recommendation=recommendations[row.band], reasons=reasons, **values)
        listed.append(Prediction(external_id=external_id, answer=answer))
    return listed


def _of(account_id: int, job: ScoringJob) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    # Adding nothing keeps SQLite on the index that ranks a job's scores.
    return (SCORES.c.account_id + 0 == account_id, SCORES.c.job_id == job.job_id)


def _conditions(wanted: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.band is not None:
        conditions.append(SCORES.c.band == wanted.band)
    if wanted.trend is not None:
        conditions.append(SCORES.c.trend == wanted.trend)
    if wanted.search is not None:
        found = func.lower(SCORES.c.external_id)
        conditions.append(found.contains(wanted.search.lower(), autoescape=True))
    return conditions


def _is_behind(
    probability: Column[float], entity_id: Column[int], behind: Place
) -> ColumnElement[bool]:
    score, number = behind
    return or_(probability < score, and_(probability == score, entity_id > number))
