"""The model test suite on stored versions, and what becomes of spoiled ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.businesses import account_of, records_of
from tests.histories import at, history
from tests.unit.workflows.conftest import DAYS, FLOORS

from chatlift.errors import Unavailable
from chatlift.registry.champions import ChangeKind
from chatlift.registry.versions import EVALUATIONS, VERSIONS, Version
from chatlift.registry.workspace import Workspace
from chatlift.vocabulary import ModelName
from chatlift.workflows.check import ModelCheck, check
from chatlift.workflows.predict import PredictRequest, predict

LEADS, ENGAGEMENT = ModelName.LEAD_SCORING, ModelName.ENGAGEMENT
Spoil = Callable[[Path, Path], None]
"""Takes the champion's folder and that of the version before."""


def checked(
    workspace: Workspace, model: ModelName = LEADS, version: str = "champion"
) -> ModelCheck:
    (found,) = check(workspace, (model,), version=version).checks
    return found


def failures(found: ModelCheck) -> dict[str, str]:
    return {f.name: f.sentence for f in found.findings if not f.passed}


@pytest.mark.parametrize(
    ("model", "version"), [(LEADS, "champion"), (LEADS, "candidate"), (ENGAGEMENT, "1")]
)
def test_a_version_passes_as_a_new_process_reads_it(
    trained: Workspace, model: ModelName, version: str
) -> None:
    found = checked(trained, model, version)
    assert failures(found) == {}
    assert found.passed
    assert found.version_number == (2 if version == "champion" else 1)
    assert len(found.answers) == 5
    scores = [answer.score for answer in found.answers]
    assert found.average_score == pytest.approx(sum(scores) / 5)
    assert {"loads", "single_is_batch", "does_not_memorise"} <= {f.name for f in found.findings}


def test_the_shown_predictions_are_those_that_predict_gives(trained: Workspace) -> None:
    """The first source ended on day 100, another went on; each contact is shown as of its own."""
    later = history(
        contacts=[(901, 120)],
        messages=[(901, "in", day, "hello") for day in (121, 140, 158)],
        leads=[(901, 901, 150, "open", None)],
        through=160,
    )
    trained.crm.write(records_of(later), source="later")
    trained.crm.write_observation("later", observed_from=at(0), observed_through=at(160))
    told = predict(trained, PredictRequest(model=LEADS), now=at(160))
    answers = {p.answer for p in (*told.predictions, *told.past_horizon)}
    shown = checked(trained).answers
    assert len(shown) == 5
    assert set(shown) <= answers
    assert at(DAYS) in {answer.as_of for answer in shown}


def test_targets_count_only_if_strict(trained: Workspace) -> None:
    hard = {"lead_scoring": FLOORS["lead_scoring"] | {"targets": {"mae": 0.001}}}
    with account_of(trained.settings.home, settings=hard) as demanding:
        assert check(demanding, (LEADS,)).passed
        (strict,) = check(demanding, (LEADS,), strict=True).checks
    assert "mae" in failures(strict)["targets_met"]
    assert not strict.passed


def test_a_model_without_a_version_fails_and_leaves_the_others_alone(trained: Workspace) -> None:
    report = check(trained, (ModelName.CHURN, LEADS))
    churn, leads = report.checks
    assert "No version of churn serves yet" in failures(churn)["loads"]
    assert churn.version_number is None
    assert leads.passed
    assert not report.passed


def test_figures_that_do_not_follow_from_the_predictions_are_seen(trained: Workspace) -> None:
    version = trained.versions.get(LEADS, "champion")
    better = json.loads(json.dumps(dict(version.evaluation)))
    better["figures"]["mae"]["value"] -= 5
    _change(trained, version, evaluation=better)
    assert "mae" in failures(checked(trained))["figures_hold"]


def test_stored_predictions_that_are_the_labels_are_seen(trained: Workspace) -> None:
    """Who writes perfect predictions must also have had such figures, and such a model."""
    version = trained.versions.get(LEADS, "champion")
    perfect = update(EVALUATIONS).where(EVALUATIONS.c.version_id == version.version_id)
    with trained.database.across_accounts().write() as connection:
        connection.execute(perfect.values(probability=EVALUATIONS.c.label))
    found = failures(checked(trained))
    assert {"figures_hold", "reproduces_stored_predictions"} <= set(found)


def test_labels_that_a_later_import_corrected_are_counted(trained: Workspace) -> None:
    version = trained.versions.get(LEADS, "champion")
    turned = update(EVALUATIONS).where(EVALUATIONS.c.version_id == version.version_id)
    with trained.database.across_accounts().write() as connection:
        connection.execute(turned.values(label=1 - EVALUATIONS.c.label))
    assert "later imports corrected" in failures(checked(trained))["labels_hold"]


def _change(workspace: Workspace, version: Version, **values: object) -> None:
    with workspace.database.across_accounts().write() as connection:
        chosen = update(VERSIONS).where(VERSIONS.c.version_id == version.version_id)
        connection.execute(chosen.values(**values))


# Spoiled files


def pickle_that_makes(folder: Path) -> bytes:
    """A pickle in its oldest writing: `os.mkdir(folder)`, called as it is read."""
    return f"cos\nmkdir\n(V{folder.as_posix()}\ntR.".encode("ascii")


