"""Lines that no encoding and no pipe can break."""

import io

import pytest

from chatlift.cli.console import Console, Lines, heading, mend_streams, toned


class Heard(Lines):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_character_that_the_stream_lacks_does_not_end_the_process(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    mend_streams(stream)
    Console(stream=stream).say("Zoë \N{ROCKET} \N{CJK UNIFIED IDEOGRAPH-4E2D}")
    assert raw.getvalue().startswith(b"Zo")
    assert (
        raw.getvalue()
        .rstrip(b"\r\n")
        .endswith("\N{CJK UNIFIED IDEOGRAPH-4E2D}".encode(encoding, errors="replace"))
    )


def test_colour_changes_no_words() -> None:
    assert "FAIL churn" in toned("FAIL churn")
    assert toned("nothing special") == "nothing special"


def test_a_pipe_gets_no_colour() -> None:
    stream = io.StringIO()
    Console(stream=stream).say(["PASS", *heading("TESTING SUMMARY")])
    assert "\x1b" not in stream.getvalue()


def test_listeners_hear_what_nobody_reads() -> None:
    heard = Heard()
    console = Console(stream=None, is_colourful=True, listeners=(heard,))
    console.say("PASS")
    console.note(["a frame"])
    assert heard.lines == ["PASS", "a frame"]
