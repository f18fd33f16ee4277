"""Versions: registered once, promoted, rolled back, loaded; one account's at a time."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select

from chatlift.errors import Conflict, InvalidInput, NotFound, NotReady, Unavailable
from chatlift.records import INSTANT
from chatlift.registry.artifact_root import RUN_ID_LENGTH, ArtifactRoot
from chatlift.registry.artifacts import Artifact, DamagedArtifact, read_artifact, write_artifact
from chatlift.registry.champions import (
    STATES,
    VERSIONS,
    ChangeKind,
    GateCounts,
    LedgerEntry,
    lock_state,
    move_champion,
    next_number,
    read_gate_counts,
    read_ledger,
    served_before,
    write_gate_counts,
)
from chatlift.registry.run_rows import ended_run_ids, held_run
from chatlift.registry.secret_file import MANIFEST_FIELD, refuse_other_secret
from chatlift.store.bulk import insert_new, read_columns, stored_number, table_of
from chatlift.store.database import Database
from chatlift.store.forgetting import unlink_forgotten
from chatlift.store.installation import secret_fingerprint_of
from chatlift.store.registry_tables import EvaluationPredictionRow, RetrainingMarkRow
from chatlift.vocabulary import ModelName, Rung, Verdict

EVALUATIONS = table_of(EvaluationPredictionRow)
MARKS = table_of(RetrainingMarkRow)
EVALUATION_PREDICTIONS = pl.Schema(
    {
        "entity_id": pl.Int64(),
        "contact_id": pl.Int64(),
        "cutoff": INSTANT,
        "label": pl.Int8(),
        "is_leading": pl.Boolean(),
        "repeat": pl.Int64(),
        "fold": pl.Int64(),
        "probability": pl.Float64(),
        "threshold": pl.Float64(),
    }
)
"""One row per example, repeat and fold. Null ids: the contact was forgotten."""
STORED_AS = pl.Schema({**EVALUATION_PREDICTIONS, "label": pl.Float64()})
"""The database keeps labels as numbers, so that one may be a share."""
BY_CHATLIFT = "chatlift"
ORPHAN_GRACE = timedelta(days=1)
"""A folder that changed later than this before now is not swept, whatever it seems to be."""


class VersionNotFound(NotFound):
    """The model has no such version."""

    def __init__(self, model: ModelName, wanted: str, newest: int | None) -> None:
        found = "there is none yet" if newest is None else f"the newest is {newest}"
        super().__init__(
            f"No version {wanted} of {model}; {found}. "
            f"List them with `chatlift models show {model}`."
        )


class NoChampion(NotReady):
    """No version of the model serves.

    Parameters
    ----------
    newest
        The newest version, which does not serve either; None: there is none.
    """

    def __init__(self, model: ModelName, newest: Version | None = None) -> None:
        if newest is None:
            self.sentence = f"No version of {model} serves yet: there is none."
            way = f"Train one with `chatlift train {model}`."
        else:
            self.sentence = f"No version of {model} serves. {newest.judgement} Nothing else serves."
            way = newest.way_to_serve
        super().__init__(f"{self.sentence} {way}")


@dataclass(frozen=True, kw_only=True)
class Version:
    """The immutable result of a fit, and whether it serves."""

    version_id: int
    model: ModelName
    number: int
    created_at: datetime
    run_id: str
    recipe_fingerprint: str
    data_fingerprint: str
    manifest_sha256: str
    folder: Path
    size_bytes: int
    verdict: Verdict
    metrics: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    gate: Mapping[str, Any]
    is_champion: bool
    forgotten_count: int = 0
    """Contacts it was trained on that were forgotten since; it should be trained again."""

    @property
    def first_failed_check(self) -> str | None:
        """Name of the gate's first check that stood in the way; None where none did."""
        failed = self._failed_check
        return failed["name"] if failed else None

    @property
    def _failed_check(self) -> Mapping[str, Any] | None:
        failed = (c for c in self.gate["checks"] if not c["passed"] and c["kind"] != "note")
        return next(failed, None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the version, though it refused nothing."""
        return tuple(
            check["sentence"]
            for check in self.gate["checks"]
            if not check["passed"] and check["kind"] == "note"
        )

    @property
    def judgement(self) -> str:
        """What the gate decided, and by which check, as a sentence."""
        failed = self._failed_check
        if failed is None:
            return f"v{self.number} passed the gate and does not serve."
        word = "refused" if self.verdict is Verdict.REFUSE else "kept as a candidate"
        return f"v{self.number} was {word} by the check {failed['name']}: {failed['sentence']}"

    @property
    def way_to_serve(self) -> str:
        """What to do, on the command line, so that it or a better one serves."""
        promote = f"chatlift models promote {self.model} {self.number}"
        if self.verdict is Verdict.PROMOTE:
            return f"Let it serve with `{promote}`."
        return (
            f"See all checks with `chatlift models show {self.model} --version {self.number}`. "
            f"Mend what it names and train again, or let it serve all the same with `{promote} "
            "--reason ...`."
        )

    @property
    def basis(self) -> Rung:
        """What its scores are made of; versions of before there was a choice are `full`."""
        return Rung(self.evaluation.get("shipped_rung", Rung.FULL))


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What answers now."""

    version: Version
    artifact: Artifact
    warning: str | None
    """Told where the champion was damaged and the version before it took over."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two versions side by side."""

    first: Version
    second: Version
    metrics: Mapping[str, tuple[float | None, float | None]]
    """By metric: the value of each; None where a version lacks it."""


class Versions:
    """The versions of one account; safe across threads and processes."""

    def __init__(self, database: Database, account_id: int, artifacts_root: Path) -> None:
        self._database = database.of_account(account_id)
        self._account_id = account_id
        self._root = artifacts_root
        self._artifacts = ArtifactRoot(database, artifacts_root)

    # Long because what is registered is named field by field, and files and rows go together.
    def register(
        self,
        *,
        run_id: str,
        attempt: int,
        model: ModelName,
        files: Mapping[str, bytes],
        manifest: Mapping[str, Any],
        recipe_fingerprint: str,
        data_fingerprint: str,
        metrics: Mapping[str, Any],
        evaluation: Mapping[str, Any],
        gate: Mapping[str, Any],
        verdict: Verdict,
        promote: bool,
        expected_champion: int | None,
        predictions: pl.DataFrame,
        now: datetime,
        gate_counts: GateCounts | None = None,
    ) -> Version:
        """Write the files, then register the version and move the champion in one transaction.

        Parameters
        ----------
        promote
            Whether it shall serve from now on.
        expected_champion
            Number of the champion that the verdict was reached against (None: none served). If
            another serves by now, the version is registered and the champion stays.
        predictions
            One row per stored prediction; see `EVALUATION_PREDICTIONS`.
        gate_counts
            What the gate has counted with this version; None: as before.

        Raises
        ------
        RunLost
            If the run has ended, a later attempt has it, or its lease has run out by the
            database's clock; nothing is registered.
        ForeignArtifacts
            If the folder of artifacts is another database's.
        """
        self._artifacts.claim()
        name = f"{run_id}-{attempt}"
        folder = self._root / str(self._account_id) / model / name
        keyed = {**manifest, MANIFEST_FIELD: secret_fingerprint_of(self._database)}
        info = write_artifact(folder, files, keyed)
        try:
            with self._database.write() as connection:
                present = self._database.now(connection)
                # Just after the clock was set forward, only who took the run away counts.
                until = present if self._database.is_clock_steady() else None
                run = held_run(connection, self._account_id, run_id, attempt, unexpired_at=until)
                before = lock_state(connection, self._account_id, model)
                number = next_number(connection, self._account_id, model)
                row = insert(VERSIONS).values(
                    account_id=self._account_id,
                    model=model,
                    number=number,
                    created_at=now,
                    run_id=run_id,
                    recipe_fingerprint=recipe_fingerprint,
                    data_fingerprint=data_fingerprint,
                    manifest_sha256=info.manifest_sha256,
                    folder=f"{self._account_id}/{model}/{name}",
                    size_bytes=info.size_bytes,
                    verdict=verdict,
                    metrics=dict(metrics),
                    evaluation=dict(evaluation),
                    gate=dict(gate),
                )
                version_id = connection.execute(row.returning(VERSIONS.c.version_id)).scalar_one()
                insert_new(connection, EVALUATIONS, _to_rows(predictions, version_id))
                unlink_forgotten(connection, self._account_id, version_id, since=run.created_at)
                if promote and before == expected_champion:
                    kind, reason = ChangeKind.PROMOTE, "the gate's verdict"
                    change = _change(model, kind, before, number, BY_CHATLIFT, reason, now, metrics)
                    move_champion(connection, self._account_id, change)
                if gate_counts is not None:
                    # A look is spent whoever serves by now; sums belong to the champion judged.
                    stored = read_gate_counts(connection, self._account_id, model)
                    counts = (
                        gate_counts
                        if before == expected_champion
                        else replace(
                            stored,
                            look_count=gate_counts.look_count,
                            entities_at_look=gate_counts.entities_at_look,
                        )
                    )
                    write_gate_counts(connection, self._account_id, model, counts)
        except BaseException:
            # Ctrl-C may come when the row is committed already; then the files are its own.
            if folder not in {version.folder for version in self.list(model)}:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        return self.get(model, number)

    def list(self, model: ModelName | None = None) -> tuple[Version, ...]:
        """Return the versions, newest number first within each model."""
        with self._database.read() as connection:
            chosen = () if model is None else (VERSIONS.c.model == model,)
            return self._select(connection, *chosen)

    def get(self, model: ModelName, wanted: int | str) -> Version:
        """Return a version by number, `champion` or `candidate` (newest not serving).

        Raises
        ------
        NoChampion
            If the champion was asked for and none serves.
        VersionNotFound
            If there is no such version.
        """
        found = self.list(model)
        chosen = [version for version in found if _is(version, str(wanted))]
        if chosen:
            return chosen[0]
        if wanted == "champion":
            raise NoChampion(model, found[0] if found else None)
        raise VersionNotFound(model, str(wanted), found[0].number if found else None)

    def champion(self, model: ModelName, *, as_of: datetime | None = None) -> Version | None:
        """Return who serves, or served at `as_of` by the ledger; None if none or deleted since."""
        if as_of is None:
            return next((found for found in self.list(model) if found.is_champion), None)
        entries = _until(self.ledger(model), as_of)
        number = entries[-1].to_number if entries else None
        return next((found for found in self.list(model) if found.number == number), None)

    def no_champion(self, model: ModelName, connection: Connection) -> NoChampion:
        """Return the error that says why no version of the model serves."""
        versions = self._select(connection, VERSIONS.c.model == model)
        return NoChampion(model, versions[0] if versions else None)

    def gate_counts(self, model: ModelName) -> GateCounts:
        """Return what the gate has counted for a model so far."""
        with self._database.read() as connection:
            return read_gate_counts(connection, self._account_id, model)

    def ledger(self, model: ModelName) -> tuple[LedgerEntry, ...]:
        """Return every change of the champion, oldest first."""
        with self._database.read() as connection:
            return read_ledger(connection, self._account_id, model)

    def promote(
        self,
        model: ModelName,
        number: int | str,
        *,
        by: str,
        now: datetime,
        reason: str = "",
        figures: Mapping[str, Any] | None = None,
    ) -> Version:
        """Let a version serve; its files are checked first.

        Raises
        ------
        InvalidInput
            If the gate did not say promote and no reason is given.
        Conflict
            If it serves already, or the champion changed meanwhile.
        DamagedArtifact
            If its files are not what was registered.
        """
        version = self.get(model, number)
        if version.is_champion:
            raise Conflict(f"Version {version.number} of {model} serves already.")
        if version.verdict is not Verdict.PROMOTE and not reason.strip():
            raise InvalidInput(
                f"The gate's verdict on version {version.number} of {model} is "
                f"{version.verdict}. To promote it all the same, say why with --reason."
            )
        self.load(version)
        told = reason or "promoted by a person"
        shown = version.metrics if figures is None else figures
        return self._move(ChangeKind.PROMOTE, self.champion(model), version, by, told, now, shown)

    def rollback(self, model: ModelName, *, by: str, reason: str, now: datetime) -> Version:
        """Let the version serve that served before; damaged ones are passed over.

        Raises
        ------
        Conflict
            If no version before can serve.
        """
        champion = self.champion(model)
        loaded = self._intact_before(model)
        if loaded is None:
            raise Conflict(
                f"There is no version of {model} to roll back to: none that served before is "
                f"there and intact. Look with `chatlift models show {model}`, or train again."
            )
        target = loaded[0]
        return self._move(ChangeKind.ROLLBACK, champion, target, by, reason, now, target.metrics)

    def delete(
        self, model: ModelName, number: int | str, *, by: str, now: datetime, force: bool = False
    ) -> Version:
        """Delete one version, rows and files; the ledger stays. Raises as `delete_model`."""
        version = self.get(model, number)
        self._delete(model, [version], by, now, force)
        return version

    def delete_model(
        self, model: ModelName, *, by: str, now: datetime, force: bool = False
    ) -> tuple[Version, ...]:
        """Delete all versions of a model, rows and files; ledger and runs stay.

        Raises
        ------
        NotFound
            If there is none.
        Conflict
            If one of them serves and `force` is not set.
        """
        versions = self.list(model)
        if not versions:
            raise NotFound(
                f"There are no versions of {model} to delete. See `chatlift models list`."
            )
        self._delete(model, versions, by, now, force)
        return versions

    def compare(self, model: ModelName, first: int | str, second: int | str) -> Comparison:
        """Return two versions side by side; raises as `get`."""
        one, two = self.get(model, first), self.get(model, second)
        names = sorted({*one.metrics, *two.metrics})
        pairs = {name: (one.metrics.get(name), two.metrics.get(name)) for name in names}
        return Comparison(first=one, second=two, metrics=pairs)

    def load(self, version: Version) -> Artifact:
        """Return a version's checked files.

        Raises
        ------
        DamagedArtifact
            If they are not what was registered.
        OtherSecret
            If they were made under another secret than the database is used with.
        """
        title = f"{version.model} version {version.number}"
        artifact = read_artifact(
            version.folder, version.manifest_sha256, model=version.model, title=title
        )
        refuse_other_secret(self._database, artifact.manifest, title)
        return artifact

    def damage(self, version: Version) -> str | None:
        """Return what is wrong with a version's files, as a clause; None: they are as registered.

        Every byte is read; nothing of it is parsed as a model.
        """
        try:
            self.load(version)
        except DamagedArtifact as damaged:
            return damaged.problem
        except Unavailable:
            return "they cannot be read now"
        return None

    def load_serving(self, model: ModelName, *, now: datetime) -> Serving:
        """Return the champion; if its files are damaged, the version before takes over.

        Raises
        ------
        NoChampion
            If none serves.
        DamagedArtifact
            If its files are damaged and no version before can serve.
        """
        champion = self.champion(model)
        if champion is None:
            raise self._none_serves(model)
        try:
            return Serving(version=champion, artifact=self.load(champion), warning=None)
        except DamagedArtifact as damage:
            before = self._intact_before(model)
            if before is None:
                raise
            return self._fall_back(champion, *before, damage, now)

    def load_served_at(self, model: ModelName, instant: datetime, *, now: datetime) -> Serving:
        """Return who served at a past instant; damaged, the version that served before it then.

        The ledger changes only where the damaged version serves now.

        Raises
        ------
        NoChampion
            If none served then, or it was deleted since.
        DamagedArtifact
            If its files are damaged and no version before can answer.
        """
        then = self.champion(model, as_of=instant)
        if then is None:
            raise NoChampion(model)
        if then.is_champion:
            return self.load_serving(model, now=now)
        try:
            return Serving(version=then, artifact=self.load(then), warning=None)
        except DamagedArtifact as damage:
            before = self._intact_before(model, as_of=instant)
            if before is None:
                raise
            version, artifact = before
            return Serving(version=version, artifact=artifact, warning=_instead(damage, version))

    def evaluation_predictions(self, version: Version) -> pl.DataFrame:
        """Return one row per stored prediction, as they were handed in; see the schema."""
        columns = [_stored_column(name) for name in EVALUATION_PREDICTIONS]
        statement = (
            select(*columns)
            .join(VERSIONS, VERSIONS.c.version_id == EVALUATIONS.c.version_id)
            .where(
                VERSIONS.c.account_id == self._account_id,
                EVALUATIONS.c.version_id == version.version_id,
            )
            .order_by(EVALUATIONS.c.evaluation_prediction_id)
        )
        with self._database.read() as connection:
            found = read_columns(connection, statement, STORED_AS)
        return found.with_columns(pl.col("label").cast(EVALUATION_PREDICTIONS["label"]))

    def sweep_orphans(self, *, now: datetime) -> tuple[str, ...]:
        """Move to the trash what ended runs of this account left; return the folders' names.

        A folder goes only if its run has ended, no version owns it, and it has not changed for a
        day. What the database does not know is somebody else's and stays.

        Raises
        ------
        ForeignArtifacts
            If the folder of artifacts is another database's; nothing is moved.
        """
        self._artifacts.confirm()
        moved = []
        for folder in self._orphans():
            with suppress(FileNotFoundError):  # Another process sweeps at the same time.
                if _changed_at(folder) < now - ORPHAN_GRACE:
                    self._artifacts.discard(folder, now=now)
                    moved.append(folder.name)
        self._artifacts.empty_trash(now=now)
        return tuple(moved)

    def _orphans(self) -> Sequence[Path]:
        """Return the folders of the account that an ended run left and no version owns."""
        folders = list((self._root / str(self._account_id)).glob("*/*"))
        with self._database.read() as connection:
            owned = {version.folder for version in self._select(connection)}
            unowned = {f: f.name[:RUN_ID_LENGTH] for f in folders if f not in owned}
            ended = ended_run_ids(connection, self._account_id, set(unowned.values()))
        return [folder for folder, run_id in unowned.items() if run_id in ended]

    def _none_serves(self, model: ModelName) -> NoChampion:
        with self._database.read() as connection:
            return self.no_champion(model, connection)

    def _select(self, connection: Connection, *chosen: ColumnElement[bool]) -> tuple[Version, ...]:
        joined = VERSIONS.outerjoin(STATES, STATES.c.champion_version_id == VERSIONS.c.version_id)
        serves = STATES.c.champion_version_id.is_not(None).label("is_champion")
        forgotten = (
            select(func.coalesce(func.sum(MARKS.c.contact_count), 0))
            .where(MARKS.c.version_id == VERSIONS.c.version_id)
            .scalar_subquery()
            .label("forgotten_count")
        )
        statement = (
            select(*VERSIONS.c, serves, forgotten)
            .select_from(joined)
            .where(VERSIONS.c.account_id == self._account_id, *chosen)
            .order_by(VERSIONS.c.model, VERSIONS.c.number.desc())
        )
        return tuple(self._version(row) for row in connection.execute(statement))

    def _version(self, row: Row[*tuple[Any, ...]]) -> Version:
        values = dict(row._mapping)
        values.pop("account_id")
        return Version(
            model=ModelName(values.pop("model")),
            verdict=Verdict(values.pop("verdict")),
            folder=self._root.joinpath(*values.pop("folder").split("/")),
            **values,
        )

    def _intact_before(
        self, model: ModelName, *, as_of: datetime | None = None
    ) -> tuple[Version, Artifact] | None:
        """Return the nearest version that served before (now, or at `as_of`) and can be loaded."""
        there = {version.number: version for version in self.list(model)}
        for number in served_before(_until(self.ledger(model), as_of)):
            if number not in there:
                continue
            try:
                return there[number], self.load(there[number])
            except DamagedArtifact:
                continue
        return None

    def _fall_back(
        self,
        champion: Version,
        version: Version,
        artifact: Artifact,
        damage: DamagedArtifact,
        now: datetime,
    ) -> Serving:
        kind, reason = ChangeKind.FALLBACK, f"artifact damaged: {damage.problem}"
        moved = self._move(kind, champion, version, BY_CHATLIFT, reason, now, version.metrics)
        return Serving(version=moved, artifact=artifact, warning=_instead(damage, moved))

    def _move(
        self,
        kind: ChangeKind,
        champion: Version | None,
        version: Version,
        by: str,
        reason: str,
        now: datetime,
        figures: Mapping[str, Any],
    ) -> Version:
        model, expected = version.model, champion.number if champion else None
        with self._database.write() as connection:
            if lock_state(connection, self._account_id, model) != expected:
                raise Conflict(
                    f"The champion of {model} was changed meanwhile. Look and try again."
                )
            change = _change(model, kind, expected, version.number, by, reason, now, figures)
            move_champion(connection, self._account_id, change)
        return self.get(model, version.number)

    def _delete(
        self,
        model: ModelName,
        versions: Sequence[Version],
        by: str,
        now: datetime,
        force: bool,
    ) -> None:
        self._artifacts.confirm()
        numbers = [version.number for version in versions]
        with self._database.write() as connection:
            serving = lock_state(connection, self._account_id, model)
            if serving in numbers and not force:
                raise Conflict(
                    f"Version {serving} of {model} serves. Promote another first, or delete it "
                    "with --force; predictions then answer that no version is ready."
                )
            if serving in numbers:
                kind, reason = ChangeKind.DELETE, "deleted"
                gone = _change(model, kind, serving, None, by, reason, now, {})
                move_champion(connection, self._account_id, gone)
            ids = [version.version_id for version in versions]
            mine = VERSIONS.c.account_id == self._account_id
            connection.execute(delete(VERSIONS).where(mine, VERSIONS.c.version_id.in_(ids)))
        for version in versions:
            shutil.rmtree(version.folder, ignore_errors=True)


def _changed_at(folder: Path) -> datetime:
    return datetime.fromtimestamp(folder.stat().st_mtime, UTC)


def _until(entries: tuple[LedgerEntry, ...], as_of: datetime | None) -> tuple[LedgerEntry, ...]:
    return tuple(entry for entry in entries if as_of is None or entry.changed_at <= as_of)


def _instead(damage: DamagedArtifact, version: Version) -> str:
    return f"{damage} Version {version.number}, which served before, answers instead."


def _is(version: Version, wanted: str) -> bool:
    if wanted in {"champion", "candidate"}:
        return version.is_champion == (wanted == "champion")
    return wanted.removeprefix("v") == str(version.number)


def _change(
    model: ModelName,
    kind: ChangeKind,
    before: int | None,
    after: int | None,
    by: str,
    reason: str,
    now: datetime,
    figures: Mapping[str, Any],
) -> LedgerEntry:
    return LedgerEntry(
        model=model,
        changed_at=now,
        from_number=before,
        to_number=after,
        kind=kind,
        decided_by=by,
        reason=reason,
        figures=dict(figures),
    )


def _stored_column(name: str) -> ColumnElement[Any]:
    return stored_number(EVALUATIONS.c.cutoff_at) if name == "cutoff" else EVALUATIONS.c[name]


def _to_rows(predictions: pl.DataFrame, version_id: int) -> pl.DataFrame:
    """Return the rows with a random id per example, which means nothing outside."""
    cast = predictions.select(pl.col(n).cast(t) for n, t in EVALUATION_PREDICTIONS.items())
    examples = cast.select("entity_id", "cutoff").unique(maintain_order=True)
    ids = pl.Series("example_id", [secrets.token_hex(8) for _ in range(examples.height)], pl.String)
    joined = cast.join(
        examples.with_columns(ids), on=["entity_id", "cutoff"], how="left", maintain_order="left"
    )
    return joined.rename({"cutoff": "cutoff_at"}).with_columns(
        pl.lit(version_id).alias("version_id"), pl.col("label").cast(pl.Float64)
    )
