"""Settings and the parts that they set have the same defaults."""

from gateway.adapters.http import HttpLimits
from gateway.adapters.sql import SqlLimits
from gateway.application.access.limits import AccessLimits
from gateway.application.engine.group_commit import GroupLimits
from gateway.application.engine.retry import RetryLimits
from gateway.application.quotes import QuoteLimits
from gateway.bootstrap.limits import access_limits, group_limits, quote_limits, retry_limits, sql_limits
from gateway.entrypoints.api import http_limits
from gateway.settings.values import Settings


def test_the_limits_default_to_what_each_part_defaults_to() -> None:
    settings = Settings()

    assert sql_limits(settings) == SqlLimits(write_pool_size=settings.write_connections)
    assert group_limits(settings) == GroupLimits()
    assert group_limits(Settings(database_url="postgresql://db/gateway", write_connections=3)) == GroupLimits(
        write_connections=3
    )
    assert retry_limits(settings) == RetryLimits()
    assert access_limits(settings) == AccessLimits()
    assert quote_limits(settings) == QuoteLimits()
    assert http_limits(settings) == HttpLimits()
