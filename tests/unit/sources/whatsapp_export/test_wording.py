"""The files of languages: each phrase has one meaning, and each name is one that is read."""

import tomllib
from importlib import resources

import pytest

from chatlift.sources.whatsapp_export.contents import (
    DELETED,
    FILE_KINDS,
    POLL,
    TEXT,
    UNSUPPORTED,
    content_of,
)
from chatlift.sources.whatsapp_export.wording import LANGUAGES, folded, visible, wording

FOLDER = resources.files("chatlift.sources.whatsapp_export") / "languages"
NAMES = {"am", "pm", "between", "titles", "notices", "edited", "attached", "attachment"}
TABLES = {"whole", "opening", "marked_opening", "system"}
KINDS = FILE_KINDS | {DELETED, UNSUPPORTED, POLL, "location", "call"}


def table(language: str) -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


def test_every_file_of_a_language_is_read() -> None:
    files = {file.name.removesuffix(".toml") for file in FOLDER.iterdir()}
    assert files == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_names_only_what_is_read(language: str) -> None:
    held = table(language)
    assert set(held) <= NAMES | TABLES
    for name in TABLES - {"system"}:
        assert set(held.get(name, {})) <= KINDS
    assert set(held.get("system", {})) <= set(table("en")["system"])


def test_a_whole_phrase_means_the_same_in_all_languages() -> None:
    phrases = [
        (folded(phrase), kind)
        for language in LANGUAGES
        for kind, listed in table(language)["whole"].items()
        for phrase in listed
    ]
    assert len(dict(phrases)) == len(set(phrases))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_whole_phrase_is_known_as_its_kind(language: str) -> None:
    for kind, phrases in table(language)["whole"].items():
        assert {content_of(phrase).kind for phrase in phrases} == {kind}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_edited_mark_is_taken_off(language: str) -> None:
    for mark in table(language).get("edited", []):
        content = content_of(f"hola <{mark}>")
        assert (content.kind, content.text, content.is_edited) == (TEXT, "hola", True)


def test_a_word_for_half_of_the_day_is_of_one_half() -> None:
    assert wording().am & wording().pm == frozenset()


def test_a_phrase_begins_where_a_word_begins() -> None:
    assert wording().system_category("Ana is cleft") is None
    assert wording().system_category("Ana left") == "group_change"


def test_what_cannot_be_seen_is_left_out() -> None:
    assert visible("\u200ea\u202ab\ufeffc\0d\u200de") == "abcd\u200de"
    assert folded("  \u200eImage\u00a0Omitted. ") == "image omitted"
