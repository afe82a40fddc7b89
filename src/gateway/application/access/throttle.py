"""Throttle: after failed attempts at a password, the next attempt has to wait.

An attempt is counted as failed before its password is checked, and taken back if the password was right: of a burst of
guesses, no more are checked than may fail.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil

from gateway.application.access.limits import AccessLimits
from gateway.application.errors import RateLimited
from gateway.application.ports.clock import Clock
from gateway.application.ports.login_failures import Failures, LoginFailures
from gateway.domain.immutable import immutable


@immutable
class Allowance:
    """How many attempts may fail in a row before the next has to wait, and how long it waits at most."""

    free_tries: int
    backoff_seconds_max: int


@immutable
class Attempt:
    """An attempt at a password: what it is counted by. `own` is the scope of the account at one network."""

    own: str
    scopes: Mapping[str, Allowance]


def attempt_at(email: str, network: str, limits: AccessLimits, *, known: bool) -> Attempt:
    """An attempt at an account's password.

    Args:
        email: The canonical address of the account.
        network: Where the attempt comes from.
        limits: How many attempts may fail.
        known: Whether the account's user has logged in from there before. Then the failures of others do not count.
    """
    own, of_the_account, of_the_address = scopes_of(email, network)
    scopes = {own: Allowance(free_tries=limits.free_tries, backoff_seconds_max=limits.backoff_seconds_max)}
    if not known:
        scopes[of_the_account] = Allowance(
            free_tries=limits.free_tries_of_an_account, backoff_seconds_max=limits.account_backoff_seconds_max
        )
        scopes[of_the_address] = Allowance(
            free_tries=limits.free_tries_of_an_address, backoff_seconds_max=limits.backoff_seconds_max
        )
    return Attempt(own=own, scopes=scopes)


def scopes_of(email: str, network: str) -> tuple[str, str, str]:
    """What attempts are counted by: the account at the network, the account, the network.

    Of an address, its hash: what is counted is kept, and people type passwords and card numbers into fields for
    addresses.
    """
    account = hashlib.sha256(email.encode()).hexdigest()
    return f"account at address:{account} {network}", f"account:{account}", f"address:{network}"


class Throttle:
    """Counts failures by account and network, by account, and by network, in the storage: every process sees them."""

    def __init__(self, login_failures: LoginFailures, clock: Clock, limits: AccessLimits) -> None:
        self._login_failures = login_failures
        self._clock = clock
        self._limits = limits

    async def failures_of(self, attempt: Attempt) -> Mapping[str, Failures]:
        """The failures that an attempt is refused for: one read, before anything that costs more."""
        return await self._login_failures.of(attempt.scopes)

    def check(self, attempt: Attempt, failures: Mapping[str, Failures]) -> None:
        """Refuse an attempt that has to wait, without counting it. Failures of other scopes do not matter.

        Raises:
            RateLimited: Too many attempts have failed before this one.
        """
        found = {scope: each for scope, each in failures.items() if scope in attempt.scopes}
        self._refuse(attempt, found, self._clock())

    async def begin(self, attempt: Attempt) -> None:
        """Count an attempt as failed. Its password may be checked afterwards.

        Raises:
            RateLimited: Too many attempts have failed before this one, or are being checked. It was not counted.
        """
        now = self._clock()
        forget_before = now - timedelta(seconds=self._limits.forget_failures_seconds)

        def count(found: Mapping[str, Failures]) -> Mapping[str, Failures | None]:
            self._refuse(attempt, found, now)
            remembered = {scope: each.count for scope, each in found.items() if each.last_at >= forget_before}
            return {scope: Failures(count=remembered.get(scope, 0) + 1, last_at=now) for scope in attempt.scopes}

        await self._login_failures.update(attempt.scopes, count)

    async def succeeded(self, attempt: Attempt) -> None:
        """Take an attempt back: its password was right. The failures of its account at this network are forgotten."""
        await self._login_failures.update(attempt.scopes, lambda found: {**_one_less(found), attempt.own: None})

    async def take_back(self, attempt: Attempt) -> None:
        """Take an attempt back: its password was not checked."""
        await self._login_failures.update(attempt.scopes, _one_less)

    def _refuse(self, attempt: Attempt, found: Mapping[str, Failures], now: datetime) -> None:
        waits = (self._seconds_to_wait(failures, attempt.scopes[scope], now) for scope, failures in found.items())
        seconds = max(waits, default=0.0)
        if seconds > 0:
            raise RateLimited("Too many failed tries.", retry_after_seconds=ceil(seconds))

    def _seconds_to_wait(self, failures: Failures, allowance: Allowance, now: datetime) -> float:
        since_last = (now - failures.last_at).total_seconds()
        beyond_free_tries = failures.count - allowance.free_tries
        if beyond_free_tries < 0 or not 0 <= since_last <= self._limits.forget_failures_seconds:
            return 0.0
        # Beyond 2**60 s the longest wait is shorter anyway, and the number would only grow.
        return float(min(2 ** min(beyond_free_tries, 60), allowance.backoff_seconds_max)) - since_last


def _one_less(found: Mapping[str, Failures]) -> Mapping[str, Failures | None]:
    return {
        scope: Failures(count=failures.count - 1, last_at=failures.last_at) if failures.count > 1 else None
        for scope, failures in found.items()
    }
