import pytest

from chatlift.service import limits
from chatlift.service.limits import Buckets, Limits, TooManyRequests
from chatlift.settings import ServiceSettings


class Timer:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_bucket_fills_with_time() -> None:
    timer = Timer()
    buckets = Buckets(60, timer)  # one a second, 60 at once
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)
    timer.seconds = 0.4
    assert buckets.take("a") == pytest.approx(0.6)
    timer.seconds = 1.0
    assert buckets.take("a") == 0.0
    timer.seconds = 1_000.0
    assert [buckets.take("a") for _ in range(61)][-1] > 0


def test_one_callers_haste_is_not_anothers() -> None:
    buckets = Buckets(1, Timer())
    assert buckets.take("a") == 0.0
    assert buckets.take("a") == pytest.approx(60.0)
    assert buckets.take("b") == 0.0


def test_callers_that_ask_for_nothing_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KNOWN_KEYS", 3)
    timer = Timer()
    buckets = Buckets(60, timer)
    for key in ("a", "b", "c"):
        buckets.take(key)
    timer.seconds = 1.5
    buckets.take("c")
    buckets.take("c")
    buckets.take("d")
    assert set(buckets._buckets) == {"c", "d"}


def test_too_many_at_a_time_are_refused_and_ended_ones_make_room() -> None:
    bounded = Limits(ServiceSettings(concurrent_requests=1), Timer())
    with bounded.one_request("a"):
        with pytest.raises(TooManyRequests) as refused, bounded.one_request("a"):
            pass
        with bounded.one_request("b"):
            pass
    with bounded.one_request("a"):
        pass
    assert refused.value.headers == {"Retry-After": "1"}


def test_a_refusal_says_when_to_come_back() -> None:
    bounded = Limits(ServiceSettings(requests_per_minute=2), Timer())
    for _ in range(2):
        with bounded.one_request("a"):
            pass
    with pytest.raises(TooManyRequests) as refused, bounded.one_request("a"):
        pass
    assert refused.value.headers == {"Retry-After": "30"}


def test_an_address_may_be_wrong_a_few_times_only() -> None:
    bounded = Limits(ServiceSettings(failed_sign_ins_per_minute=2), Timer())
    for _ in range(2):
        bounded.refuse_guesses("10.0.0.1")
        bounded.note_failure("10.0.0.1")
    with pytest.raises(TooManyRequests):
        bounded.refuse_guesses("10.0.0.1")
    bounded.refuse_guesses("10.0.0.2")