def truncated(name: str) -> Spoil:
    def spoil(folder: Path, before: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return spoil


def changed_byte(name: str) -> Spoil:
    def spoil(folder: Path, before: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(bytes(data))

    return spoil


def deleted(name: str) -> Spoil:
    def spoil(folder: Path, before: Path) -> None:
        (folder / name).unlink()

    return spoil


def taken_from_the_version_before(name: str) -> Spoil:
    def spoil(folder: Path, before: Path) -> None:
        (folder / name).write_bytes((before / name).read_bytes())

    return spoil


def joined_by_a_stranger(folder: Path, before: Path) -> None:
    (folder / "extra.py").write_text("raise SystemExit", encoding="utf-8")


def swapped_whole(folder: Path, before: Path) -> None:
    spare = folder.with_name("spare")
    folder.rename(spare)
    for path in before.iterdir():
        (folder / path.name).parent.mkdir(exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())


MAIN = "lead_scoring_model.ubj"
SPOILED = {
    "booster truncated": truncated(MAIN),
    "booster missing": deleted(MAIN),
    "booster changed": changed_byte(MAIN),
    "booster of another version": taken_from_the_version_before(MAIN),
    "pipeline changed": changed_byte("pipeline.json"),
    "text weights changed": changed_byte("text_weights.bin"),
    "text weights missing": deleted("text_weights.bin"),
    "manifest changed": changed_byte("manifest.json"),
    "manifest missing": deleted("manifest.json"),
    "manifest of another version": taken_from_the_version_before("manifest.json"),
    "folder of another version": swapped_whole,
    "a file too many": joined_by_a_stranger,
}


def assert_the_version_before_answers(workspace: Workspace, model: ModelName) -> None:
    told = predict(workspace, PredictRequest(model=model), now=at(DAYS))
    assert told.version_number == 1
    assert told.predictions
    (warning,) = told.warnings
    assert "Nothing of them was loaded" in warning
    assert "Version 1, which served before, answers instead" in warning
    assert workspace.versions.ledger(model)[-1].kind is ChangeKind.FALLBACK
    again = predict(workspace, PredictRequest(model=model), now=at(DAYS))
    assert (again.warnings, again.predictions) == ((), told.predictions)


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_a_spoiled_champion_is_refused_and_the_version_before_answers(
    trained: Workspace, spoil: Spoil
) -> None:
    champion, before = (trained.versions.get(LEADS, number) for number in (2, 1))
    spoil(champion.folder, before.folder)
    found = checked(trained)
    (sentence,) = failures(found).values()
    assert "The files of lead_scoring version 2 cannot be used" in sentence
    assert "rollback" in sentence
    assert found.answers == ()
    assert not found.passed
    assert_the_version_before_answers(trained, LEADS)


@pytest.mark.parametrize("name", [MAIN, "pipeline.json", "text_weights.bin", "manifest.json"])
def test_a_pickle_in_place_of_any_file_is_never_read(
    trained: Workspace, tmp_path: Path, name: str
) -> None:
    mark = tmp_path / "made-by-the-pickle"
    (trained.versions.get(LEADS, 2).folder / name).write_bytes(pickle_that_makes(mark))
    assert "cannot be used" in failures(checked(trained))["loads"]
    assert_the_version_before_answers(trained, LEADS)
    assert not mark.exists()


def test_a_pickle_in_place_of_the_engagement_model_is_never_read(
    trained: Workspace, tmp_path: Path
) -> None:
    mark = tmp_path / "made-by-the-pickle"
    folder = trained.versions.get(ENGAGEMENT, 2).folder
    (folder / "engagement_model.json").write_bytes(pickle_that_makes(mark))
    assert "cannot be used" in failures(checked(trained, ENGAGEMENT))["loads"]
    assert_the_version_before_answers(trained, ENGAGEMENT)
    assert not mark.exists()


def test_the_pickle_of_these_tests_would_have_done_harm(tmp_path: Path) -> None:
    mark = tmp_path / "made-by-the-pickle"
    (tmp_path / "model").write_bytes(pickle_that_makes(mark))
    reader = [sys.executable, "-m", "pickle", str(tmp_path / "model")]
    subprocess.run(reader, check=True, capture_output=True)  # noqa: S603
    assert mark.is_dir()


def test_with_every_version_spoiled_nothing_is_made_up(trained: Workspace) -> None:
    for version in trained.versions.list(LEADS):
        truncated(MAIN)(version.folder, version.folder)
    with pytest.raises(Unavailable, match="lead_scoring version 2 cannot be used"):
        predict(trained, PredictRequest(model=LEADS), now=at(DAYS))
    assert trained.versions.get(LEADS, "champion").number == 2


def test_a_spoiled_version_asked_for_by_number_is_no_reason_to_answer_by_another(
    trained: Workspace,
) -> None:
    truncated(MAIN)(trained.versions.get(LEADS, 1).folder, trained.settings.home)
    with pytest.raises(Unavailable, match="lead_scoring version 1 cannot be used"):
        predict(trained, PredictRequest(model=LEADS, version="1"), now=at(DAYS))
    assert checked(trained).passed
