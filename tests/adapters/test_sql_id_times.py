"""Bounds of time-ordered ids lie outside the times they stand for, and hold for ids as they are really made."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.adapters.sql.id_times import CLOCKS_APART, ids_from, ids_until
from gateway.adapters.system.identifiers import time_ordered_id

SECOND = timedelta(seconds=1)


def test_an_id_made_now_lies_between_the_bounds_of_now() -> None:
    now = datetime.now(UTC)
    made = time_ordered_id("pay")
    assert ids_from("pay", now) <= made < ids_until("pay", now)


def test_ids_of_other_times_lie_outside() -> None:
    made, now = time_ordered_id("pay"), datetime.now(UTC)
    assert made < ids_from("pay", now + CLOCKS_APART + SECOND)
    assert made >= ids_until("pay", now - CLOCKS_APART - SECOND)


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime(1969, 6, 1, tzinfo=UTC)])
def test_moments_before_the_first_id_are_before_all_of_them(moment: datetime) -> None:
    assert ids_from("pay", moment) == ids_until("pay", moment) == "pay_" + "0" * 26


def test_the_last_moment_is_after_every_id() -> None:
    assert ids_until("pay", datetime.max.replace(tzinfo=UTC)) > time_ordered_id("pay")
