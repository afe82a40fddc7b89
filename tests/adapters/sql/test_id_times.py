"""Bounds of time-ordered ids lie outside the times they stand for, and hold for ids as they are really made."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.sql.id_times import ids_from, ids_until
from gateway.adapters.system.identifiers import time_ordered_id

MICROSECOND = timedelta(microseconds=1)
MILLISECOND = timedelta(milliseconds=1)
NOTHING = timedelta()
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone.


@given(MOMENTS)
def test_an_id_lies_between_the_bounds_of_its_moment(moment: datetime) -> None:
    made = time_ordered_id.of(moment)("pay")
    assert ids_from("pay", moment) <= made < ids_until("pay", moment + MICROSECOND, ahead=NOTHING)


@given(MOMENTS)
def test_ids_of_other_milliseconds_lie_outside(moment: datetime) -> None:
    made = time_ordered_id.of(moment)("pay")
    assert made < ids_from("pay", moment + MILLISECOND)
    assert made >= ids_until("pay", moment - MILLISECOND, ahead=NOTHING)


@given(MOMENTS, st.timedeltas(MICROSECOND, timedelta(days=400)))
def test_ids_that_are_ahead_lie_below_the_bound_for_them(moment: datetime, ahead: timedelta) -> None:
    made = time_ordered_id.of(moment + ahead)("txn")
    assert made < ids_until("txn", moment + MICROSECOND, ahead=ahead)


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime(1969, 6, 1, tzinfo=UTC)])
def test_moments_before_the_first_id_are_before_all_of_them(moment: datetime) -> None:
    assert ids_from("pay", moment) == ids_until("pay", moment, ahead=NOTHING) == "pay_" + "0" * 26


def test_the_last_moment_is_after_every_id() -> None:
    assert ids_until("pay", datetime.max.replace(tzinfo=UTC), ahead=NOTHING) > time_ordered_id("pay")
