"""Text as a score: hashed words of inbound messages, and one linear weight per hash.

Input: texts, and a key of the account. Output: a `TokenMatrix`, each message's tokens as numbers;
no word is kept, and without the key nobody can tell which words a number stands for. A token is a
word, a pair of neighbours, or a piece of 3 to 5 characters inside a word (so scripts without
spaces work too); an emoji is a word. E-mail addresses, URLs and digits are masked before.

Scores are whole millionths of log-odds, so that sums do not depend on their order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from chatlift.errors import InvalidInput
from chatlift.history import History
from chatlift.learn.arrays import (
    Rows,
    begins_run,
    ids_of,
    joined_ranges,
    microseconds,
    running_totals,
)
from chatlift.learn.features.timeline import DAY, Inbound

Hashes = NDArray[np.uint64]

DEFAULT_BITS = 15
PIECE_LENGTHS = (3, 4, 5)
LONGEST_WORD = 32
"""Characters of a word that are looked at; a longer one is cut."""
UNIT = 1_000_000
"""Weights and scores: whole millionths of log-odds."""
MASKS = (
    (r"\S+@\S+\.\S+", " \ue001 "),
    (r"(?:https?://|www\.)\S+", " \ue002 "),
    (r"\+?[0-9][0-9 ()./-]{5,}[0-9]", " \ue003 "),
    (r"[0-9]+", " \ue004 "),
)
"""What is masked, in this order: e-mail addresses, URLs, phone numbers, other numbers."""
WORD = r"[\p{L}\p{M}]+|[\x{E001}-\x{E004}]|\p{Extended_Pictographic}|[?!]"
FEW_TEXTS = 300
"""Up to so many messages are numbered word by word, which is quicker than as a frame."""
FEW_WORDS = 4_000
"""Hashes of so many words are kept in memory, for each process."""
MOST_DUAL_DOCUMENTS = 300
"""Up to here the weights are solved for among the documents, which is quicker and the same."""
_PAIR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, kw_only=True)
class TokenMatrix:
    """One row of distinct token numbers per message, packed as in a sparse matrix."""

    indptr: Rows
    """Row i holds `indices[indptr[i]:indptr[i + 1]]`."""
    indices: NDArray[np.int32]
    bits: int = DEFAULT_BITS
    """Numbers go from 0 to 2 ** bits - 1."""

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def counts(self) -> Rows:
        """Number of distinct tokens per message."""
        return np.diff(self.indptr)

    def take(self, rows: Rows) -> TokenMatrix:
        """Return the tokens of the named messages only."""
        count = self.counts[rows]
        indices = self.indices[joined_ranges(self.indptr[rows], count)]
        return TokenMatrix(indptr=running_totals(count), indices=indices, bits=self.bits)


@dataclass(frozen=True, kw_only=True)
class TextWeights:
    """One weight per token number, whole millionths of log-odds."""

    weights: NDArray[np.int32]
    bits: int = DEFAULT_BITS

    def message_scores(self, tokens: TokenMatrix) -> Rows:
        """Return one score per message: sum of weights / sqrt(number of tokens), rounded.

        Raises
        ------
        InvalidInput
            If the tokens were hashed to another number of bits.
        """
        if tokens.bits != self.bits:
            raise InvalidInput(
                f"Weights for {self.bits} bits cannot score tokens of {tokens.bits} bits. "
                "Hash the messages with the bits of the version."
            )
        running = running_totals(self.weights[tokens.indices])
        sums = running[tokens.indptr[1:]] - running[tokens.indptr[:-1]]
        scores: Rows = np.rint(sums / np.sqrt(np.maximum(tokens.counts, 1))).astype(np.int64)
        return scores

    def window_means(self, tokens: TokenMatrix, starts: Rows, ends: Rows) -> NDArray[np.float64]:
        """Return the mean score of each range [start, end) of messages; NaN where it is empty.

        Only messages of the ranges are scored: one contact's cost no more for the others.
        """
        rows, starts, ends = rows_read(len(tokens), starts, ends)
        return windowed_means(self.message_scores(tokens.take(rows)), starts, ends)


def _found_words() -> pl.Expr:
    text = pl.col("text").fill_null("").str.to_lowercase()
    for pattern, mask in MASKS:
        text = text.str.replace_all(pattern, mask)
    return text.str.extract_all(WORD)


FOUND_WORDS = _found_words()
"""The words of a text, masked, as a list."""


def hash_messages(texts: pl.Series, key: bytes, *, bits: int = DEFAULT_BITS) -> TokenMatrix:
    """Return the token numbers of each text; a null text has none."""
    row, word, distinct = _words(texts)
    hashes = _piece_hashes(distinct, key)
    packed = np.concatenate([_whole_words(row, word, hashes), _pairs(row, word, hashes)])
    packed = np.concatenate([packed, _pieces(row, word, hashes)]) if len(word) else packed
    return _distinct(packed, len(texts), bits)


def _words(texts: pl.Series) -> tuple[Rows, Rows, list[str]]:
    """Return the message and the distinct word's number of each word, and the distinct words."""
    found = texts.cast(pl.String).to_frame("text").select(FOUND_WORDS).to_series()
    if len(found) <= FEW_TEXTS:
        return _numbered(found.to_list())
    words = (
        found.to_frame("word")
        .with_row_index("row")
        .explode("word")
        .drop_nulls()
        .with_columns(pl.col("word").str.slice(0, LONGEST_WORD).cast(pl.Categorical))
    )
    codes = words["word"].to_physical().to_numpy()
    used, word = np.unique(codes, return_inverse=True)
    first = np.zeros(len(used), dtype=np.int64)
    first[word[::-1]] = np.arange(len(word))[::-1]
    distinct = words["word"].cast(pl.String)[first].to_list() if len(word) else []
    return words["row"].to_numpy().astype(np.int64), word.astype(np.int64), distinct


