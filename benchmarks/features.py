"""Measure feature building: time, peak memory, linearity, one contact, and text apart.

python benchmarks/features.py [--messages 1000000] [--examples 50000]
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from chatlift import history as shapes
from chatlift.history import History
from chatlift.learn.features.catalogue import all_features
from chatlift.learn.features.engine import compute_features
from chatlift.learn.features.text import hash_messages
from chatlift.records import INSTANT

START = 1_750_000_000_000_000
SPAN = 180 * 86_400 * 1_000_000
TEXT = "hello what price is the blue one please thanks when can you send it ok no"
WORDS = np.array(TEXT.split())


def made_history(messages: int, contacts: int) -> History:
    """Return an account with messages spread evenly over contacts and 180 days."""
    random = np.random.default_rng(0)
    ids = np.arange(contacts)
    texts = [" ".join(words) + "?" for words in WORDS[random.integers(0, len(WORDS), (5000, 8))]]
    lines = pl.DataFrame(
        {
            "message_id": np.arange(messages),
            "contact_id": random.integers(0, contacts, messages),
            "conversation_id": np.zeros(messages),
            "direction": np.where(random.random(messages) < 0.5, "in", "out"),
            "kind": pl.repeat("text", messages, eager=True),
            "text": np.array(texts)[random.integers(0, len(texts), messages)],
            "sent_at": START + random.integers(0, SPAN, messages),
            "is_automatic": random.random(messages) < 0.1,
        }
    )
    people = pl.DataFrame({"contact_id": ids, "source": ["made"] * contacts}).with_columns(
        external_id=pl.col("contact_id").cast(pl.String), created_at=START, churned_at=None
    )
    leads = pl.DataFrame({"lead_id": ids, "contact_id": ids}).with_columns(
        external_id=pl.col("lead_id").cast(pl.String),
        created_at=START + SPAN // 10,
        outcome=pl.lit("open"),
        closed_at=None,
        outcome_known_at=None,
    )
    seen = {"source": ["made"], "observed_from": [START], "observed_through": [START + SPAN]}
    return History(
        contacts=_shaped(people, shapes.CONTACTS),
        messages=_shaped(lines, shapes.MESSAGES).sort("contact_id", "sent_at", "message_id"),
        leads=_shaped(leads, shapes.LEADS),
        observations=_shaped(pl.DataFrame(seen), shapes.OBSERVATIONS),
        time_zone="Europe/Madrid",
    )


def _shaped(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def made_examples(count: int, contacts: int) -> pl.DataFrame:
    """Return examples of random contacts at random cutoffs."""
    random = np.random.default_rng(1)
    ids = random.integers(0, contacts, count)
    cutoffs = START + random.integers(0, SPAN, count)
    examples = pl.DataFrame({"contact_id": ids, "lead_id": ids, "cutoff": cutoffs})
    return examples.cast({"cutoff": INSTANT})


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest time of a few runs."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def resident_bytes() -> int:
    """Return the memory that the process holds now; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = status.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def added_bytes(work: Callable[[], object]) -> int:
    """Return how much more memory was held at most while the work ran, looked at every 5 ms."""
    before, most, done = resident_bytes(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.005):
            most = max(most, resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(most - before, 0)


def report(messages: int, examples: int) -> float:
    """Print time and memory of all features over one size; return the time."""
    contacts = max(messages // 50, 1)
    history, asked = made_history(messages, contacts), made_examples(examples, contacts)
    features = all_features()
    added = added_bytes(lambda: compute_features(history, asked, features))
    took = seconds(lambda: compute_features(history, asked, features))
    print(
        f"{messages:,} messages, {examples:,} examples, {len(features)} features: {took:.2f} s, "
        f"{added / 1e9:.2f} GB above the history, {resident_bytes() / 1e9:.2f} GB in all"
    )
    return took


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description="Measure feature building.")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--examples", type=int, default=50_000)
    chosen = parser.parse_args()
    once = report(chosen.messages, chosen.examples)
    twice = report(2 * chosen.messages, chosen.examples)
    print(f"twice the messages take {twice / once:.2f} times as long")
    single, asked = made_history(100, 1), made_examples(1, 1)
    took = seconds(lambda: compute_features(single, asked, all_features()), 20)
    print(f"one contact with 100 messages, all features: {took * 1000:.1f} ms")
    texts = made_history(100_000, 1000).messages["text"]
    print(f"text: {len(texts) / seconds(lambda: hash_messages(texts, b'key')):,.0f} messages/s")


if __name__ == "__main__":
    main()
