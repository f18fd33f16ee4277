"""The walks that the pages of the API show, line by line, against a real `chatlift serve`."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.servers import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed"),
]

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240


def script_of(page: str, port: int) -> str:
    """Return a page's lines as one script, on a port of our own."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))
    return script.replace("chatlift serve", f"chatlift serve --port {port}").replace(
        ":8000", f":{port}"
    )


def walked(page: str, folder: Path) -> str:
    """Walk through a page in an empty folder, and return all that was answered."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CHATLIFT_")}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = kept | {"PATH": programs, "PYTHONPATH": str(ROOT / "src")}
    ending = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"
    script = f"set -euo pipefail\n{ending}\n{script_of(page, free_port())}"
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-c", script],  # noqa: S607 - the shell of whoever walks
        cwd=folder,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_the_walk_through_training_goes_to_its_end(tmp_path: Path) -> None:
    said = walked("api.md", tmp_path)
    assert said.count("Training started for all") >= 2
    first, again, _stopped = re.findall(r'"model":"all","run_id":"([^"]+)"', said)
    assert first == again
    assert "event: queued" in said
    assert '"status":"completed"' in said
    assert said.count('"recommendation":"') >= 4
    assert '"best_times":[' in said
    assert "churn is not trained until resumed." in said
    assert '"deleted_versions":[1]' in said


def test_the_walk_through_ingest_goes_to_its_end(tmp_path: Path) -> None:
    said = walked("ingest-api.md", tmp_path)
    for told in (
        '"usable":1',
        '"read":2,"accepted":1,"updated":0,"duplicate":0,"rejected":1',
        '"message":2',
        '"value":"soon"',
        '"c2","soon","Oslo"',
        '{"external_id":"c-1001","source":"api","result":"created"}',
        '"outcome":"won","closed_at":null',
        "\n42\n",
        '{"status":"received"}',
        '"waiting_count":0',
    ):
        assert told in said, told
    assert '"revoked_at":"2' in said.splitlines()[-1]
