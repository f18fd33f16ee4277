"""Webhooks at a real server that is killed again and again: what was answered is never lost."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.servers import Server, serving
from tests.webhooks import inbound

from chatlift.registry.deliveries import Deliveries
from chatlift.registry.secret_box import SecretBox
from chatlift.registry.webhooks import Webhook, Webhooks
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.service.context import utc_now
from chatlift.settings import Settings
from chatlift.store.past_imports import batches
from chatlift.vocabulary import WebhookKind

pytestmark = pytest.mark.slow

KEY = "A" * 43
SECRET = "app-secret"  # noqa: S105 - made up
IS_LONG = os.environ.get("CHATLIFT_CHAOS") == "long"
SEED = int(os.environ.get("CHATLIFT_CHAOS_SEED", "7"))
KILLS = int(os.environ.get("CHATLIFT_CHAOS_KILLS", "20" if IS_LONG else "1"))
SENDERS = 4
ENOUGH_SECONDS = 120
T = 1_772_300_000


@dataclass
class Shop:
    """An installation with a webhook, and what a service was answered."""

    workspace: Workspace
    hook: Webhook
    environ: dict[str, str]
    answered: set[str] = field(default_factory=set)
    sent_count: int = 0

    @property
    def waiting_count(self) -> int:
        deliveries = Deliveries(self.workspace.database, self.workspace.account.account_id)
        return sum(found.delivery_count for found in deliveries.waiting().values())

    def deliver(self, client: httpx.Client, external_id: str) -> None:
        """Let the service call once; note it if it was told that all is well."""
        self.sent_count += 1
        body = json.dumps(inbound(external_id, T, f"text of {external_id}")).encode()
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={digest}"}
        try:
            told = client.post(self.hook.address, content=body, headers=headers)
        except httpx.TransportError:
            return
        if told.status_code == httpx.codes.OK:
            self.answered.add(external_id)


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    environ = {"CHATLIFT_SECRET_KEY": KEY, "CHATLIFT_DATABASE_URL": database_url}
    settings = Settings.from_environment(environ, default_home=tmp_path)
    with open_workspace(settings) as workspace:
        hooks = Webhooks(workspace.database, workspace.account.account_id)
        kind = WebhookKind.WHATSAPP_CLOUD
        made = hooks.create(kind, secret=SECRET, box=SecretBox(KEY), now=utc_now())
        yield Shop(workspace, made.webhook, environ)


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.1)


def sending(shop: Shop, server: Server, until: threading.Event, names: Iterator[int]) -> None:
    """Let the service call without a pause until the event is set."""
    with httpx.Client(base_url=server.client.base_url, timeout=10) as client:
        while not until.is_set():
            shop.deliver(client, f"m{next(names)}")


def test_what_was_answered_survives_every_kill_and_is_there_once(
    shop: Shop, tmp_path: Path
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - moments, not secrets
    names = iter(range(1_000_000))
    lock = threading.Lock()

    def next_name() -> Iterator[int]:
        while True:
            with lock:
                yield next(names)

    for _ in range(KILLS):
        with serving(tmp_path, environ=shop.environ) as server:
            until = threading.Event()
            threads = [
                threading.Thread(target=sending, args=(shop, server, until, next_name()))
                for _ in range(SENDERS)
            ]
            for thread in threads:
                thread.start()
            before = len(shop.answered)
            eventually(lambda before=before: len(shop.answered) > before + 20)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 2))
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            until.set()
            for thread in threads:
                thread.join()
    with serving(tmp_path, environ=shop.environ):
        eventually(lambda: shop.waiting_count == 0)
    read = shop.workspace.crm.read_history().messages
    told = read["text"].str.strip_prefix("text of ").to_list()
    assert len(told) == len(set(told))
    assert shop.answered <= set(told)
    assert len(told) <= shop.sent_count
    counted = batches(shop.workspace.database, shop.workspace.account.account_id)
    sums = [batch.summary["messages"] for batch in counted]
    # What a killed reader had written already counts as duplicate when it is read again.
    assert sum(counts["accepted"] + counts["duplicate"] for counts in sums) == len(told)


def test_a_server_without_a_worker_reads_by_itself(shop: Shop, tmp_path: Path) -> None:
    with serving(tmp_path, "--no-worker", environ=shop.environ) as server:
        shop.deliver(server.client, "m1")
        assert shop.answered == {"m1"}
        eventually(lambda: shop.workspace.crm.counts().messages == 1)
        eventually(lambda: shop.waiting_count == 0)
