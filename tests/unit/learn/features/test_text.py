"""Hashed words: masked, keyed, the same whatever else is hashed beside them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatlift.errors import InvalidInput
from chatlift.learn.features.text import (
    TextWeights,
    TokenMatrix,
    documents_of,
    hash_messages,
    learn_text_weights,
    windowed_means,
)


def hashed(*texts: str | None, key: bytes = b"key") -> TokenMatrix:
    return hash_messages(pl.Series(texts, dtype=pl.String), key)


def row(tokens: TokenMatrix, number: int) -> list[int]:
    return tokens.indices[tokens.indptr[number] : tokens.indptr[number + 1]].tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("call +34 600 111 222", "call +49 171 999 8888"),
        ("write to a@example.com", "write to zed@example.org"),
        ("see https://a.example/x", "see www.b.example"),
        ("it costs 12", "it costs 3456"),
        ("HELLO there", "hello there"),
    ],
)
def test_particulars_and_case_leave_no_trace(one, other):
    tokens = hashed(one, other)
    assert row(tokens, 0) == row(tokens, 1)


def test_another_key_gives_other_numbers():
    assert row(hashed("hello there"), 0) != row(hashed("hello there", key=b"other"), 0)


def test_emoji_count_and_scripts_without_spaces_share_pieces():
    tokens = hashed("😀", None, "", "我想买这个", "你想买这个吗")
    assert tokens.counts.tolist()[:3] == [1, 0, 0]
    assert len(set(row(tokens, 3)) & set(row(tokens, 4))) >= 3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=6))
def test_a_message_hashes_alike_alone_and_among_others(texts):
    together = hashed(*texts)
    for number, text in enumerate(texts):
        assert row(hashed(text), 0) == row(together, number)


def test_weights_tell_the_words_of_the_classes_apart():
    tokens = hashed(*["i want to buy it", "not interested bye"] * 20)
    starts = np.arange(40)
    labels = np.tile([1.0, 0.0], 20)
    weights = learn_text_weights(
        documents_of(tokens, starts, starts + 1), labels, strength=1.0, seed=0
    )
    scores = weights.message_scores(hashed("want to buy", "bye not interested"))
    assert scores[0] > 0 > scores[1]
    assert scores.dtype == np.int64


def test_message_scores_are_the_rounded_sum_over_the_root_of_the_count():
    tokens = TokenMatrix(indptr=np.array([0, 2, 2]), indices=np.array([0, 1]), bits=1)
    weights = TextWeights(weights=np.array([3, 4], dtype=np.int32), bits=1)
    assert weights.message_scores(tokens).tolist() == [5, 0]  # 7 / sqrt(2) = 4.95


def test_weights_of_other_bits_are_refused():
    weights = TextWeights(weights=np.zeros(2, dtype=np.int32), bits=1)
    with pytest.raises(InvalidInput, match="15 bits"):
        weights.message_scores(hashed("hello"))


def test_means_of_windows():
    means = windowed_means(np.array([1, 3, 5]), np.array([0, 1, 3]), np.array([2, 3, 3]))
    np.testing.assert_array_equal(means, [2.0, 4.0, np.nan])
