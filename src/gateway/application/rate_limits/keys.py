"""KeyLimiters: the rate limits that API keys have of their own."""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.application.ports.rate_budgets import RateBudgets
from gateway.application.rate_limits.bucket import RateLimit
from gateway.application.rate_limits.limiter import RateLimiter

KEY: Final = "key"
"""The name of the limit, as clients see it."""
LIMITERS_MAX: Final = 1_000
"""How many different limits a process has buckets for. The oldest is forgotten, with the tokens that it has drawn."""


class KeyLimiters:
    """A limiter for each number of requests in a minute that some key has.

    Args:
        budgets: The buckets that processes share.
        monotonic: As in `RateLimiter`.
        processes_max: As in `RateLimiter`.
    """

    def __init__(self, budgets: RateBudgets, monotonic: Callable[[], int], *, processes_max: int) -> None:
        self._budgets = budgets
        self._monotonic = monotonic
        self._processes_max = processes_max
        self._limiters: dict[int, RateLimiter] = {}

    def of(self, requests_per_minute: int) -> RateLimiter:
        """The limiter of keys with this limit."""
        limiter = self._limiters.get(requests_per_minute)
        if limiter is None:
            limit = RateLimit(name=KEY, count=requests_per_minute)
            limiter = RateLimiter(limit, self._budgets, self._monotonic, processes_max=self._processes_max)
            self._limiters[requests_per_minute] = limiter
            if len(self._limiters) > LIMITERS_MAX:
                self._forget_one()
        return limiter

    async def close(self) -> None:
        """Draw no more."""
        await asyncio.gather(*(limiter.close() for limiter in self._limiters.values()))

    def _forget_one(self) -> None:
        """Forget the oldest limiter that does not draw: one that draws is closed with this object."""
        for count, limiter in self._limiters.items():
            if not limiter.is_drawing:
                del self._limiters[count]
                return
