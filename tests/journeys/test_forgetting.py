"""A contact with a unique name, phone and phrase, forgotten: no byte of it is left.

The canary is imported, trained on, predicted, logged and partly rejected first. What is searched
is every file of the data folder: database, write-ahead log, artifacts, logs.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.businesses import account_of, clock_at, quick, records_of
from tests.histories import at, business
from tests.webhooks import cloud_body, cloud_message, profile

from chatlift.records import INSTANT, Records
from chatlift.registry.deliveries import keep_delivery
from chatlift.registry.secret_box import SecretBox
from chatlift.registry.webhooks import Webhooks
from chatlift.registry.workspace import Workspace, open_workspace
from chatlift.settings import Settings
from chatlift.vocabulary import ModelName, WebhookKind
from chatlift.workflows.train import train

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
ID, NAME, PHONE = "canary-7781", "Zyxquiro Canarino", "+34999000111"
PHRASE = "zebra umbrella quokka marmalade"
TRACES = (ID, "lead-of-canary", NAME, PHONE.removeprefix("+"), "999 000 111", "quokka", "marmalade")
FLOORS = {
    "lead_scoring": {"readiness": {"entities": 40, "examples": 80, "per_class": 10}},
    "engagement": {
        "readiness": {"entities": 30, "examples": 100, "per_class": 10},
        "spans": {"silence_hours": 96},
    },
}
CONTACTS = f"external_id,name,phone,created_at\n{ID},{NAME},{PHONE},2026-01-06 10:00\n"
MESSAGES = (
    "external_id,contact_external_id,direction,text,sent_at\n"
    f"good-1,{ID},in,{PHRASE},2026-01-07 10:00\n"
    f"bad-1,{ID},sideways,{PHRASE},2026-01-07 11:00\n"
    f"bad-2,{ID},in,{PHRASE},{PHRASE}\n"
)


def run(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CHATLIFT_")}
    own = {"CHATLIFT_HOME": str(home), "PYTHONPATH": str(ROOT / "src"), "PYTHONUTF8": "1"}
    return subprocess.run(  # noqa: S603 - this interpreter, fixed words
        [sys.executable, "-m", "chatlift", *arguments],
        env=kept | own | {"OMP_WAIT_POLICY": "passive"},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def told(home: Path, *arguments: str) -> str:
    done = run(home, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def traces_in(folder: Path) -> set[tuple[str, str]]:
    """Return each file that holds a trace of the canary, with the trace."""
    found = set()
    for path in folder.rglob("*"):
        content = path.read_bytes().lower() if path.is_file() else b""
        for trace in TRACES:
            spellings = (trace.lower().encode(), trace.lower().encode("utf-16-le"))
            if any(spelling in content for spelling in spellings):
                found.add((path.relative_to(folder).as_posix(), trace))
    return found


def with_canary(records: Records) -> Records:
    """Return the story with its seventh contact as the canary, who has much to say."""
    renamed = {"c7": ID, "l7": "lead-of-canary"}
    frames = {
        name: frame.with_columns(
            pl.col(column).replace(renamed)
            for column in frame.columns
            if column.endswith("external_id")
        )
        for name, frame in vars(records).items()
    }
    is_canary = pl.col("contact_external_id") == ID
    text = pl.when(is_canary).then(pl.lit(PHRASE)).otherwise("text")
    frames["messages"] = frames["messages"].with_columns(text=text)
    hers = pl.col("external_id") == ID
    frames["contacts"] = frames["contacts"].with_columns(
        name=pl.when(hers).then(pl.lit(NAME)), phone=pl.when(hers).then(pl.lit(PHONE))
    )
    return Records(**frames)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the canary in every place where a contact can be."""
    made = tmp_path_factory.mktemp("home")
    with account_of(made, settings=FLOORS) as workspace:
        fill(workspace)
    contacts, messages = written(made.parent)
    files = ("--contacts", str(contacts), "--messages", str(messages))
    log = ("--log-file", str(made / "import_log.txt"))
    imported = run(made, "import", *files, "--source", "story", *log)
    assert "accepted" in imported.stdout, imported.stderr
    return made


def fill(workspace: Workspace) -> None:
    story = business(7, contacts=70, days=100)
    workspace.crm.write(with_canary(records_of(story)), source="story")
    workspace.crm.write_observation("story", observed_from=at(0), observed_through=at(100))
    wanted = quick(ModelName.LEAD_SCORING, ModelName.ENGAGEMENT, promote=False)
    outcomes = train(workspace, wanted, clock=clock_at(90)).outcomes
    assert all(outcome.version for outcome in outcomes), outcomes
    number = workspace.crm.contact_ids_of([ID])[ID]
    served = {"version_number": 1, "entity_id": number, "contact_id": number}
    served |= {"features_fingerprint": "f", "probability": 0.5}
    answer = pl.DataFrame([served]).with_columns(as_of=pl.lit(at(100), dtype=INSTANT))
    workspace.predictions.log(ModelName.CHURN, answer, now=at(100))


