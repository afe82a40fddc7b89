"""Throttle: after failed attempts at a password, the next attempt has to wait."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from math import ceil
from weakref import WeakValueDictionary

from gateway.application.access.addresses import network_of
from gateway.application.access.limits import AccessLimits
from gateway.application.errors import RateLimited
from gateway.application.ports.clock import Clock
from gateway.application.ports.login_failures import Failures, LoginFailures


class Throttle:
    """Counts failures by account and by network, in the storage, where every process sees them."""

    def __init__(self, login_failures: LoginFailures, clock: Clock, limits: AccessLimits) -> None:
        self._login_failures = login_failures
        self._clock = clock
        self._limits = limits
        self._locks: MutableMapping[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def attempt(self, email: str, address: str | None = None) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
        """Make one attempt at an account's password. Yields the function that counts it as failed.

        One process makes attempts at one account one after the other, so that each sees the failures before it.

        Args:
            email: The canonical address of the account.
            address: The network address that the attempt comes from, if it counts.

        Raises:
            RateLimited: Too many attempts have failed before this one.
        """
        account = _account_scope(email)
        free_tries = {account: self._limits.free_tries}
        if address is not None:
            free_tries[f"address:{network_of(address)}"] = self._limits.free_tries_of_an_address

        async def count_failure() -> None:
            now = self._clock()
            forget_before = now - timedelta(seconds=self._limits.forget_failures_seconds)
            await self._login_failures.add(free_tries, now=now, forget_before=forget_before)

        async with self._locks.setdefault(account, asyncio.Lock()):
            now = self._clock()
            for scope, failures in (await self._login_failures.of(free_tries)).items():
                seconds = self._seconds_to_wait(failures, free_tries[scope], now)
                if seconds > 0:
                    raise RateLimited("Too many failed tries.", retry_after_seconds=ceil(seconds))
            yield count_failure

    async def clear(self, email: str) -> None:
        """Forget the failures of an account."""
        await self._login_failures.clear(_account_scope(email))

    def _seconds_to_wait(self, failures: Failures, free_tries: int, now: datetime) -> float:
        since_last = (now - failures.last_at).total_seconds()
        beyond_free_tries = failures.count - free_tries
        if beyond_free_tries < 0 or not 0 <= since_last <= self._limits.forget_failures_seconds:
            return 0.0
        # Beyond 2**60 s `backoff_seconds_max` is lower anyway, and the number would only grow.
        return float(min(2 ** min(beyond_free_tries, 60), self._limits.backoff_seconds_max)) - since_last


def _account_scope(email: str) -> str:
    return f"account:{email}"
