"""Requests by the hundred, made up from the service's own description: `make fuzz` asks for more.

Whatever is sent, the service answers, and as its description says.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.services import Served, give_champions, served

from chatlift.vocabulary import Role

pytestmark = pytest.mark.slow

EXAMPLES = os.environ.get("CHATLIFT_FUZZ_EXAMPLES")
"""So many requests per route; unset: a few, of the cheaper kinds."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
STREAMS = "training_events"
SECONDS = 3600


def open_shop(at: Served) -> None:
    """Give the account a story, a champion of each model and a webhook, to have answers."""
    give_champions(at)
    hook = {"kind": "chatwoot"}
    made = at.client.post("/api/v1/ingest/webhooks", json=hook, headers=at.headers(Role.ADMIN))
    assert made.status_code == httpx.codes.CREATED, made.text


def test_no_request_breaks_the_service_or_its_description(
    tmp_path: Path, database_url: str
) -> None:
    environ = {"CHATLIFT_REQUESTS_PER_MINUTE": "1000000", "CHATLIFT_SECRET_KEY": "A" * 43}
    environ["CHATLIFT_FAILED_SIGN_INS_PER_MINUTE"] = "1000000"
    with served(tmp_path, database_url, environ=environ) as at:
        open_shop(at)
        words = [
            *("--header", f"Authorization: {at.headers(Role.ADMIN)['Authorization']}"),
            *("--checks", ",".join(CHECKS), "--exclude-operation-id", STREAMS),
            *("--max-examples", EXAMPLES or "3", "--generation-database", "none"),
            *("--phases", "examples,coverage,fuzzing" if EXAMPLES else "examples,fuzzing"),
            *("--request-timeout", "30", "--continue-on-failure", "--suppress-health-check", "all"),
        ]
        asked = [sys.executable, "-m", "schemathesis.cli", "run", *words]
        done = subprocess.run(  # noqa: S603 - this interpreter, fixed words
            [*asked, f"{at.client.base_url}/openapi.json"],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
