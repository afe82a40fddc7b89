"""The token bucket, as a pure function."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.application.rate_limits.bucket import NANOSECONDS, RateLimit, give_back, take

LIMIT = RateLimit(name="requests", count=60, seconds=60)
NOW = 1_800_000_000 * NANOSECONDS

limits = st.builds(RateLimit, name=st.just("requests"), count=st.integers(1, 6_000_000), seconds=st.integers(1, 86_400))


def test_a_new_bucket_has_as_many_tokens_as_the_limit() -> None:
    assert take(LIMIT, 0, NOW, needed=60, wanted=60)[1:] == (60, 0)
    assert take(LIMIT, 0, NOW, needed=61, wanted=61)[1:] == (0, 60)


def test_a_token_comes_back_after_each_interval() -> None:
    full_at, _, _ = take(LIMIT, 0, NOW, needed=60, wanted=60)
    assert take(LIMIT, full_at, NOW + NANOSECONDS - 1, needed=1, wanted=1)[1:] == (0, 0)
    assert take(LIMIT, full_at, NOW + NANOSECONDS, needed=1, wanted=9)[1:] == (1, 0)
    assert take(LIMIT, full_at, NOW + 3600 * NANOSECONDS, needed=1, wanted=99)[1:] == (60, 0)


def test_fewer_tokens_than_are_needed_are_left_where_they_are() -> None:
    full_at, _, _ = take(LIMIT, 0, NOW, needed=58, wanted=58)
    assert take(LIMIT, full_at, NOW, needed=3, wanted=3) == (full_at, 0, 2)


def test_a_clock_that_is_set_back_does_not_empty_a_bucket_for_longer_than_its_window() -> None:
    full_at, _, _ = take(LIMIT, 0, NOW + 3600 * NANOSECONDS, needed=1, wanted=1)
    assert take(LIMIT, full_at, NOW, needed=0, wanted=0).left == 0
    after = take(LIMIT, full_at, NOW, needed=0, wanted=0).full_at_ns
    assert take(LIMIT, after, NOW + 60 * NANOSECONDS, needed=1, wanted=99).granted == 60


def test_tokens_that_are_given_back_can_be_taken_again() -> None:
    full_at, _, _ = take(LIMIT, 0, NOW, needed=60, wanted=60)
    assert take(LIMIT, give_back(LIMIT, full_at, 7), NOW, needed=7, wanted=9).granted == 7


def test_more_than_were_taken_cannot_be_given_back() -> None:
    assert take(LIMIT, give_back(LIMIT, NOW, 7), NOW, needed=1, wanted=99).granted == 60


@pytest.mark.parametrize(("count", "seconds"), [(0, 60), (-1, 60), (2 * NANOSECONDS, 1), (1, 0)])
def test_a_limit_that_is_none_is_refused(count: int, seconds: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        RateLimit(name="requests", count=count, seconds=seconds)


@given(
    limits,
    st.lists(st.tuples(st.integers(0, 10 * NANOSECONDS), st.integers(1, 1_000), st.integers(0, 1_000)), max_size=50),
)
def test_no_more_is_granted_in_any_time_than_the_limit_and_what_comes_back(
    limit: RateLimit, steps: list[tuple[int, int, int]]
) -> None:
    full_at, now = 0, NOW
    granted: list[tuple[int, int]] = []
    for pause, needed, more in steps:
        now += pause
        full_at, tokens, left = take(limit, full_at, now, needed=needed, wanted=needed + more)
        granted.append((now, tokens))
        assert 0 <= left <= limit.count
        assert tokens == 0 or tokens >= needed
    for first in range(len(granted)):
        since = granted[first][0]
        total = 0
        for at, tokens in granted[first:]:
            total += tokens
            assert total <= limit.count + (at - since) * limit.count // (limit.seconds * NANOSECONDS) + 1
