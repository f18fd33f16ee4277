"""Secrets in the database: unreadable without the key, and bound to what they belong to."""

from __future__ import annotations

import base64

import pytest

from chatlift.errors import InvalidInput, Unavailable
from chatlift.registry.secret_box import SecretBox, SecretKeyMissing

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(1, 33))).decode()
SECRET = "the app's secret"  # noqa: S105 - made up


def test_a_sealed_text_opens_again_and_shows_nothing() -> None:
    box = SecretBox(KEY)
    sealed = box.seal(SECRET, name="hook-1")
    assert SECRET not in sealed
    assert SECRET.encode() not in base64.b64decode(sealed)
    assert sealed != box.seal(SECRET, name="hook-1")
    assert box.open(sealed, name="hook-1") == SECRET


def test_it_opens_for_nothing_else_and_under_no_other_key() -> None:
    sealed = SecretBox(KEY).seal(SECRET, name="hook-1")
    for box, name in ((SecretBox(KEY), "hook-2"), (SecretBox(OTHER), "hook-1")):
        with pytest.raises(Unavailable, match="another key"):
            box.open(sealed, name=name)


def test_an_earlier_key_behind_the_present_one_still_opens() -> None:
    sealed = SecretBox(KEY).seal(SECRET, name="hook")
    both = SecretBox(f"{OTHER}, {KEY}")
    assert both.open(sealed, name="hook") == SECRET
    assert SecretBox(OTHER).open(both.seal(SECRET, name="hook"), name="hook") == SECRET


@pytest.mark.parametrize("keys", [None, "", " , "])
def test_without_a_key_the_refusal_says_how_to_make_one(keys: str | None) -> None:
    with pytest.raises(SecretKeyMissing, match="token_urlsafe"):
        SecretBox(keys)


@pytest.mark.parametrize("keys", ["short", KEY[:-4], "ü" * 43, f"{KEY},password"])
def test_a_weak_key_is_refused_and_not_shown(keys: str) -> None:
    with pytest.raises(InvalidInput, match="no base64 of 32") as refused:
        SecretBox(keys)
    assert keys not in str(refused.value)


def test_a_key_may_be_written_with_or_without_padding() -> None:
    sealed = SecretBox(KEY.rstrip("=")).seal(SECRET, name="hook")
    assert SecretBox(KEY).open(sealed, name="hook") == SECRET