def _numbered(found: list[list[str]]) -> tuple[Rows, Rows, list[str]]:
    """Do the same for a few messages, where a frame costs more than the words."""
    words = [word[:LONGEST_WORD] for text in found for word in text]
    numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
    row = np.repeat(np.arange(len(found)), [len(text) for text in found])
    return row, np.array([numbers[word] for word in words], dtype=np.int64), list(numbers)


@dataclass(frozen=True)
class _Hashed:
    """Hashes of each distinct word and of its pieces; pieces are packed, word after word."""

    words: Hashes
    starts: Rows
    pieces: Hashes


def _piece_hashes(distinct: list[str], key: bytes) -> _Hashed:
    if len(distinct) <= FEW_WORDS:
        found = [_hashes_of(word, key) for word in distinct]
        return _Hashed(
            words=np.array([word for word, _ in found], dtype=np.uint64),
            starts=running_totals(np.array([len(pieces) for _, pieces in found], dtype=np.int64)),
            pieces=np.concatenate([np.empty(0, np.uint64), *(pieces for _, pieces in found)]),
        )
    base = hashlib.blake2b(key=hashlib.sha256(key).digest(), digest_size=8)
    seen: dict[str, int] = {}

    def number(token: str) -> int:
        if token not in seen:
            digest = base.copy()
            digest.update(token.encode("utf-8"))
            seen[token] = int.from_bytes(digest.digest(), "little")
        return seen[token]

    pieces = [[number(piece) for piece in _pieces_of(word)] for word in distinct]
    flat = np.array([value for word in pieces for value in word], dtype=np.uint64)
    starts = running_totals(np.array([len(word) for word in pieces], dtype=np.int64))
    words = np.array([number(f"w:{word}") for word in distinct], dtype=np.uint64)
    return _Hashed(words, starts, flat)


@lru_cache(maxsize=FEW_WORDS)
def _hashes_of(word: str, key: bytes) -> tuple[int, Hashes]:
    """Return the hashes of a word and of its pieces; the same words come again and again."""
    base = hashlib.blake2b(key=hashlib.sha256(key).digest(), digest_size=8)

    def number(token: str) -> int:
        digest = base.copy()
        digest.update(token.encode("utf-8"))
        return int.from_bytes(digest.digest(), "little")

    pieces = [number(piece) for piece in _pieces_of(word)]
    return number(f"w:{word}"), np.array(pieces, dtype=np.uint64)


