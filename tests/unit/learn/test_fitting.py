from __future__ import annotations

from dataclasses import replace

import polars as pl
from tests.histories import business

from chatlift.learn.features.catalogue import catalogue
from chatlift.learn.fitting import Recipe, fit
from chatlift.learn.snapshots import take_snapshot
from chatlift.learn.specs.directory import SPECS
from chatlift.vocabulary import FactSubject, ModelName


def test_what_a_lead_has_is_no_unusable_column_of_a_model_of_contacts() -> None:
    story = business(3, contacts=60)
    leads = story.leads.select("lead_id", "created_at")
    values = pl.DataFrame(
        {
            "subject": [str(FactSubject.LEAD)] * leads.height,
            "subject_id": leads["lead_id"],
            "name": ["grade"] * leads.height,
            "value": ["high"] * leads.height,
            "known_at": leads["created_at"],
        },
        schema=story.facts.schema,
    )
    story = replace(story, facts=pl.concat([story.facts, values]))
    spec, features = SPECS[ModelName.ENGAGEMENT], catalogue(ModelName.ENGAGEMENT)
    mature = spec.examples(story, spec.spans).filter(pl.col("label").is_not_null())
    snapshot = take_snapshot(story, mature, features, key=b"key")
    assert "lead.grade" in snapshot.attributes.columns
    names = tuple(feature.name for feature in features)
    quick = {"text_strength": 0.0}
    fitted = fit(snapshot, Recipe(estimator="logistic", parameters=quick, seed=0, features=names))
    assert not [name for name, _ in fitted.encoder.dropped if name.startswith("lead.")]
