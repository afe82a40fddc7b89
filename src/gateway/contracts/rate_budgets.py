"""What every store of rate budgets promises."""

import asyncio

import pytest

from gateway.application.errors import RateLimited
from gateway.application.ports.storage import Storage

HOUR_NS = 3_600_000_000_000


class RateBudgetsContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_a_bucket_that_is_not_stored_is_full(self, storage: Storage) -> None:
        """Its moment is 0, long before the present one."""
        [(full_at, now)] = await put_off(storage, "requests:usr_1", by=HOUR_NS)
        assert full_at == 0
        assert now > 0

    async def test_the_moment_that_was_stored_is_found_again(self, storage: Storage) -> None:
        """To the nanosecond, and for its scope alone."""
        [(_, now)] = await put_off(storage, "requests:usr_1", by=HOUR_NS + 1)
        [(full_at, later)] = await put_off(storage, "requests:usr_1", by=HOUR_NS)
        assert full_at == now + HOUR_NS + 1
        assert (await put_off(storage, "logins:usr_1", by=HOUR_NS))[0][0] == 0
        assert 0 <= later - now < HOUR_NS

    async def test_time_goes_on(self, storage: Storage) -> None:
        """By the nanosecond, about as fast as elsewhere."""
        [(_, first)] = await put_off(storage, "a", by=HOUR_NS)
        await asyncio.sleep(0.05)
        [(_, second)] = await put_off(storage, "a", by=HOUR_NS)
        assert 40_000_000 <= second - first < HOUR_NS

    async def test_what_a_change_raises_changes_nothing(self, storage: Storage) -> None:
        """And leaves as it is."""

        def refuse(_full_at: int, _now: int) -> int:
            raise RateLimited("Too many requests.", retry_after_seconds=1)

        with pytest.raises(RateLimited):
            await storage.rate_budgets.update("a", refuse)
        assert (await put_off(storage, "a", by=HOUR_NS))[0][0] == 0

    async def test_of_concurrent_changes_each_sees_the_others(self, storage: Storage) -> None:
        """Of sixteen, none is lost."""
        [(_, now)] = await put_off(storage, "a", by=HOUR_NS)

        def another(full_at: int, _now: int) -> int:
            return full_at + 1

        async with asyncio.timeout(30):
            await asyncio.gather(*(storage.rate_budgets.update("a", another) for _ in range(16)))
        assert (await put_off(storage, "a", by=HOUR_NS))[0][0] == now + HOUR_NS + 16


async def put_off(storage: Storage, scope: str, *, by: int) -> list[tuple[int, int]]:
    """Store a moment so long after the present one. Returns what was found: once, or more often if it ran again."""
    found: list[tuple[int, int]] = []

    def change(full_at: int, now: int) -> int:
        found[:] = [(full_at, now)]
        return now + by

    await storage.rate_budgets.update(scope, change)
    return found
