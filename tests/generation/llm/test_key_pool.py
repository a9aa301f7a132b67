import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_kedro.generation.llm.key_pool import KeyPool, backoff, retry_after_seconds


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_keys_are_dealt_in_turn() -> None:
    pool = KeyPool(["a", "b", "c"], clock=Clock())
    assert [pool.secret(pool.take()[0]) for _ in range(5)] == ["a", "b", "c", "a", "b"]


def test_a_key_that_rests_is_left_out_until_its_time_is_over() -> None:
    clock = Clock()
    pool = KeyPool(["a", "b"], clock=clock)
    pool.cool_down(1, "30")
    assert [pool.take()[0] for _ in range(3)] == [2, 2, 2]
    pool.cool_down(2, "50")
    assert pool.take() == (0, 30.0)
    clock.now += 30
    assert pool.take() == (1, 0.0)


def test_a_rest_is_never_cut_short() -> None:
    clock = Clock()
    pool = KeyPool(["a"], clock=clock)
    pool.cool_down(1, "30")
    pool.cool_down(1, "1")
    assert pool.take() == (0, 30.0)


def test_many_refusals_at_once_are_one() -> None:
    clock = Clock()
    pool = KeyPool(["a"], clock=clock)
    assert max(pool.cool_down(1, None) for _ in range(50)) <= 1
    clock.now += 1
    assert 1 <= pool.cool_down(1, None) <= 2


def test_after_a_rest_a_key_goes_slower_and_then_faster_with_each_reply() -> None:
    clock = Clock()
    pool = KeyPool(["a"], base_s=4.0, clock=clock)
    assert [pool.take()[0] for _ in range(3)] == [1, 1, 1]
    pool.cool_down(1, "10")
    clock.now += 10
    assert [pool.take() for _ in range(2)] == [(1, 0.0), (0, 1.0)]
    pool.cool_down(1, "10")
    clock.now += 10
    assert [pool.take() for _ in range(2)] == [(1, 0.0), (0, 2.0)]
    clock.now += 2
    pool.answered(1, tokens=0)
    assert pool.take() == (1, 0.0)
    assert pool.take()[1] == pytest.approx(1.8)


def test_requests_and_tokens_are_paced_for_each_key() -> None:
    clock = Clock()
    pool = KeyPool(["a", "b"], requests_per_minute=30, tokens_per_minute=600, clock=clock)
    assert [pool.take() for _ in range(3)] == [(1, 0.0), (2, 0.0), (0, 2.0)]
    pool.answered(1, tokens=100)  # 10 s of its tokens, after the 2 s of its request
    clock.now += 2
    assert pool.take() == (2, 0.0)
    pool.cool_down(2, "60")
    clock.now += 9.5
    assert pool.take() == (0, 0.5)


def test_no_key_is_one_caller() -> None:
    pool = KeyPool([])
    assert len(pool) == 1
    assert pool.secret(pool.take()[0]) == ""


def test_pauses_double_with_jitter_from_a_seed() -> None:
    pauses = [backoff(n, 1.0, 60.0, random.Random(0)) for n in range(1, 9)]
    again = [backoff(n, 1.0, 60.0, random.Random(0)) for n in range(1, 9)]
    assert pauses == again
    for number, pause in enumerate(pauses):
        assert min(2**number, 60) / 2 <= pause <= min(2**number, 60)


def test_retry_after_in_seconds_and_as_a_date() -> None:
    assert retry_after_seconds("2.5") == 2.5
    assert retry_after_seconds("0") == 0
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 57 < (retry_after_seconds(soon) or 0) <= 60
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=60), usegmt=True)
    assert retry_after_seconds(past) == 0
    never = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"
    for unread in (None, "", "soon", "nan", "inf", "-3", never):
        assert retry_after_seconds(unread) is None


@given(st.text(max_size=40))
def test_any_header_is_seconds_or_nothing(header: str) -> None:
    seconds = retry_after_seconds(header)
    assert seconds is None or seconds >= 0
