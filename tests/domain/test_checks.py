"""Checks of single values, where their ends are."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.domain.checks import check_instant
from gateway.domain.errors import InvalidInput

EAST, WEST = timezone(timedelta(hours=14)), timezone(-timedelta(hours=14))


@pytest.mark.parametrize(
    "instant",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, tzinfo=WEST),
        datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 1, 1, 1, tzinfo=EAST),
    ],
)
def test_a_time_is_taken_by_its_year_in_utc(instant: datetime) -> None:
    check_instant("updated_at", instant)


@pytest.mark.parametrize(
    "instant",
    [
        datetime(1970, 1, 1, tzinfo=EAST),
        datetime(9998, 12, 31, 23, tzinfo=WEST),
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime(9999, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=EAST),
        datetime(9999, 12, 31, 23, tzinfo=WEST),
        datetime(2026, 1, 1),  # noqa: DTZ001 - without a time zone, which is the point.
    ],
)
def test_a_time_that_storages_would_read_back_as_one_of_another_year_is_refused(instant: datetime) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_instant("updated_at", instant)
    assert [error.field for error in refused.value.errors] == ["updated_at"]
