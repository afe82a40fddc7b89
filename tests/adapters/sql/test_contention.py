"""How long others are expected to write to the same rows, once they did."""

import pytest

from gateway.adapters.sql.contention import LOCKING_SECONDS_MAX, LOCKING_SECONDS_MIN, Contention


class Clock:
    """Stands still until it is moved."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def contention(clock: Clock) -> Contention:
    return Contention(now_seconds=clock)


def lasts(contention: Contention, clock: Clock) -> float:
    """Notice it, and tell for how long it is expected from then on; the clock stands at its end."""
    contention.notice()
    start = clock.seconds
    while contention.is_expected:
        clock.seconds += LOCKING_SECONDS_MIN / 2
    return clock.seconds - start


def test_nobody_is_expected_before_somebody_was_noticed(contention: Contention) -> None:
    assert not contention.is_expected


def test_who_came_once_is_expected_for_a_moment(contention: Contention, clock: Clock) -> None:
    assert lasts(contention, clock) == LOCKING_SECONDS_MIN


def test_who_comes_again_and_again_is_expected_twice_as_long_each_time(contention: Contention, clock: Clock) -> None:
    assert [lasts(contention, clock) for _ in range(7)] == [0.25, 0.5, 1, 2, 4, 4, 4]
    assert LOCKING_SECONDS_MAX == 4


def test_who_stayed_away_as_long_as_they_had_been_expected_is_new(contention: Contention, clock: Clock) -> None:
    assert [lasts(contention, clock) for _ in range(3)] == [0.25, 0.5, 1]
    clock.seconds += 0.875
    assert lasts(contention, clock) == 2
    clock.seconds += 2
    assert lasts(contention, clock) == LOCKING_SECONDS_MIN


def test_who_is_expected_already_is_no_news(contention: Contention, clock: Clock) -> None:
    contention.notice()
    clock.seconds += LOCKING_SECONDS_MIN / 2
    assert lasts(contention, clock) == LOCKING_SECONDS_MIN / 2


def test_where_it_is_always_expected_it_is(clock: Clock) -> None:
    always = Contention(always=True, now_seconds=clock)
    assert always.is_expected
    always.notice()
    clock.seconds += 100
    assert always.is_expected
