"""Limits of access: the lifetime of sessions, and the rate at which passwords may be tried."""

from gateway.domain.immutable import immutable


@immutable
class AccessLimits:
    """Durations are in seconds.

    After `free_tries` failures in a row at one account, the next attempt must wait 1 s, then 2, up to
    `backoff_seconds_max`. `forget_failures_seconds` without a failure reset the count. An account is never locked for
    good: after the wait, the next attempt is checked. During the wait every attempt is refused. Attempts from one
    network address are limited likewise, but an address may belong to a whole office, and so has more free tries.

    `leeway_seconds` is the largest difference between the clocks of servers. A refresh token that was used may be used
    again within `refresh_grace_seconds`, in case the response was lost. The list of revoked sessions is at most
    `revocations_seconds_max` old; a request waits at most `revocations_wait_seconds_max` for a newer one.
    """

    session_seconds: int = 30 * 24 * 3600
    leeway_seconds: int = 30
    refresh_grace_seconds: float = 10.0
    revocations_seconds_max: float = 2.0
    revocations_wait_seconds_max: float = 0.5
    free_tries: int = 5
    free_tries_of_an_address: int = 50
    backoff_seconds_max: int = 60
    forget_failures_seconds: int = 3600
