"""Settings and the parts that they set have the same defaults."""

from datetime import timedelta
from typing import Literal

import pytest

from gateway.adapters.http import HttpLimits
from gateway.adapters.sql import SqlLimits
from gateway.application.access.limits import AccessLimits
from gateway.application.engine.group_commit import GroupLimits
from gateway.application.engine.retry import RetryLimits
from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.events.hub import StreamLimits
from gateway.application.housekeeping import HousekeepingLimits
from gateway.application.quotes import QuoteLimits
from gateway.application.rate_limits.rate_limits import RateLimitSettings
from gateway.bootstrap.limits import (
    access_limits,
    delivery_limits,
    group_limits,
    housekeeping_limits,
    quote_limits,
    rate_limit_settings,
    retry_limits,
    sql_limits,
    stream_limits,
)
from gateway.bootstrap.serving import http_limits
from gateway.settings.values import Settings


def test_the_limits_default_to_what_each_part_defaults_to() -> None:
    settings = Settings()

    assert sql_limits(settings) == SqlLimits(write_pool_size=settings.write_connections + 1)
    assert group_limits(settings) == GroupLimits()
    assert group_limits(Settings(database_url="postgresql://db/gateway", write_connections=3)) == GroupLimits(
        write_connections=3
    )
    assert retry_limits(settings) == RetryLimits()
    assert access_limits(settings) == AccessLimits()
    assert rate_limit_settings(settings) == RateLimitSettings()
    assert quote_limits(settings) == QuoteLimits()
    assert delivery_limits(settings) == DeliveryLimits(stop_seconds=settings.drain_seconds_max)
    assert stream_limits(settings) == StreamLimits()
    assert housekeeping_limits(settings) == HousekeepingLimits()
    assert http_limits(settings) == HttpLimits()


@pytest.mark.parametrize(
    ("environment", "given", "needed"),
    [
        ("sandbox", "auto", False),
        ("production", "auto", True),
        ("production", "optional", False),
        ("sandbox", "required", True),
    ],
)
def test_operators_need_a_second_factor_in_production_unless_a_setting_says_otherwise(
    environment: Literal["sandbox", "production"], given: Literal["auto", "required", "optional"], *, needed: bool
) -> None:
    settings = Settings(environment=environment, operators_second_factor=given)
    assert access_limits(settings).operators_need_second_factor is needed


def test_each_setting_of_housekeeping_reaches_its_limit() -> None:
    settings = Settings(
        housekeeping_rows_per_step=11,
        housekeeping_pause_seconds=12.0,
        housekeeping_interval_seconds=13.0,
        answers_days=14,
        events_days=15,
        quotes_days=16,
        sessions_days=17,
        login_failures_days=18,
        webhook_deliveries_days=19,
        audit_days=20,
    )
    assert housekeeping_limits(settings) == HousekeepingLimits(
        rows_per_step=11,
        pause_seconds=12.0,
        interval_seconds=13.0,
        answers=timedelta(days=14),
        events=timedelta(days=15),
        quotes=timedelta(days=16),
        sessions=timedelta(days=17),
        login_failures=timedelta(days=18),
        deliveries=timedelta(days=19),
        audit=timedelta(days=20),
    )
