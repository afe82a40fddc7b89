"""Counters over sliding windows, against the list of all payments."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contracts.records import EUR, NOW, USD, user_id
from gateway.domain.errors import InvalidInput
from gateway.domain.money import CurrencyCode, Money
from gateway.domain.payment_counters import BUCKETS_PER_WINDOW, PaymentCounters, check_windows

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NONE_YET = PaymentCounters(customer_id=user_id(1), windows={})

steps = st.lists(
    st.tuples(
        st.integers(0, 900).map(lambda seconds: timedelta(seconds=seconds)),
        st.integers(1, 1_000),
        st.sampled_from([USD, EUR]),
    ),
    max_size=40,
)
Steps = Sequence[tuple[timedelta, int, CurrencyCode]]


@given(steps, st.sampled_from([MINUTE, 7 * MINUTE, HOUR]))
def test_a_payment_counts_for_the_window_and_at_most_one_bucket_more(steps: Steps, window: timedelta) -> None:
    counters, now = NONE_YET, NOW
    made: list[tuple[datetime, int, CurrencyCode]] = []
    for later, amount, currency in steps:
        now += later
        least = [each for each in made if now - each[0] <= window]
        most = [each for each in made if now - each[0] <= window + window / BUCKETS_PER_WINDOW]
        assert len(least) <= counters.count(window, now) <= len(most)
        for one in (USD, EUR):
            low, high = (sum(each[1] for each in some if each[2] == one) for some in (least, most))
            assert low <= counters.sum_minor(window, one, now) <= high
        counters = counters.counted(Money(amount, currency), [MINUTE, 7 * MINUTE, HOUR], now)
        made.append((now, amount, currency))
    assert counters.version == len(steps)


@given(steps, st.integers(0, 40), st.integers(0, 20_000))
def test_when_counters_will_have_fallen_is_the_first_moment_at_which_they_have(
    steps: Steps, count: int, sum_minor: int
) -> None:
    counters, now = NONE_YET, NOW
    for later, amount, currency in steps:
        now += later
        counters = counters.counted(Money(amount, currency), [HOUR], now)
    instant = timedelta.resolution
    falls = counters.count_falls_to(count, HOUR, now)
    assert falls is not None
    assert counters.count(HOUR, falls) <= count
    assert falls == now or counters.count(HOUR, falls - instant) > count
    falls = counters.sum_falls_to(sum_minor, HOUR, USD, now)
    assert falls is not None
    assert counters.sum_minor(HOUR, USD, falls) <= sum_minor
    assert falls == now or counters.sum_minor(HOUR, USD, falls - instant) > sum_minor


def test_nothing_falls_below_zero() -> None:
    assert NONE_YET.count_falls_to(-1, HOUR, NOW) is None


@given(steps)
def test_a_window_has_few_buckets_however_many_payments_there_are(steps: Steps) -> None:
    counters, now = NONE_YET, NOW
    for later, amount, currency in [*steps, *steps, *steps, *steps]:
        now += later
        counters = counters.counted(Money(amount, currency), [MINUTE, HOUR], now)
    assert all(len(buckets) <= BUCKETS_PER_WINDOW + 1 for buckets in counters.windows.values())


def test_a_window_that_no_rule_names_any_longer_is_kept_until_it_is_over() -> None:
    counters = NONE_YET.counted(Money(5, USD), [HOUR], NOW)
    soon = counters.counted(Money(7, USD), [MINUTE], NOW + MINUTE)
    assert soon.sum_minor(HOUR, USD, NOW + MINUTE) == 5
    later = soon.counted(Money(7, USD), [MINUTE], NOW + 2 * HOUR)
    assert set(later.windows) == {MINUTE}


def test_payments_of_a_process_whose_clock_is_ahead_count() -> None:
    ahead = NONE_YET.counted(Money(5, USD), [MINUTE], NOW + HOUR)
    assert ahead.count(MINUTE, NOW) == 1


@pytest.mark.parametrize(
    "windows",
    [
        "1h",
        HOUR,
        [3600],
        [timedelta(seconds=90)],
        [timedelta(0)],
        [-MINUTE],
        [timedelta(days=31, minutes=1)],
        [minutes * MINUTE for minutes in range(1, 10)],
    ],
)
def test_windows_that_cannot_be_counted_are_refused(windows: object) -> None:
    with pytest.raises(InvalidInput):
        check_windows(windows)


def test_each_window_is_counted_once() -> None:
    assert check_windows([HOUR, MINUTE, 60 * MINUTE]) == (MINUTE, HOUR)
