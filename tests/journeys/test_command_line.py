"""The main job as a person does it: commands in an empty home, each told by what it prints.

The tests of this file walk one path, in order: each finds what the ones before it left. A command
runs in a process of its own where that matters (a pipe, a code page, a signal, what a new process
finds), else in this one, which has imported the libraries already.
"""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chatlift.cli.main import app, code_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CHATLIFT = [sys.executable, "-m", "chatlift"]
QUICK = ["--cv-folds", "2"]


@dataclass(frozen=True)
class Home:
    """An installation's data folder, and the command that works in it."""

    folder: Path

    def environment(self, **changes: str) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("CHATLIFT_")}
        fixed = {
            "CHATLIFT_HOME": str(self.folder),
            "OMP_WAIT_POLICY": "passive",
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONIOENCODING": "utf-8",
        }
        return kept | fixed | changes

    def run(
        self, *arguments: str, command: list[str] = CHATLIFT, **changes: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end; what it prints is read as its encoding says."""
        environment = self.environment(**changes)
        return subprocess.run(  # noqa: S603 - this interpreter, fixed words
            [*command, *arguments],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            encoding=environment["PYTHONIOENCODING"],
            timeout=240,
            check=False,
        )

    def here(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in this process, and return what a process of its own would."""
        printed, said = io.StringIO(), io.StringIO()
        with self.in_force(), redirect_stdout(printed), redirect_stderr(said):
            code = code_of(lambda: app(list(arguments), prog_name="chatlift"), debug=False)
        told = (printed.getvalue(), said.getvalue())
        return subprocess.CompletedProcess(list(arguments), code, *told)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let this process stand in the home's environment."""
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment())
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def told(self, *arguments: str) -> str:
        """Run a command that has to succeed and return what it printed."""
        done = self.here(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.told(*arguments))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a synthetic CRM and one version of engagement."""
    made = Home(tmp_path_factory.mktemp("home"))
    generated = made.told("generate", "--until", "2026-03-01")
    assert "Created 120 leads (36 converted, 84 not converted)" in generated
    assert "Created 30 open leads" in generated
    assert "easy by design" in generated
    trained = made.run("train", "engagement", *QUICK, "--log-file", str(made.folder / "log.txt"))
    assert "TRAINING ENGAGEMENT MODEL" in trained.stdout
    assert "Model Performance" in trained.stdout
    # What the gate says depends on the data, which is not what is tested here.
    assert trained.returncode == (4 if "Gate verdict: REFUSED" in trained.stdout else 0)
    if trained.returncode:
        made.told("models", "promote", "engagement", "1", "--reason", "for this journey")
    return made


@pytest.fixture
def copied(home: Home, tmp_path: Path) -> Iterator[Home]:
    """The same home, to be changed at will."""
    shutil.copytree(home.folder, tmp_path / "home")
    yield Home(tmp_path / "home")
    shutil.rmtree(tmp_path / "home")


def test_a_pipe_gets_plain_text_and_the_log_the_same_lines(home: Home) -> None:
    listed = home.run("models", "list")
    assert (listed.returncode, "\x1b" in listed.stdout) == (0, False)
    log = (home.folder / "log.txt").read_text(encoding="utf-8")
    assert "TRAINING ENGAGEMENT MODEL" in log
    assert "Training complete" in log
    assert all(re.match(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", line) for line in log.splitlines())


def test_what_was_trained_passes_its_tests(home: Home) -> None:
    told = home.run("test", "engagement_prediction").stdout
    assert "Contact #1 (ID: " in told
    assert "Average Score: " in told
    assert "Predictions: 5/5" in told
    assert "TESTING SUMMARY" in told
    assert "Passed: 1/1 models" in told


def test_predictions_for_people_and_programs_agree(home: Home) -> None:
    table = home.told("predict", "engagement", "--top", "3")
    found = home.json("predict", "engagement", "--top", "3", "--format", "json")
    text = home.told("predict", "engagement", "--top", "3", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    ids = [answer["id"] for answer in found["predictions"]]
    assert [row["id"] for row in rows] == ids
    assert all(name in table for name in ids)
    assert "the data ends there" in table


def test_what_would_have_been_said_then_is_marked_as_hindsight(home: Home) -> None:
    told = home.told("predict", "engagement", "--top", "1", "--as-of", "2026-02-01")
    assert "as of 2026-02-01 00:00 UTC" in told
    assert "in hindsight" in told


def test_a_second_version_can_be_compared_damaged_rolled_back_and_deleted(copied: Home) -> None:
    trained = copied.here("train", "engagement", *QUICK, "--no-promote", "--json")
    (model,) = json.loads(trained.stdout)["models"]
    assert trained.returncode == (4 if model["verdict"] == "refuse" else 0)
    assert (model["version"], model["serves"]) == (2, False)
    assert "v2" in copied.told("models", "compare", "engagement", "1", "2")
    copied.told("models", "promote", "engagement", "2", "--reason", "looked at by hand")
    Path(model["saved"]).write_bytes(b"\x80\x04.")
    damaged = copied.run("test", "engagement")
    assert (damaged.returncode, "FAIL" in damaged.stdout) == (1, True)
    assert "v1 serves now" in copied.told("models", "rollback", "engagement")
    assert "looked at by hand" in copied.told("models", "show", "engagement")
    copied.told("models", "delete", "engagement", "--version", "2")
    kept = copied.here("models", "delete", "engagement")
    assert (kept.returncode, "--force" in kept.stderr) == (1, True)
    copied.told("models", "delete", "engagement", "--force")
    assert copied.here("predict", "engagement").returncode == 3


def test_a_choice_of_the_account_is_shown_and_in_force(copied: Home) -> None:
    assert "* churn_rule" in copied.told("settings", "set", "churn_rule", "contract")
    assert copied.json("settings", "show", "--json")["churn_rule"] == "contract"
    assert "* churn_rule" in copied.told("settings", "show")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["train", "weather"], 2, "Choose one of: all, lead_scoring"),
        (["train", "--set", "depth=3"], 2, "lead_scoring has: trees"),
        (["train", "--test-size", "0.9"], 2, "0.05 to 0.5"),
        (["predict", "engagement", "--as-of", "soon"], 2, "is no date or instant"),
        (["predict", "engagement", "--as-of", "2999-01-01"], 3, "lies in the future"),
        (["predict", "engagement", "--version", "9"], 2, "the newest is 1"),
        (["predict", "engagement", "--id", "nobody"], 2, "has the id 'nobody'"),
        (["predict", "engagement", "--id", "1", "--id", "nobody"], 2, ""),
        (["predict", "lead_scoring"], 3, "Train one with"),
        (["models", "rollback", "engagement"], 1, "no version of engagement to roll back to"),
        (["models", "rollback", "churn"], 1, "no version of churn to roll back to"),
        (["models", "delete", "churn"], 2, "no versions of churn to delete"),
        (["models", "delete", "churn", "--version", "3"], 2, "there is none yet"),
        (["models", "promote", "churn", "1"], 2, "there is none yet"),
        (["generate"], 1, "--replace"),
        (["import", "--contacts", "nowhere.csv"], 2, "nowhere.csv"),
        (["import"], 2, "Name at least one"),
        (["settings", "set", "colour", "red"], 2, "No setting is called 'colour'"),
        (["settings", "set", "churn_rule", "mood"], 2, "auto, silence, contract"),
        (["runs", "stop", "nothing"], 2, "chatlift runs list"),
        (["runs", "show", "nothing"], 2, "chatlift runs list"),
        (["train", "--log-file", str(ROOT / "none" / "log.txt")], 3, "cannot be written"),
    ],
)
def test_a_wrong_input_is_told_in_a_sentence(
    home: Home,
    arguments: list[str],
    code: int,
    told: str,
) -> None:
    done = home.here(*arguments)
    assert done.returncode == code
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "====" not in done.stdout, "an error comes before any heading"


def test_an_unknown_id_beside_a_known_one_is_told_where_answers_are_for_programs(
    home: Home,
) -> None:
    (known,) = home.json("predict", "engagement", "--top", "1", "--format", "json")["predictions"]
    ids = ["--id", known["id"], "--id", "nobody"]
    done = home.here("predict", "engagement", *ids, "--format", "csv")
    assert done.returncode == 2
    assert [row["id"] for row in csv.DictReader(io.StringIO(done.stdout))] == [known["id"]]
    assert done.stderr.strip() == "Note: no score for nobody: no contact has this id."


def test_an_old_code_page_breaks_nothing(home: Home) -> None:
    done = home.run("predict", "engagement", PYTHONIOENCODING="cp1252", LANG="C")
    assert done.returncode == 0, done.stderr


def test_too_little_data_is_told_with_what_is_missing(tmp_path: Path) -> None:
    empty = Home(tmp_path)
    done = empty.here("train")
    assert done.returncode == 3
    assert "0 mature leads of 100 needed" in done.stdout
    assert "failed" in empty.told("runs", "list")


def test_files_are_imported_once(tmp_path: Path) -> None:
    contacts = tmp_path / "contacts.csv"
    contacts.write_text("id,created_at,city\n1,2026-01-01,Rome\n2,soon,Rome\n", encoding="utf-8")
    empty = Home(tmp_path / "home")
    told = empty.told("import", "--contacts", str(contacts))
    assert "2 rows read = 1 accepted + 0 duplicate + 1 rejected" in told
    later = "data known-since creation --subject contact --columns city"
    assert f"chatlift {later} (or all)" in told
    again = empty.told("import", "--contacts", str(contacts))
    assert "2 rows read = 0 accepted + 1 duplicate + 1 rejected" in again
    assert "contact.city: 1 changed" in empty.told(*later.split())
    assert "contact.city: 0 changed" in empty.told(*later.split())


def test_columns_that_were_known_at_the_creation_are_named_as_they_are_imported(
    tmp_path: Path,
) -> None:
    contacts = tmp_path / "contacts.csv"
    contacts.write_text("id,created_at,Lead Source\n1,2026-01-01,web\n", encoding="utf-8")
    empty = Home(tmp_path / "home")
    asked = ["import", "--contacts", str(contacts), "--dry-run"]
    assert "--known-at-creation 'Lead Source' (or all)" in empty.told(*asked)
    told = empty.told(*asked, "--known-at-creation", "Lead Source")
    assert "Lead Source -> fact, known since its record's creation (given)" in told
    wrong = empty.here(*asked[:-1], "--known-at-creation", "Leed Source")
    assert wrong.returncode == 3
    assert "'Leed Source' was said to be known since the creation" in wrong.stderr


def test_the_platforms_address_is_the_same_command(home: Home) -> None:
    address = [sys.executable, "-m", "apps.api.app.ml.test_models"]
    done = home.run("engagement", "--json", "--quiet", command=address)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["passed"]


@pytest.mark.parametrize("name", ["train", "generate"])
def test_the_other_addresses_lead_to_their_commands(home: Home, name: str) -> None:
    address = {"train": "train_models", "generate": "generate_training_data"}[name]
    done = home.run("--help", command=[sys.executable, "-m", f"apps.api.app.ml.{address}"])
    assert f"Usage: chatlift {name}" in done.stdout


def training(home: Home) -> "subprocess.Popen[str]":
    """A training of engagement that is in the middle of its folds."""
    running = subprocess.Popen(  # noqa: S603 - this interpreter, fixed words
        [*CHATLIFT, "train", "engagement", "--cv-folds", "10"],
        env=home.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "folds" in line:
            break
    return running


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a word")
def test_who_asks_a_training_to_end_stops_it_and_touches_nothing(home: Home) -> None:
    """Ctrl-C, `kill` and `docker stop` are heard alike; see tests/unit/cli/test_main.py."""
    before = home.json("models", "show", "engagement", "--json")
    running = training(home)
    running.send_signal(signal.SIGTERM)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Nothing was published" in told
    assert home.json("runs", "show", "--json")["status"] == "cancelled"
    assert home.json("models", "show", "engagement", "--json") == before


def test_a_training_is_stopped_from_elsewhere(home: Home) -> None:
    running = training(home)
    told = home.told("runs", "stop")
    assert "is cancelled. Training was cancelled. Nothing was published" in told
    _, said = running.communicate(timeout=60)
    assert (running.returncode, "Training was cancelled" in said) == (130, True)
    none = home.here("runs", "stop")
    assert (none.returncode, "No training is under way" in none.stderr) == (1, True)
