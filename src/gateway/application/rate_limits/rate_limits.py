"""RateLimits: the limits that a gateway has. `None` is no limit."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from gateway.application.ports.rate_budgets import RateBudgets
from gateway.application.rate_limits.bucket import RateLimit
from gateway.application.rate_limits.keys import KeyLimiters
from gateway.application.rate_limits.limiter import RateLimiter
from gateway.domain.immutable import immutable

REQUESTS: Final = "requests"
REGISTRATIONS: Final = "registrations"
LOGINS: Final = "logins"
REFRESHES: Final = "refreshes"


@immutable
class RateLimitSettings:
    """Requests in a minute; 0 is no limit. `requests` counts by user, the other limits count by address.

    `processes_max` is how many processes share the limits, at most.
    """

    requests: int = 60_000
    registrations: int = 1_200
    logins: int = 3_000
    refreshes: int = 6_000
    processes_max: int = 16


@immutable
class RateLimits:
    """The rate limits of one process. Used by network adapters: a program that embeds the gateway has none.

    `of_keys` counts the requests of API keys with a limit of their own, which `requests` counts for their owners, too.
    """

    requests: RateLimiter | None
    of_addresses: Mapping[str, RateLimiter]
    of_keys: KeyLimiters | None = None

    async def close(self) -> None:
        """Draw no more from the budgets."""
        limiters = [*self.of_addresses.values(), *([] if self.requests is None else [self.requests])]
        await asyncio.gather(*(limiter.close() for limiter in limiters))
        if self.of_keys is not None:
            await self.of_keys.close()


NO_RATE_LIMITS: Final = RateLimits(requests=None, of_addresses={})


def rate_limits(
    settings: RateLimitSettings, budgets: RateBudgets, monotonic: Callable[[], int] = time.monotonic_ns
) -> RateLimits:
    """The rate limits that settings ask for. `monotonic` is the clock of the budgets, in nanoseconds."""

    def limiter(name: str, count: int) -> RateLimiter:
        limit = RateLimit(name=name, count=count)
        return RateLimiter(limit, budgets, monotonic, processes_max=settings.processes_max)

    of_addresses = {
        REGISTRATIONS: settings.registrations,
        LOGINS: settings.logins,
        REFRESHES: settings.refreshes,
    }
    return RateLimits(
        requests=limiter(REQUESTS, settings.requests) if settings.requests else None,
        of_addresses={name: limiter(name, count) for name, count in of_addresses.items() if count},
        of_keys=KeyLimiters(budgets, monotonic, processes_max=settings.processes_max),
    )