def written(folder: Path) -> tuple[Path, Path]:
    """Write the canary's files; the name of one of them says who it is."""
    contacts, messages = folder / "contacts.csv", folder / f"Chat with {NAME}.csv"
    contacts.write_text(CONTACTS, encoding="utf-8")
    messages.write_text(MESSAGES, encoding="utf-8")
    return contacts, messages


@pytest.fixture
def copied(home: Path, tmp_path: Path) -> Iterator[Path]:
    """The same folder, with the log of a terminal that named the canary."""
    shutil.copytree(home, tmp_path / "home")
    log = tmp_path / "home" / "training_log.txt"
    log.write_text(
        f"2026-04-01 10:00:00 TRAINING\n2026-04-01 10:00:01   1  lead-of-canary  99.0  hot\n"
        f"2026-04-01 10:00:02 who: {NAME}, 0034 999 000 111\n",
        encoding="utf-8",
    )
    yield tmp_path / "home"
    shutil.rmtree(tmp_path / "home")


def test_the_canary_is_everywhere_before_but_never_in_an_artifact(copied: Path) -> None:
    found = traces_in(copied)
    assert {trace for file, trace in found if "chatlift.db" in file} >= {ID, NAME, "quokka"}
    assert {file for file, _ in found} >= {"import_log.txt", "training_log.txt"}
    assert traces_in(copied / "artifacts") == set()
    assert list((copied / "artifacts").rglob("lead_scoring_model.ubj"))


def test_a_forgotten_contact_leaves_no_byte_and_stays_out(copied: Path) -> None:
    assert PHRASE in told(copied, "export", ID)
    said = told(copied, "forget", PHONE, "--yes")
    assert "lead_scoring v1 was trained on it" in said
    for place in ("contacts: 1", "leads: 1", "predictions: 1", "rejected rows: 2", "log lines: "):
        assert place in said, said
    assert traces_in(copied) == set()
    assert run(copied, "export", ID).returncode == 2
    contacts, messages = written(copied.parent)
    files = ("--contacts", str(contacts), "--messages", str(messages))
    again = run(copied, "import", *files, "--source", "story")
    assert "0 accepted + 0 duplicate + 1 rejected" in again.stdout
    assert "0 accepted + 0 duplicate + 3 rejected" in again.stdout
    with open_workspace(Settings.from_environment({}, default_home=copied)) as workspace:
        assert workspace.crm.contact_ids_of([ID]) == {}
    assert traces_in(copied) == set()


def test_what_a_webhook_brought_and_nobody_read_yet_goes_too(copied: Path) -> None:
    wrote = cloud_message("w1", 1_775_000_000, PHRASE, sender=PHONE.removeprefix("+"))
    body = cloud_body({"contacts": [profile(wrote["from"], NAME)], "messages": [wrote]})
    with open_workspace(Settings.from_environment({}, default_home=copied)) as workspace:
        hooks = Webhooks(workspace.database, workspace.account.account_id)
        box = SecretBox("A" * 43)
        hook = hooks.create(WebhookKind.CHATWOOT, source="desk", box=box, now=at(100)).webhook
        other = hooks.create(WebhookKind.WHATSAPP_CLOUD, secret="s", box=box, now=at(100)).webhook  # noqa: S106
        keep_delivery(workspace.database, other, json.dumps(body).encode(), now=at(100))
        keep_delivery(workspace.database, hook, f"no event of {NAME}".encode(), now=at(100))
    said = told(copied, "forget", PHONE, "--yes")
    # The story's contact and the one of the webhook are one person by their phone.
    assert "contacts: 2" in said
    assert traces_in(copied) == set()


def test_without_a_yes_nothing_goes(copied: Path) -> None:
    assert run(copied, "forget", ID).returncode == 1  # Nobody answers the question.
    assert PHRASE in told(copied, "export", ID)


KILLED = """
import os, signal, sys
from sqlalchemy import Engine, event
from chatlift.cli.main import run
left = int(sys.argv[1])
def ends(connection):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "commit", ends)
run(sys.argv[2:])
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_in_the_middle_again_and_again_it_completes(copied: Path) -> None:
    own = {"CHATLIFT_HOME": str(copied), "PYTHONPATH": str(ROOT / "src")}
    for commit in (3, 6, 9):
        killed = subprocess.run(  # noqa: S603 - this interpreter, fixed words
            [sys.executable, "-c", KILLED, str(commit), "forget", ID, "--yes"],
            env=os.environ | own,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    told(copied, "forget", ID, "--yes")
    assert traces_in(copied) == set()
