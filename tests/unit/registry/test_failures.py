from chatlift.errors import NotReady
from chatlift.registry.failures import GENERIC_SENTENCE, failure_of


def caught(error: Exception) -> Exception:
    try:
        try:
            int("secret cell")
        except ValueError as cause:
            raise error from cause
    except type(error) as found:
        return found


def test_a_foreign_error_keeps_type_and_place_but_no_value() -> None:
    failure = failure_of(caught(KeyError("secret name")))
    assert (failure["type"], failure["kind"]) == ("KeyError", "internal")
    assert failure["sentence"] == GENERIC_SENTENCE
    assert [cause["type"] for cause in failure["causes"]] == ["ValueError"]
    assert "secret" not in str(failure)
    assert failure["frames"][0]["file"] == "test_failures.py"


def test_our_own_error_keeps_its_sentence() -> None:
    failure = failure_of(caught(NotReady("Too little data.")))
    assert (failure["kind"], failure["sentence"]) == ("not_ready", "Too little data.")
