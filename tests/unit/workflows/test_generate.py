from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from chatlift.errors import Conflict
from chatlift.learn.specs.directory import SPECS
from chatlift.simulate.crm import simulate_crm
from chatlift.simulate.quality import quality_of
from chatlift.simulate.request import SimulationRequest
from chatlift.simulate.truth_files import load_truth, truth_by_entity
from chatlift.vocabulary import SIMULATED, ModelName
from chatlift.workflows.generate import UNFINISHED, generate

UNTIL = datetime(2026, 3, 4, 10, tzinfo=UTC)


def request(**changed):
    small = {"contacts": 30, "conversations": 20, "closed_leads": 10, "open_leads": 5, "seed": 1000}
    return SimulationRequest(**({"until": UNTIL} | small | changed))


def test_everything_that_was_made_is_stored_and_observed(crm, tmp_path):
    made = generate(request(), crm=crm, truth_folder=tmp_path / "truth")
    stored = crm.counts()
    assert (stored.contacts, stored.conversations, stored.leads) == (30, 20, 15)
    assert (stored.leads_won, stored.leads_lost, stored.leads_open) == (3, 7, 5)
    assert stored.messages == made.messages
    assert made.written.rejections.is_empty()
    assert made.written.facts.accepted == stored.facts
    observed = crm.read_history().observations.row(0, named=True)
    assert (observed["source"], observed["observed_through"]) == (SIMULATED, UNTIL)


def test_each_step_ends_with_its_count(crm, tmp_path):
    steps = []
    generate(request(), crm=crm, truth_folder=tmp_path / "truth", report=steps.append)
    told = [step.message for step in steps]
    assert "Created 30 contacts" in told
    assert "Created 10 leads (3 converted, 7 not converted)" in told
    assert "Created 5 open leads to score" in told
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_the_truth_is_kept_apart_and_read_back(crm, tmp_path):
    assert load_truth(tmp_path / "truth") is None
    generate(request(), crm=crm, truth_folder=tmp_path / "truth")
    truth = load_truth(tmp_path / "truth")
    assert truth.leads.columns == ["external_id", "probability", "probability_after_week"]
    assert truth.leads.height == 15
    assert not crm.read_history().facts["name"].str.contains("probability").any()


def test_generating_again_needs_replace_and_then_leaves_only_the_new(crm, tmp_path):
    generate(request(), crm=crm, truth_folder=tmp_path / "truth")
    with pytest.raises(Conflict, match="--replace"):
        generate(request(), crm=crm, truth_folder=tmp_path / "truth")
    made = generate(
        request(contacts=25, seed=1001), crm=crm, truth_folder=tmp_path / "truth", replace=True
    )
    assert (crm.counts().contacts, crm.counts().messages) == (25, made.messages)


@pytest.mark.parametrize("phase", ["contacts", "leads", "messages", "facts"])
def test_a_generation_that_was_killed_is_named_and_replaced_by_the_next(crm, tmp_path, phase):
    def killed(step):
        if step.phase == phase and "of" in step.message and step.fraction > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(request(seed=1001), crm=crm, truth_folder=tmp_path / "truth", report=killed)
    assert crm.counts().contacts > 0
    steps = []
    made = generate(request(), crm=crm, truth_folder=tmp_path / "truth", report=steps.append)
    assert steps[0].message == UNFINISHED
    assert (crm.counts().contacts, crm.counts().messages) == (30, made.messages)


def test_a_deletion_that_was_killed_is_named_too(crm, tmp_path):
    def killed(step):
        if step.phase == "delete":
            raise KeyboardInterrupt

    generate(request(), crm=crm, truth_folder=tmp_path / "truth")
    with pytest.raises(KeyboardInterrupt):
        generate(request(), crm=crm, truth_folder=tmp_path / "truth", replace=True, report=killed)
    steps = []
    generate(request(), crm=crm, truth_folder=tmp_path / "truth", report=steps.append)
    assert steps[0].message == UNFINISHED


def test_imported_records_are_never_replaced(crm, tmp_path):
    crm.write(simulate_crm(request()).records, source="files")
    before = crm.counts()
    with pytest.raises(Conflict, match="records from files"):
        generate(request(), crm=crm, truth_folder=tmp_path / "truth", replace=True)
    assert crm.counts() == before
    assert not (tmp_path / "truth").exists()


def test_the_quality_table_counts_what_is_missing(crm, tmp_path):
    quality = generate(request(), crm=crm, truth_folder=tmp_path / "truth").quality
    assert quality.outcomes == {"lost": 7, "open": 5, "won": 3}
    assert set(quality.duplicates.values()) == {0}
    cities = [m for m in quality.missing if (m.table, m.column) == ("contacts", "city")]
    assert cities[0].rows == 30
    assert 0 < cities[0].missing < 30


def test_a_doubled_contact_is_counted_as_a_duplicate(crm, tmp_path):
    records = simulate_crm(request()).records
    doubled = replace(records, contacts=records.contacts.vstack(records.contacts.head(1)))
    assert quality_of(doubled).duplicates["contacts"] == 1


@pytest.mark.parametrize("model", list(ModelName))
def test_every_mature_example_finds_its_true_probability(crm, tmp_path, model):
    generate(request(), crm=crm, truth_folder=tmp_path / "truth")
    history = crm.read_history()
    spec = SPECS[model]
    mature = spec.examples(history, spec.spans).filter(pl.col("label").is_not_null())
    truth = truth_by_entity(load_truth(tmp_path / "truth"), model, history)
    keys = ["entity_id"] if model is ModelName.LEAD_SCORING else ["entity_id", "cutoff"]
    assert mature.height > 20
    assert mature.join(truth, on=keys, how="anti").is_empty()


def test_a_truth_of_an_older_form_is_none(crm, tmp_path):
    folder = tmp_path / "truth"
    generate(request(), crm=crm, truth_folder=folder)
    truth = load_truth(folder)
    truth.leads.drop("probability_after_week").write_parquet(folder / "leads.parquet")
    assert load_truth(folder) is None
