from __future__ import annotations

from pathlib import Path

import pytest

from chatlift.errors import InvalidInput
from chatlift.sources.mapping_files import Preset, load_mapping, load_preset

TEXTS = {
    "toml": '[contacts]\nexternal_id = "nr"\n[contacts.known]\ncity = "creation"\n',
    "json": '{"contacts": {"external_id": "nr", "known": {"city": "creation"}}}',
    "yaml": "contacts:\n  external_id: nr\n  known: {city: creation}\n",
}


@pytest.mark.parametrize("ending", TEXTS)
def test_a_mapping_is_read_from_toml_json_and_yaml(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"map.{ending}"
    path.write_text(TEXTS[ending], encoding="utf-8")
    contacts = load_mapping(path).of("contacts")
    assert contacts.columns == {"external_id": "nr"}
    assert contacts.known == {"city": "creation"}


def test_words_that_yaml_reads_as_flags_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "map.yml"
    path.write_text("leads:\n  won_values: [yes, sold]\n  lost_values: [no]\n", encoding="utf-8")
    leads = load_mapping(path).of("leads")
    assert {"yes", "true", "sold"} <= set(leads.words("won_values"))
    assert "no" in leads.words("lost_values")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deep.json", "[" * 100_000),
        ("deep.yaml", "[" * 20_000),
        ("object.yaml", "!!python/object/apply:os.getcwd []"),
        ("list.json", "[1]"),
        ("broken.toml", "[contacts"),
        ("long.toml", "#" * 1_000_001),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match="mapping"):
        load_mapping(path)


@pytest.mark.parametrize("preset", Preset)
def test_every_preset_names_only_fields_there_are(preset: Preset) -> None:
    assert any(table.headers for table in load_preset(preset).tables.values())
