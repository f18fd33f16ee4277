import pytest

from chatlift.errors import (
    Cancelled,
    ChatliftError,
    Conflict,
    ErrorKind,
    InvalidInput,
    NotFound,
    NotReady,
    Unavailable,
)

KINDS: dict[type[ChatliftError], ErrorKind] = {
    InvalidInput: ErrorKind.INVALID,
    NotFound: ErrorKind.NOT_FOUND,
    Conflict: ErrorKind.CONFLICT,
    NotReady: ErrorKind.NOT_READY,
    Unavailable: ErrorKind.UNAVAILABLE,
}


@pytest.mark.parametrize(("error", "kind"), KINDS.items(), ids=lambda part: str(part))
def test_an_error_carries_the_kind_that_its_name_tells(
    error: type[ChatliftError], kind: ErrorKind
) -> None:
    assert error("No version 7; the newest is 5.").kind is kind


def test_every_kind_has_an_error() -> None:
    assert set(KINDS.values()) == set(ErrorKind)


def test_cancelled_work_is_a_conflict() -> None:
    assert Cancelled("Training was stopped.").kind is ErrorKind.CONFLICT


def test_an_error_shows_its_sentence_as_it_is() -> None:
    assert str(NotFound("No lead 7.\nList them.")) == "No lead 7.\nList them."


def test_a_more_special_error_keeps_its_kind_and_is_caught_by_the_root() -> None:
    class VersionNotFound(NotFound):
        """No such version."""

    with pytest.raises(ChatliftError) as caught:
        raise VersionNotFound("No version 7.")
    assert caught.value.kind is ErrorKind.NOT_FOUND


def test_the_kinds_are_plain_words_on_the_wire() -> None:
    assert [str(kind) for kind in ErrorKind] == [
        "invalid",
        "not_found",
        "conflict",
        "not_ready",
        "unavailable",
    ]
