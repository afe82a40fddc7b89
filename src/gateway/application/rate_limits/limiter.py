"""RateLimiter: lets requests through as long as there are tokens.

Processes share a bucket for each key, in the storage. Each process draws some tokens at a time, and most requests take
one that was drawn before: a look-up and arithmetic. A process also has a small bucket of its own for each key, so that
keys with few requests never draw. All processes together let at most 1.2 times the limit through:

- a tenth more out of their own buckets, each of which is the limit divided by `10 * processes_max`;
- a twentieth more because drawn tokens are good for a fortieth of the window, and may be given back as long afterwards;
- a fortieth more because a draw in time leaves an eighth of the tokens before it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.application.errors import RateLimited
from gateway.application.ports.rate_budgets import RateBudgets
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.rate_limits.bucket import NANOSECONDS, RateLimit, Taken, give_back, take

NOT_DRAWN: Final = -1
LEASES_MAX: Final = 10_000
"""The keys whose drawn tokens a process remembers. Others are forgotten, and draw again."""
OWN_SHARE: Final = 10
"""The own buckets of all processes together are the limit divided by this."""
LIFETIME_SHARE: Final = 40
"""Drawn tokens are good for the window divided by this; one draw has at most the limit divided by this."""
RENEWAL_SHARE: Final = 8
"""A process draws anew when an eighth of the tokens is left."""
PAUSE_SHARE: Final = 100
"""A key that has been refused draws again after the window divided by this."""


class _Lease:
    """The tokens that this process has for one key. Times are nanoseconds of the monotonic clock."""

    __slots__ = ("left", "lock", "own_full_at", "refused_until", "renewing", "rest", "size", "until", "waiting")

    def __init__(self, limit: RateLimit) -> None:
        self.own_full_at = 0
        self.left = 0
        self.rest = limit.count
        """What was left in the shared bucket after the last draw."""
        self.until = 0
        self.refused_until = 0
        self.size = 1
        self.waiting = 0
        self.renewing = False
        self.lock = asyncio.Lock()


class RateLimiter:
    """One rate limit.

    Args:
        limit: The limit of each key.
        budgets: The buckets that processes share.
        monotonic: The time in nanoseconds, by a clock that is never set back.
        processes_max: How many processes share the limit, at most.
    """

    def __init__(
        self, limit: RateLimit, budgets: RateBudgets, monotonic: Callable[[], int], *, processes_max: int
    ) -> None:
        self.limit = limit
        self._budgets = budgets
        self._monotonic = monotonic
        self._leases: dict[str, _Lease] = {}
        self._lifetime = limit.seconds * NANOSECONDS // LIFETIME_SHARE
        self._pause = limit.seconds * NANOSECONDS // PAUSE_SHARE
        self._size_max = max(limit.count // LIFETIME_SHARE, 1)
        share = OWN_SHARE * processes_max
        self._own_interval = share * limit.interval_ns
        self._own_capacity = limit.count // share * self._own_interval
        self._renewals: set[asyncio.Task[None]] = set()

    @property
    def is_drawing(self) -> bool:
        """Whether it draws in the background."""
        return bool(self._renewals)

    def try_take(self, key: str, count: int = 1) -> int:
        """Take tokens that this process has. Returns how many are left, about, or `NOT_DRAWN`: then `take` draws."""
        lease = self._leases.get(key)
        if lease is None:
            lease = self._new_lease(key)
        now = self._monotonic()
        own_full_at = (max(now, lease.own_full_at)) + count * self._own_interval
        if own_full_at - now <= self._own_capacity:
            lease.own_full_at = own_full_at
            return lease.left + lease.rest
        if lease.left < count or now >= lease.until:
            return NOT_DRAWN
        lease.left -= count
        if lease.left * RENEWAL_SHARE < lease.size and not lease.renewing:
            self._renew(key, lease)
        return lease.left + lease.rest

    def left(self, key: str) -> int:
        """How many tokens are left, about."""
        lease = self._leases.get(key)
        return self.limit.count if lease is None else lease.left + lease.rest

    async def take(self, key: str, count: int = 1, *, again: int = 0) -> int:
        """Take tokens, and draw some if there are none. Returns how many are left, about.

        Args:
            key: Whose tokens.
            count: How many. More than the limit are all that the limit allows.
            again: How many the same request takes before, when it is sent again.

        Raises:
            RateLimited: There are not enough.
        """
        count = min(count, self.limit.count)
        remaining = self.try_take(key, count)
        if remaining != NOT_DRAWN:
            return remaining
        lease = self._leases[key]
        lease.waiting += count
        try:
            async with lease.lock:
                remaining = self.try_take(key, count)
                if remaining != NOT_DRAWN:
                    return remaining
                if self._monotonic() < lease.refused_until:
                    raise self._refusal(count + again)
                return await self._draw_and_take(key, lease, count, again)
        finally:
            lease.waiting -= count

    async def close(self) -> None:
        """Draw no more."""
        for renewal in self._renewals:
            renewal.cancel()
        await asyncio.gather(*self._renewals, return_exceptions=True)

    async def _draw_and_take(self, key: str, lease: _Lease, count: int, again: int) -> int:
        try:
            taken = await self._draw(key, lease, needed=count)
        except StorageUnavailable:
            # Whatever the request asks for needs the storage, too: it is told so, not that it has asked too often.
            return 0
        if lease.left < count:
            if taken.left == 0:
                lease.refused_until = self._monotonic() + self._pause
            raise self._refusal(count + again - lease.left - taken.left)
        lease.left -= count
        return lease.left + lease.rest

    async def _draw(self, key: str, lease: _Lease, *, needed: int) -> Taken:
        """Draw tokens into a lease, which has `needed` then: twice as many as before, if those did not last."""
        began = self._monotonic()
        lasted = began >= lease.until
        lease.size = max(lease.size // 2, 1) if lasted else min(lease.size * 2, self._size_max)
        unused = 0
        if lasted:
            # Of a lease that has ended a moment ago, what is left goes back. Older ones are forgotten: their bucket
            # has filled since.
            unused = lease.left if began < lease.until + self._lifetime else 0
            lease.left = 0
        needed = max(needed - lease.left, 1)
        wanted = max(lease.size, min(lease.waiting, self._size_max), needed)
        taken = Taken(0, 0, 0)

        def change(full_at_ns: int, now_ns: int) -> int:
            nonlocal taken
            bucket = give_back(self.limit, full_at_ns, unused) if unused else full_at_ns
            taken = take(self.limit, bucket, now_ns, needed=needed, wanted=wanted)
            return taken.full_at_ns

        await self._budgets.update(f"{self.limit.name}:{key}", change)
        lease.left += taken.granted
        lease.rest = taken.left
        if taken.granted:
            lease.until = began + self._lifetime
        return taken

    def _renew(self, key: str, lease: _Lease) -> None:
        """Draw in the background, before the last token is taken."""
        lease.renewing = True

        async def renew() -> None:
            try:
                async with lease.lock:
                    if lease.left * RENEWAL_SHARE < lease.size and self._monotonic() >= lease.refused_until:
                        await self._draw(key, lease, needed=1)
            except StorageUnavailable:
                return
            finally:
                lease.renewing = False

        renewal = asyncio.create_task(renew(), name="rate limit")
        self._renewals.add(renewal)
        renewal.add_done_callback(self._renewals.discard)

    def _new_lease(self, key: str) -> _Lease:
        if len(self._leases) >= LEASES_MAX:
            self._forget_some()
        lease = self._leases[key] = _Lease(self.limit)
        return lease

    def _forget_some(self) -> None:
        """Forget leases that have ended and whose own bucket is full, or the older half if these are few."""
        now = self._monotonic()
        kept = {
            key: lease
            for key, lease in self._leases.items()
            if lease.waiting or now < max(lease.until, lease.own_full_at)
        }
        if len(kept) > LEASES_MAX // 2:
            kept = dict(list(kept.items())[len(kept) // 2 :])
        self._leases = kept

    def _refusal(self, missing: int) -> RateLimited:
        nanoseconds = max(missing * self.limit.interval_ns, self._pause)
        return RateLimited("Too many requests.", retry_after_seconds=-(-nanoseconds // NANOSECONDS))
