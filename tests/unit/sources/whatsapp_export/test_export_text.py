"""An export's text out of files, zips and folders, hostile ones among them."""

import io
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatlift.errors import InvalidInput
from chatlift.sources.whatsapp_export import export_text
from chatlift.sources.whatsapp_export.export_text import (
    MOST_TEXT_BYTES,
    decoded,
    exports_in,
    read_export_text,
    shown_name,
)

LINE = "[29/01/2018, 11:25:03] Alex: ¿qué tal?"
TEXT = f"{LINE}\n"


def zipped(path: Path, files: dict[str, str | bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_recognised_with_and_without_its_mark(encoding: str) -> None:
    assert decoded(TEXT.encode(encoding)).removeprefix("\ufeff") == TEXT


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_other_bytes_are_read_as_latin(encoding: str) -> None:
    assert decoded(TEXT.encode(encoding)) == TEXT


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_some_text(content: bytes) -> None:
    assert isinstance(decoded(content), str)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_line_ends_of_both_kinds_are_taken_off(tmp_path: Path, line_end: str) -> None:
    path = tmp_path / "chat.txt"
    path.write_bytes(f"{LINE}{line_end}second\u2028line{line_end}{line_end}".encode())
    assert read_export_text(path).lines == [LINE, "second\u2028line", ""]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("WhatsApp Chat with Alex.txt", "Alex"),
        ("WhatsApp Chat with Alex (2).txt", "Alex"),
        ("WhatsApp Chat mit Alex Müller.txt", "Alex Müller"),
        ("Chat de WhatsApp con Alex.txt", "Alex"),
        ("Conversa do WhatsApp com Alex.txt", "Alex"),
        ("WhatsApp Chat - Alex.zip.txt", "Alex"),
        ("export.txt", None),
        ("WhatsApp Chat with .txt", None),
    ],
)
def test_the_files_name_tells_whom_the_chat_is_with(
    tmp_path: Path, name: str, title: str | None
) -> None:
    (tmp_path / name).write_text(TEXT, encoding="utf-8")
    assert read_export_text(tmp_path / name).title == title


def test_an_ios_zip_is_read_without_its_pictures(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "WhatsApp Chat - Alex.zip",
        {"_chat.txt": TEXT, "00000002-PHOTO.jpg": b"\xff", "a document.txt": "sent in the chat"},
    )
    text = read_export_text(path)
    assert (text.lines, text.title) == ([LINE], "Alex")


def test_an_android_zip_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "export.zip", {"WhatsApp Chat with Alex.txt": TEXT})
    assert read_export_text(path).title == "Alex"


def test_a_folder_of_one_unpacked_export_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "WhatsApp Chat - Alex"
    folder.mkdir()
    (folder / "_chat.txt").write_text(TEXT, encoding="utf-8")
    (folder / "sent document.txt").write_text("no chat", encoding="utf-8")
    (folder / "sent.zip").write_bytes(b"")
    assert read_export_text(folder).title == "Alex"


def test_a_folder_of_many_exports_is_listed(tmp_path: Path) -> None:
    zips = ["a.zip", "b.zip"]
    names = ["WhatsApp Chat - Bea.zip", "WhatsApp Chat with Alex.txt"]
    for found in (zips, names):
        for name in found:
            (tmp_path / name).write_bytes(b"")
        assert [path.name for path in exports_in(tmp_path)] == found
    with pytest.raises(InvalidInput, match="holds 2 exports"):
        read_export_text(tmp_path)


def test_what_is_missing_or_empty_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be read: .* See that it is there"):
        read_export_text(tmp_path / "missing.txt")
    with pytest.raises(InvalidInput, match="holds no export"):
        read_export_text(tmp_path)


def test_a_phone_number_in_a_files_name_is_not_shown() -> None:
    assert shown_name("WhatsApp Chat with +49 (151) 234-567.txt") == (
        "WhatsApp Chat with (number).txt"
    )


def test_a_zip_of_zips_is_refused(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("_chat.txt", TEXT)
    path = zipped(tmp_path / "chats.zip", {"one.zip": inner.getvalue()})
    with pytest.raises(InvalidInput, match="a zip of zips"):
        read_export_text(path)


def test_two_chats_in_one_zip_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "chats.zip", {"a/_chat.txt": TEXT, "b/_chat.txt": TEXT})
    with pytest.raises(InvalidInput, match="holds 2 texts"):
        read_export_text(path)


def test_a_name_that_leads_out_of_the_folder_leads_nowhere(tmp_path: Path) -> None:
    path = zipped(tmp_path / "in.zip", {"../../_chat.txt": TEXT})
    assert read_export_text(path).lines == [LINE]
    assert [p.name for p in tmp_path.iterdir()] == ["in.zip"]


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", {"_chat.txt": b"a" * 20_000_000})
    assert path.stat().st_size < 100_000
    with pytest.raises(InvalidInput, match="more than 200 times its size"):
        read_export_text(path)


def test_a_zip_bomb_that_lies_of_its_size_is_stopped(tmp_path: Path) -> None:
    path = zipped(tmp_path / "bomb.zip", {"_chat.txt": b"a" * 20_000_000})
    content = bytearray(path.read_bytes())
    listed = content.rfind(b"PK\x01\x02")
    struct.pack_into("<L", content, listed + 24, 100)
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="it is damaged"):
        read_export_text(path)


def test_no_more_than_the_limit_is_taken_out_of_a_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_text, "MOST_TEXT_BYTES", 1_000)
    path = zipped(tmp_path / "long.zip", {"_chat.txt": TEXT * 100})
    with pytest.raises(InvalidInput, match="more than a chat can be exported with"):
        read_export_text(path)


def test_more_lines_than_can_be_held_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"\n" * 600_000)
    with pytest.raises(InvalidInput, match=r"600,001 lines.*Cut it"):
        read_export_text(path)


def test_a_listing_too_long_to_load_is_refused_unread(tmp_path: Path) -> None:
    path = zipped(tmp_path / "many.zip", {"_chat.txt": TEXT})
    content = bytearray(path.read_bytes())
    struct.pack_into("<L", content, content.rfind(b"PK\x05\x06") + 12, 2**31)
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="lists more than can be looked through"):
        read_export_text(path)


@pytest.mark.parametrize("kept", [3, 30, 90, 150])
def test_a_torn_zip_is_refused(tmp_path: Path, kept: int) -> None:
    path = zipped(tmp_path / "torn.zip", {"_chat.txt": TEXT})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InvalidInput):
        read_export_text(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4))
def test_a_zip_with_flipped_bytes_is_read_or_refused(
    tmp_path: Path, flips: list[tuple[int, int]]
) -> None:
    path = zipped(tmp_path / "flipped.zip", {"_chat.txt": TEXT})
    content = bytearray(path.read_bytes())
    for at, value in flips:
        content[at % len(content)] = value
    path.write_bytes(content)
    with suppress(InvalidInput):
        read_export_text(path)


def test_a_locked_or_unusually_packed_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "odd.zip", {"_chat.txt": TEXT}, packing=zipfile.ZIP_BZIP2)
    with pytest.raises(InvalidInput, match="locked or packed unusually"):
        read_export_text(path)


def test_one_line_of_a_gigabyte_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    with path.open("wb") as file:
        file.truncate(2**30)  # A file of holes: it takes no room on the disk.
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput, match="larger than 64 MB"):
            read_export_text(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2 * MOST_TEXT_BYTES
