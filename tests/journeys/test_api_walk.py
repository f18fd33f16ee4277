"""The walk that docs/api.md shows, line by line, against a real `chatlift serve`."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.servers import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240


def walk(port: int) -> str:
    """Return the page's lines as one script, on a port of our own."""
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL))
    return script.replace("chatlift serve", f"chatlift serve --port {port}").replace(
        ":8000", f":{port}"
    )


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_walk_goes_to_its_end(tmp_path: Path) -> None:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CHATLIFT_")}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = kept | {"PATH": programs, "PYTHONPATH": str(ROOT / "src")}
    script = (
        f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{walk(free_port())}"
    )
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-c", script],  # noqa: S607 - the shell of whoever walks
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    said = done.stdout
    assert said.count("Training started for all") >= 2
    first, again, _stopped = re.findall(r'"model":"all","run_id":"([^"]+)"', said)
    assert first == again
    assert "event: queued" in said
    assert '"status":"completed"' in said
    assert said.count('"recommendation":"') >= 4
    assert '"deleted_versions":[1]' in said
