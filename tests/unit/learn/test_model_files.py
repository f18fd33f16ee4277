"""Files of a version: whole they give the very same model, spoiled they give a clear error."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.businesses import QUICK
from tests.histories import business

from chatlift.errors import Unavailable
from chatlift.learn.estimators import ESTIMATORS
from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import FittedModel, Recipe, fit
from chatlift.learn.model_files import PIPELINE_FILE, TEXT_FILE, from_files, to_files
from chatlift.learn.snapshots import Snapshot, take_snapshot
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import ModelName

Files = dict[str, bytes]


@dataclass(frozen=True)
class Written:
    """A model, the rows it was fitted on, and its files."""

    model: FittedModel
    snapshot: Snapshot
    main_file: str
    files: Files

    def __repr__(self) -> str:
        return self.main_file


def written_of(name: ModelName) -> Written:
    told = business(7, contacts=50, days=95)
    spec = SPECS[name]
    found = spec.examples(told, spec.spans).filter(pl.col("label").is_not_null())
    features = catalogue(name)
    snapshot = take_snapshot(told, found, features, key=b"k")
    recipe = Recipe(
        estimator=spec.estimator,
        parameters=spec.parameters(QUICK[name]),
        seed=3,
        features=tuple(feature.name for feature in features),
    )
    model = fit(snapshot, recipe)
    return Written(model, snapshot, spec.main_file, to_files(model, spec.main_file))


@pytest.fixture(scope="module", params=list(ModelName))
def written(request: pytest.FixtureRequest) -> Written:
    return written_of(request.param)


@pytest.fixture(scope="module")
def leads() -> Written:
    return written_of(ModelName.LEAD_SCORING)


def test_what_is_read_back_answers_the_same_to_the_last_bit(written: Written) -> None:
    read = from_files(written.files, written.main_file)
    for ours, theirs in ((read, written.model), (written.model, read)):
        assert np.array_equal(
            ours.design(written.snapshot), theirs.design(written.snapshot), equal_nan=True
        )
    first, second = (m.probabilities(written.snapshot) for m in (read, written.model))
    assert np.array_equal(first, second)
    assert read.threshold == written.model.threshold
    assert read.recipe == written.model.recipe
    assert read.columns == written.model.columns
    assert read.evidence == written.model.evidence is not None
    assert np.array_equal(read.medians, written.model.medians, equal_nan=True)


def test_a_version_from_before_reasons_had_evidence_still_loads(written: Written) -> None:
    pipeline = json.loads(written.files[PIPELINE_FILE])
    del pipeline["evidence"]
    older = written.files | {PIPELINE_FILE: json.dumps(pipeline).encode("utf-8")}
    assert from_files(older, written.main_file).evidence is None


def test_writing_what_was_read_gives_the_same_content(written: Written) -> None:
    read = from_files(written.files, written.main_file)
    again = to_files(read, written.main_file)
    assert without(again, PIPELINE_FILE) == without(written.files, PIPELINE_FILE)
    assert json.loads(again[PIPELINE_FILE]) == json.loads(written.files[PIPELINE_FILE])


def test_files_hold_no_words_of_anybody(written: Written) -> None:
    whole = b"".join(written.files.values()).lower()
    assert not [word for word in (b"invoice", b"expensive", b"buy it") if word in whole]


def test_a_model_without_text_has_no_text_file(leads: Written) -> None:
    silent = replace(leads.model, text=None)
    files = to_files(silent, leads.main_file)
    assert TEXT_FILE not in files
    assert from_files(files, leads.main_file).text is None


def pipeline(files: Files, **changed: object) -> Files:
    told = json.loads(files[PIPELINE_FILE]) | changed
    return files | {PIPELINE_FILE: json.dumps(told).encode()}


def without(files: Files, name: str) -> Files:
    return {other: data for other, data in files.items() if other != name}


BOOSTER = "lead_scoring_model.ubj"
SPOILED: dict[str, Callable[[Files], Files]] = {
    "no pipeline": lambda files: without(files, PIPELINE_FILE),
    "no booster": lambda files: without(files, BOOSTER),
    "no text weights": lambda files: without(files, TEXT_FILE),
    "empty pipeline": lambda files: files | {PIPELINE_FILE: b""},
    "pipeline of bytes": lambda files: files | {PIPELINE_FILE: b"\x80\x04K\x01."},
    "pipeline that is a list": lambda files: files | {PIPELINE_FILE: b"[]"},
    "pipeline of the future": lambda files: pipeline(files, schema_version=99),
    "unknown algorithm": lambda files: pipeline(
        files, recipe=json.loads(files[PIPELINE_FILE])["recipe"] | {"estimator": "oracle"}
    ),
    "threshold that is no number": lambda files: pipeline(files, threshold="high"),
    "calibration without a slope": lambda files: pipeline(files, calibrator={}),
    "encoder that is none": lambda files: pipeline(files, encoder="{}"),
    "short text weights": lambda files: files | {TEXT_FILE: b"\0" * 8},
    "odd text weights": lambda files: files | {TEXT_FILE: b"\0" * 7},
    "half a booster": lambda files: files | {BOOSTER: files[BOOSTER][: len(files[BOOSTER]) // 2]},
    "empty booster": lambda files: files | {BOOSTER: b""},
    "pickle as booster": lambda files: files | {BOOSTER: b"\x80\x04K\x01."},
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_spoiled_files_give_a_clear_error(leads: Written, spoil: Callable[[Files], Files]) -> None:
    with pytest.raises(Unavailable, match=r"(?i)roll back to the version before"):
        from_files(spoil(leads.files), leads.main_file)


def test_a_spoiled_engagement_model_gives_a_clear_error() -> None:
    for content in (
        b"",
        b"{}",
        b"[]",
        b'{"mean": "x", "scale": [1], "weights": [1]}',
        b"\x80\x04.",
    ):
        with pytest.raises(Unavailable, match="roll back"):
            ESTIMATORS["logistic"].load(content)


@settings(max_examples=30, deadline=None)
@given(text=st.text(max_size=200), junk=st.binary(max_size=200))
def test_no_content_whatever_raises_anything_else(leads: Written, text: str, junk: bytes) -> None:
    for name, content in ((PIPELINE_FILE, text.encode()), (PIPELINE_FILE, junk), (BOOSTER, junk)):
        with pytest.raises(Unavailable):
            from_files(leads.files | {name: content}, leads.main_file)
