"""How fast webhooks are answered, also while files are imported, and what an upload costs.

Starts a `chatlift serve` of its own. Aim: a delivery is answered within 200 ms.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from benchmarks.common import machine, markdown, now

from chatlift.registry.secret_box import SecretBox
from chatlift.registry.tokens import Tokens
from chatlift.registry.webhooks import Webhooks
from chatlift.registry.workspace import open_workspace
from chatlift.settings import Settings
from chatlift.vocabulary import Role, WebhookKind

KEY = "A" * 43
SECRET = "app-secret"  # noqa: S105 - of a server that lives for a minute
START_SECONDS = 60
SENT_AT = 1_772_300_000
ROW = "c{0},2026-01-05,Contact number {0},+346{0:08d},Some city of the world\n"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server, and what calls it."""

    address: str
    hook_address: str
    token: str
    process_id: int

    def deliver(self, client: httpx.Client, number: int) -> float:
        """Call as WhatsApp does; return the seconds until the answer."""
        sender = f"3460{number % 5_000:07d}"
        message = {"from": sender, "id": f"m{number}", "timestamp": str(SENT_AT), "type": "text"}
        change = {"messages": [message | {"text": {"body": f"text number {number}"}}]}
        entry = {"changes": [{"field": "messages", "value": change}]}
        body = json.dumps({"entry": [entry]}).encode()
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={digest}"}
        begun = time.perf_counter()
        client.post(self.hook_address, content=body, headers=headers).raise_for_status()
        return time.perf_counter() - begun

    @property
    def memory_bytes(self) -> int:
        """What its process holds in memory now."""
        status = Path(f"/proc/{self.process_id}/status").read_text(encoding="ascii")
        (line,) = [found for found in status.splitlines() if found.startswith("VmRSS")]
        return int(line.split()[1]) * 1024


def main() -> None:
    """Print the figures as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--deliveries", type=int, default=1_000, help="of each kind of load")
    parser.add_argument("--rows", type=int, default=400_000, help="of the imported file")
    asked = parser.parse_args()
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, served(folder) as at:
        rows = [
            ("one caller", *quantiles(delivered(at, asked.deliveries, callers=1))),
            ("eight callers at once", *quantiles(delivered(at, asked.deliveries, callers=8))),
        ]
        file = Path(folder) / "contacts.csv"
        write_contacts(file, asked.rows)
        with importing(at, file) as peaks:
            seconds = delivered(at, asked.deliveries, callers=1)
        rows.append(("one caller, while a file is imported", *quantiles(seconds)))
        print(markdown(["load", "p50", "p99", "slowest", "deliveries"], rows))
        told = f"{file.stat().st_size / 1e6:.0f} MB, {asked.rows:,} rows"
        print(
            f"\nThe file: {told}; {peaks[0]:.0f} s, memory from {peaks[1]:.0f} to {peaks[2]:.0f} MB"
        )


@contextmanager
def served(folder: str) -> Iterator[Server]:
    """Let a server with a webhook run until the block ends."""
    home = Path(folder) / "home"
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with open_workspace(Settings.from_environment({}, default_home=home)) as workspace:
        account_id = workspace.account.account_id
        kind, box = WebhookKind.WHATSAPP_CLOUD, SecretBox(KEY)
        hooks = Webhooks(workspace.database, account_id)
        hook = hooks.create(kind, secret=SECRET, box=box, now=now()).webhook
        tokens = Tokens(workspace.database, account_id)
        token = tokens.create("benchmark", Role.OPERATOR, now=now()).secret
    environ = os.environ | {"CHATLIFT_HOME": str(home), "CHATLIFT_SECRET_KEY": KEY}
    command = [sys.executable, "-m", "chatlift", "serve", "--port", str(port)]
    with (home / "said.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(command, env=environ, stdout=said, stderr=said)
    address = f"http://127.0.0.1:{port}"
    try:
        await_ready(address)
        yield Server(
            address=address,
            hook_address=address + hook.address,
            token=token,
            process_id=process.pid,
        )
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def await_ready(address: str) -> None:
    """Wait until the server can answer."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    sys.exit("The server was not ready in time.")


def delivered(at: Server, count: int, *, callers: int) -> list[float]:
    """Call so many times, by callers that do not pause; return the seconds of each."""
    seconds: list[float] = []
    offset = int(time.monotonic() * 1000) * 1_000

    def call(first: int) -> None:
        with httpx.Client(timeout=60) as client:
            numbers = range(offset + first, offset + count, callers)
            seconds.extend(at.deliver(client, number) for number in numbers)

    threads = [threading.Thread(target=call, args=(first,)) for first in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


def quantiles(seconds: list[float]) -> tuple[str, str, str, str]:
    """Return the times in milliseconds, and how many there are."""
    half, most, all_of_them = np.quantile(seconds, [0.5, 0.99, 1.0]) * 1000
    return f"{half:.1f} ms", f"{most:.1f} ms", f"{all_of_them:.1f} ms", f"{len(seconds):,}"


def write_contacts(path: Path, row_count: int) -> None:
    """Write a file of contacts."""
    with path.open("w", encoding="utf-8") as file:
        file.write("id,created_at,name,phone,city\n")
        file.writelines(ROW.format(number) for number in range(row_count))


@contextmanager
def importing(at: Server, file: Path) -> Iterator[list[float]]:
    """Import a file meanwhile; at the end the list holds seconds, and MB before and at most."""
    found = [0.0, at.memory_bytes / 1e6, 0.0]
    is_done = threading.Event()

    def send() -> None:
        begun = time.perf_counter()
        with file.open("rb") as opened, httpx.Client(timeout=600) as client:
            told = client.post(
                f"{at.address}/api/v1/ingest/files",
                files={"contacts": opened},
                headers={"Authorization": f"Bearer {at.token}"},
            )
            told.raise_for_status()
        found[0] = time.perf_counter() - begun
        is_done.set()

    def watch() -> None:
        while not is_done.wait(0.05):
            found[2] = max(found[2], at.memory_bytes / 1e6)

    threads = [threading.Thread(target=work) for work in (send, watch)]
    for thread in threads:
        thread.start()
    yield found
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