def _pieces_of(word: str) -> list[str]:
    """Return the pieces of a word with its edges marked; none of a mask or emoji.

    Examples
    --------
    >>> _pieces_of("ok")
    ['<ok', 'ok>', '<ok>']
    """
    if not word[0].isalpha():
        return []
    marked = f"<{word}>"
    return [
        marked[begin : begin + length]
        for length in PIECE_LENGTHS
        for begin in range(len(marked) - length + 1)
    ]


def _whole_words(row: Rows, word: Rows, hashed: _Hashed) -> Hashes:
    return _packed(row, hashed.words[word] if len(word) else hashed.words)


def _pairs(row: Rows, word: Rows, hashed: _Hashed) -> Hashes:
    if len(word) < 2:
        return np.empty(0, dtype=np.uint64)
    is_pair = row[1:] == row[:-1]
    first, second = hashed.words[word[:-1][is_pair]], hashed.words[word[1:][is_pair]]
    mixed = (first * _PAIR) ^ (second >> np.uint64(7)) ^ (second << np.uint64(13))
    return _packed(row[:-1][is_pair], mixed * _PAIR)


def _pieces(row: Rows, word: Rows, hashed: _Hashed) -> Hashes:
    begin, count = hashed.starts[word], np.diff(hashed.starts)[word]
    places = joined_ranges(begin, count)
    return _packed(np.repeat(row, count), hashed.pieces[places])


def _packed(row: Rows, hashes: Hashes) -> Hashes:
    """Put the message's number above the low 32 bits of the hash, so that one sort does all."""
    return (row.astype(np.uint64) << np.uint64(32)) | (hashes >> np.uint64(32))


def _distinct(packed: Hashes, messages: int, bits: int) -> TokenMatrix:
    row = packed >> np.uint64(32)
    token = packed & np.uint64(2**bits - 1)
    keys = np.sort((row << np.uint64(bits)) | token)
    keys = keys[begins_run(keys)]
    rows = (keys >> np.uint64(bits)).astype(np.int64)
    indptr = running_totals(np.bincount(rows, minlength=messages))
    indices = (keys & np.uint64(2**bits - 1)).astype(np.int32)
    return TokenMatrix(indptr=indptr, indices=indices, bits=bits)


def documents_of(tokens: TokenMatrix, starts: Rows, ends: Rows) -> Any:
    """Return one sparse row per document: the mean of its messages' vectors of length one.

    Parameters
    ----------
    starts, ends
        Range of messages of each document.
    """
    from scipy.sparse import csr_array

    lengths = np.sqrt(np.maximum(tokens.counts, 1))
    values = np.repeat(1 / lengths, tokens.counts)
    messages = csr_array(
        (values, tokens.indices, tokens.indptr), shape=(len(tokens), 2**tokens.bits)
    )
    count = ends - starts
    weight = np.repeat(1 / np.maximum(count, 1), count)
    indptr = running_totals(count)
    mean = csr_array(
        (weight, joined_ranges(starts, count), indptr), shape=(len(starts), len(tokens))
    )
    return (mean @ messages).tocsr()


def learn_text_weights(
    documents: Any, labels: NDArray[np.float64], *, strength: float, seed: int
) -> TextWeights:
    """Learn one weight per token by logistic regression on one document per entity.

    Parameters
    ----------
    documents
        As `documents_of` returns them.
    labels
        0 or 1 per document; both must occur.
    strength
        Freedom of the weights: with fewer documents than it takes, they stay near zero.
    """
    learn = _weights_by_document if len(labels) <= MOST_DUAL_DOCUMENTS else _weights_by_token
    rarity = _rarity(documents)
    weighted = documents.copy()
    weighted.data = weighted.data * rarity[weighted.indices]
    found = rarity * learn(weighted, labels.astype(np.int64), strength, seed)
    bound = np.iinfo(np.int32).max
    fixed = np.clip(np.rint(found * UNIT), -bound, bound)
    bits = int(documents.shape[1]).bit_length() - 1
    return TextWeights(weights=fixed.astype(np.int32), bits=bits)


