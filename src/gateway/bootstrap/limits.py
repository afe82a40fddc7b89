"""The limits of each part, as the settings say."""

from datetime import timedelta

from gateway.adapters.sql.limits import SqlLimits
from gateway.application.access.limits import AccessLimits
from gateway.application.engine.group_commit import GroupLimits
from gateway.application.engine.retry import RetryLimits
from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.events.hub import StreamLimits
from gateway.application.housekeeping import HousekeepingLimits
from gateway.application.quotes import QuoteLimits
from gateway.application.rate_limits.rate_limits import RateLimitSettings
from gateway.domain.quote import SpreadRefund
from gateway.settings.values import Settings


def sql_limits(settings: Settings) -> SqlLimits:
    """The limits of the SQL adapter."""
    return SqlLimits(
        # One for batches that are blocked, which are run again beside the others.
        write_pool_size=settings.write_connections + 1,
        pool_size=settings.database_pool_size,
        access_pool_size=settings.database_access_pool_size,
        webhook_pool_size=settings.webhook_connections,
        pool_timeout_seconds=settings.database_pool_timeout_seconds,
        connect_timeout_seconds=settings.database_connect_timeout_seconds,
        command_timeout_seconds=settings.database_command_timeout_seconds,
        lock_timeout_seconds=settings.database_lock_timeout_seconds,
        statement_timeout_seconds=settings.database_statement_timeout_seconds,
        idle_timeout_seconds=settings.database_idle_timeout_seconds,
        audit_timeout_seconds=settings.database_audit_timeout_seconds,
        schema=settings.database_schema,
    )


def group_limits(settings: Settings) -> GroupLimits:
    """The limits of group commit."""
    return GroupLimits(
        batch_size_max=settings.batch_size_max,
        waiting_max=settings.waiting_max,
        waiting_per_caller_max=settings.waiting_per_caller_max,
        write_connections=settings.write_connections,
        lock_seconds_max=settings.database_lock_timeout_seconds,
        close_seconds_max=settings.drain_seconds_max,
    )


def retry_limits(settings: Settings) -> RetryLimits:
    """The limits of retries of a unit of work."""
    return RetryLimits(attempts_max=settings.retry_attempts_max, duration_seconds_max=settings.retry_seconds_max)


def access_limits(settings: Settings) -> AccessLimits:
    """The limits of sessions and of attempts at passwords."""
    return AccessLimits(
        session_seconds=settings.session_seconds,
        leeway_seconds=settings.token_leeway_seconds,
        free_tries=settings.login_free_tries,
        free_tries_of_an_address=settings.login_free_tries_of_an_address,
        free_tries_of_an_account=settings.login_free_tries_of_an_account,
        backoff_seconds_max=settings.login_backoff_seconds_max,
        account_backoff_seconds_max=settings.login_account_backoff_seconds_max,
        hashing_places=settings.hashing_threads,
        hashing_waiting_max=settings.hashing_waiting_max,
        operators_need_second_factor=(
            settings.environment == "production"
            if settings.operators_second_factor == "auto"
            else settings.operators_second_factor == "required"
        ),
    )


def delivery_limits(settings: Settings) -> DeliveryLimits:
    """The schedule of webhooks, and how much one worker does at once."""
    return DeliveryLimits(
        poll_seconds=settings.webhook_poll_seconds,
        lease_seconds=settings.webhook_lease_seconds,
        retry_seconds=tuple(float(seconds) for seconds in settings.webhook_retry_seconds.split(",")),
        order_seconds=settings.webhook_order_seconds,
        disable_seconds=settings.webhook_disable_seconds,
        pause_seconds=settings.webhook_pause_seconds,
        endpoints_max=settings.webhook_endpoints_max,
        sends_per_endpoint_max=settings.webhook_requests_per_endpoint_max,
        sends_max=settings.webhook_requests_max,
        stop_seconds=settings.drain_seconds_max,
    )


def housekeeping_limits(settings: Settings) -> HousekeepingLimits:
    """How long rows are stored, and how fast they are deleted."""
    return HousekeepingLimits(
        rows_per_step=settings.housekeeping_rows_per_step,
        pause_seconds=settings.housekeeping_pause_seconds,
        interval_seconds=settings.housekeeping_interval_seconds,
        answers=timedelta(days=settings.answers_days),
        events=timedelta(days=settings.events_days),
        quotes=timedelta(days=settings.quotes_days),
        sessions=timedelta(days=settings.sessions_days),
        login_failures=timedelta(days=settings.login_failures_days),
        deliveries=timedelta(days=settings.webhook_deliveries_days),
        audit=timedelta(days=settings.audit_days),
    )


def rate_limit_settings(settings: Settings) -> RateLimitSettings:
    """How many requests users and addresses may make."""
    return RateLimitSettings(
        requests=settings.rate_limit_requests,
        registrations=settings.rate_limit_registrations,
        logins=settings.rate_limit_logins,
        refreshes=settings.rate_limit_refreshes,
        processes_max=settings.rate_limit_processes_max,
    )


def quote_limits(settings: Settings) -> QuoteLimits:
    """The limits of quotes."""
    return QuoteLimits(
        quote_seconds=settings.quote_seconds,
        refund_seconds=settings.quote_refund_seconds or None,
        spread_refund=SpreadRefund(settings.quote_spread_refund),
        rate_change_percent_max=settings.rate_change_percent_max,
    )


def stream_limits(settings: Settings) -> StreamLimits:
    """The limits of streams of events."""
    return StreamLimits(
        streams_max=settings.event_streams_max,
        streams_per_user_max=settings.event_streams_per_user_max,
        waiting_max=settings.event_stream_waiting_max,
    )
