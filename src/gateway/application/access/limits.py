"""Limits of access: the lifetime of sessions, and the rate at which passwords may be tried."""

from gateway.domain.immutable import immutable


@immutable
class AccessLimits:
    """Durations are in seconds.

    After `free_tries` failures in a row at one account from one network, the next attempt from there must wait 1 s,
    then 2, up to `backoff_seconds_max`. `forget_failures_seconds` without a failure reset the count. After the wait,
    the next attempt is checked; during the wait every attempt is refused. Attempts at one account from all networks,
    and at all accounts from one network, are limited likewise, with free tries of their own. The account as a whole
    waits `account_backoff_seconds_max` at most, and neither of the two limits concerns networks that the account's user
    has logged in from before.

    `hashing_places` passwords are hashed at the same time; for each purpose, `hashing_waiting_max` wait for a place.

    With `operators_need_second_factor`, operators without a second factor neither log in nor refresh.

    `leeway_seconds` is the largest difference between the clocks of servers. A refresh token that was used may be used
    again within `refresh_grace_seconds`, in case the response was lost. The list of revoked sessions is at most
    `revocations_seconds_max` old; a request waits at most `revocations_wait_seconds_max` for a newer one. Together they
    are the two seconds within which every process refuses what has ended.
    """

    session_seconds: int = 30 * 24 * 3600
    leeway_seconds: int = 30
    refresh_grace_seconds: float = 10.0
    revocations_seconds_max: float = 1.5
    revocations_wait_seconds_max: float = 0.5
    free_tries: int = 5
    free_tries_of_an_account: int = 20
    free_tries_of_an_address: int = 50
    backoff_seconds_max: int = 60
    account_backoff_seconds_max: int = 5
    forget_failures_seconds: int = 3600
    hashing_places: int = 2
    hashing_waiting_max: int = 64
    operators_need_second_factor: bool = False