def _rarity(documents: Any) -> NDArray[np.float64]:
    """Return how much each token counts: more if few documents hold it (Sparck Jones 1972).

    Scaled so that the documents have length 1 in the root mean square, whatever their number of
    words; the same strength then means the same freedom in chats of any kind. Against plain
    counts the text alone gained 0.01 to 0.05 of ROC AUC (docs/benchmarks.md).
    """
    count, size = documents.shape
    holding = np.bincount(documents.indices, minlength=size)
    rarity = np.log((1 + count) / (1 + holding)) + 1
    length = np.sqrt(((documents.data * rarity[documents.indices]) ** 2).sum() / count)
    return np.asarray(rarity / max(length, 1e-12))


def _weights_by_document(
    documents: Any, labels: Rows, strength: float, seed: int
) -> NDArray[np.float64]:
    """Solve among the documents instead of the tokens, of which there are far more.

    The best weights are a mix of the documents themselves. In the coordinates of the documents'
    own principal axes the same penalised fit has as many unknowns as there are documents.
    """
    gram = (documents @ documents.T).toarray()
    squares, axes = np.linalg.eigh(gram)
    kept = squares > 1e-9 * max(squares[-1], 1e-300)
    lengths = np.sqrt(squares[kept])
    coordinates = axes[:, kept] * lengths
    found = _logistic(coordinates, labels, strength, seed)
    return np.asarray(documents.T @ (axes[:, kept] @ (found / lengths)))


def _weights_by_token(
    documents: Any, labels: Rows, strength: float, seed: int
) -> NDArray[np.float64]:
    """Solve for the tokens that occur; the others weigh nothing."""
    present = np.unique(documents.indices)
    weights = np.zeros(documents.shape[1])
    weights[present] = _logistic(documents[:, present], labels, strength, seed)
    return weights


def _logistic(matrix: Any, labels: Rows, strength: float, seed: int) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, solver="lbfgs", max_iter=200, random_state=seed)
    return np.asarray(model.fit(matrix, labels).coef_[0], dtype=np.float64)


def rows_read(count: int, starts: Rows, ends: Rows) -> tuple[Rows, Rows, Rows]:
    """Return which of `count` rows lie in any range [start, end), and the ranges among those.

    Examples
    --------
    >>> rows, starts, ends = rows_read(5, np.array([1, 3]), np.array([2, 5]))
    >>> rows.tolist(), starts.tolist(), ends.tolist()
    ([1, 3, 4], [0, 1], [1, 3])
    """
    edges = np.zeros(count + 1, dtype=np.int64)
    np.add.at(edges, starts, 1)
    np.add.at(edges, ends, -1)
    is_read = np.cumsum(edges[:-1]) > 0
    before = running_totals(is_read)
    return np.flatnonzero(is_read), before[starts], before[ends]


def windowed_means(scores: Rows, starts: Rows, ends: Rows) -> NDArray[np.float64]:
    """Return the mean score of each range [start, end) of messages; NaN where it is empty.

    Examples
    --------
    >>> windowed_means(np.array([1, 3]), np.array([0, 2]), np.array([2, 2])).tolist()
    [2.0, nan]
    """
    running = running_totals(scores)
    count = ends - starts
    means = (running[ends] - running[starts]) / np.maximum(count, 1)
    return np.where(count > 0, means, np.nan)


@dataclass(frozen=True, kw_only=True)
class InboundWindows:
    """The inbound messages that some examples may read, and each example's range of them."""

    texts: pl.Series
    """One per message, sorted by contact, instant and id."""
    message_ids: Rows
    starts: Rows
    ends: Rows
    """Per example the first and one past the last of its messages."""


def inbound_windows(history: History, examples: pl.DataFrame, *, days: float) -> InboundWindows:
    """Return what the examples' contacts wrote in the `days` strictly before each cutoff."""
    inbound = Inbound(history)
    contacts, cutoff = ids_of(examples["contact_id"]), microseconds(examples["cutoff"])
    starts = inbound.first_from(contacts, cutoff - round(days * DAY))
    ends = inbound.first_from(contacts, cutoff)
    places, starts, ends = rows_read(len(inbound.rows), starts, ends)
    rows = inbound.rows[places]
    return InboundWindows(
        texts=inbound.messages["text"][rows],
        message_ids=inbound.messages["message_id"].to_numpy()[rows],
        starts=starts,
        ends=ends,
    )
