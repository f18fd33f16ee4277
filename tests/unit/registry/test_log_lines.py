from pathlib import Path

from chatlift.registry.log_lines import REMOVED, remove_lines

STAMP = "2026-03-01 10:00:00"


def test_chosen_lines_leave_a_notice_and_the_others_stay_to_the_byte(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "training_log.txt"
    log.parent.mkdir()
    kept = f"{STAMP} TRAINING\n{STAMP}\n"
    log.write_text(f"{kept}{STAMP} lead canary-1 is hot\n", encoding="utf-8", newline="\n")
    assert remove_lines(tmp_path, lambda line: "canary" in line) == 1
    assert log.read_text(encoding="utf-8") == f"{kept}{STAMP} {REMOVED}\n"
    assert list(log.parent.iterdir()) == [log]
    assert remove_lines(tmp_path, lambda line: "canary" in line) == 0


def test_files_that_are_no_logs_of_ours_are_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("canary-1 wrote to me", encoding="utf-8")
    (tmp_path / "empty").touch()
    assert remove_lines(tmp_path, lambda _: True) == 0
    assert notes.read_text(encoding="utf-8") == "canary-1 wrote to me"
