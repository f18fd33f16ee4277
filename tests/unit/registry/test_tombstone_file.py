from pathlib import Path

from chatlift.registry.tombstone_file import keep_digests, kept_digests

ONE, OTHER = "0" * 64, "a" * 64


def test_digests_add_up_and_nothing_else_is_read(tmp_path: Path) -> None:
    path = tmp_path / "forgotten" / "1.txt"
    assert kept_digests(path) == frozenset()
    keep_digests(path, [ONE])
    keep_digests(path, [OTHER, ONE])
    assert kept_digests(path) == {ONE, OTHER}
    assert path.read_text(encoding="ascii") == f"{ONE}\n{OTHER}\n"
    assert list(path.parent.iterdir()) == [path]
