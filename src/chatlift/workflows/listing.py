"""List: everybody that a model can score, the highest first, a page at a time.

Read from the stored scores of the version that serves. Of an account that is small the list is
made anew where the records have changed since, or where nothing is stored yet; of a large one it is
then that of the last scoring, and says so. Only where a large account's version has scored nobody
at all, as right after a promotion, the list is made while somebody waits.

A list that was made stays for a minute, while neither records nor version change: those who ask at
the same time wait for one making, and the pages of one list agree.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chatlift.registry.loaded_versions import LoadedVersions
from chatlift.registry.scores import Filters, KeptTotals, Place, Prediction, Totals, page
from chatlift.registry.scoring_jobs import ScoringJob, ScoringJobs
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName, Rung
from chatlift.workflows.predict import PredictReport, PredictRequest, predict

FEW_MESSAGES = 20_000
"""An account with no more is scored in about a second."""
MADE_IS_FRESH = timedelta(minutes=1)
MOST_MADE_LISTS = 12
"""Of so many accounts' models a list that was made is kept in memory."""


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """Which part of a list somebody wants to see."""

    model: ModelName
    filters: Filters
    limit: int
    behind: Place | None = None
    """Begin behind this place; None: at the start."""


@dataclass(frozen=True, kw_only=True)
class ListReport:
    """A page of a list; all of it is said by one version."""

    model: ModelName
    version_number: int
    basis: Rung
    """What the version's scores are made of."""
    as_of: datetime
    """The last instant that is known to any of the answers."""
    predictions: tuple[Prediction, ...]
    has_more: bool
    total: int
    """Scored entities that meet the filters, on all pages."""
    past_horizon_count: int
    has_high: bool
    is_stale: bool
    """The data ends more than a day before the present."""
    records_have_changed: bool = False
    """Since everybody was scored; the next scoring will know."""
    in_hindsight: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Made:
    """A list that was made, and of what."""

    state: tuple[int, int]
    """The version, and the account's count of changes."""
    made_at: datetime
    report: PredictReport


class MadeLists:
    """The lists that a process made lately, each by one caller at a time; safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._making: defaultdict[tuple[int, ModelName], threading.Lock] = defaultdict(
            threading.Lock
        )
        self._kept: OrderedDict[tuple[int, ModelName], Made] = OrderedDict()

    def get(
        self,
        key: tuple[int, ModelName],
        state: tuple[int, int],
        make: Callable[[], PredictReport],
        *,
        now: datetime,
    ) -> PredictReport:
        """Return the list of an account's model in this state, made now if need be.

        Parameters
        ----------
        key
            Account and model.
        """
        with self._lock:
            making = self._making[key]
        with making:
            with self._lock:
                found = self._kept.get(key)
            if found and found.state == state and abs(now - found.made_at) < MADE_IS_FRESH:
                return found.report
            report = make()
            with self._lock:
                self._kept[key] = Made(state=state, made_at=now, report=report)
                self._kept.move_to_end(key)
                while len(self._kept) > MOST_MADE_LISTS:
                    self._kept.popitem(last=False)
            return report


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a process lists with: loaded versions, totals of lists, and lists made lately."""

    versions: LoadedVersions = field(default_factory=LoadedVersions)
    totals: KeptTotals = field(default_factory=KeptTotals)
    made: MadeLists = field(default_factory=MadeLists)


def list_scores(
    workspace: Workspace, listing: Listing, request: ListRequest, *, now: datetime
) -> ListReport:
    """Return a page of the list.

    Raises
    ------
    NotReady
        If no version serves, or there is no data yet.
    """
    serving = listing.versions.champion(workspace, request.model, now=now)
    jobs = ScoringJobs(workspace.database, workspace.account.account_id)
    job = jobs.latest(request.model, serving.version.number)
    revision = workspace.crm.records_revision()
    has_changed = job is None or job.records_revision != revision
    if job is None or (has_changed and workspace.crm.has_few_messages(FEW_MESSAGES)):
        report = listing.made.get(
            (workspace.account.account_id, request.model),
            (serving.version.version_id, revision),
            lambda: predict(workspace, PredictRequest(model=request.model), now=now),
            now=now,
        )
        return _page_of(report, request)
    told = listing.totals.get(
        workspace.database, workspace.account.account_id, job, request.filters, revision
    )
    basis = serving.version.basis
    return _stored(workspace, job, told, request, now, basis=basis, has_changed=has_changed)


def _stored(
    workspace: Workspace,
    job: ScoringJob,
    told: Totals,
    request: ListRequest,
    now: datetime,
    *,
    basis: Rung,
    has_changed: bool,
) -> ListReport:
    found = page(
        workspace.database,
        workspace.account.account_id,
        job,
        request.filters,
        limit=request.limit + 1,
        behind=request.behind,
    )
    as_of = told.as_of or job.created_at
    return ListReport(
        model=request.model,
        version_number=job.version_number,
        basis=basis,
        as_of=as_of,
        predictions=tuple(found[: request.limit]),
        has_more=len(found) > request.limit,
        total=told.wanted,
        past_horizon_count=told.past_horizon,
        has_high=told.has_high,
        is_stale=now - as_of >= timedelta(days=1),
        records_have_changed=has_changed,
    )


def _page_of(report: PredictReport, request: ListRequest) -> ListReport:
    wanted = [found for found in report.predictions if _meets(found, request.filters)]
    behind = request.behind
    rest = [found for found in wanted if behind is None or _order(found.place) > _order(behind)]
    return ListReport(
        model=request.model,
        version_number=report.version_number,
        basis=report.basis,
        as_of=report.as_of,
        predictions=tuple(rest[: request.limit]),
        has_more=len(rest) > request.limit,
        total=len(wanted),
        past_horizon_count=len(report.past_horizon),
        has_high=report.has_high,
        is_stale=report.is_stale,
        in_hindsight=report.in_hindsight,
        warnings=report.warnings,
    )


def _meets(found: Prediction, wanted: Filters) -> bool:
    return (
        wanted.band in {None, found.answer.band}
        and wanted.trend in {None, found.answer.trend}
        and (wanted.search is None or wanted.search.lower() in found.external_id.lower())
    )


def _order(place: Place) -> tuple[float, int]:
    probability, entity_id = place
    return (-probability, entity_id)
