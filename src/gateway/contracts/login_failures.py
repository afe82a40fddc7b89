"""What every counter of failed logins promises."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from gateway.application.ports.login_failures import Failures
from gateway.application.ports.storage import Storage
from gateway.contracts.records import NOW

SECOND = timedelta(seconds=1)
LONG_AGO = NOW - timedelta(hours=1)


class LoginFailuresContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_failures_are_counted_scope_by_scope(self, storage: Storage) -> None:
        """With the time of the last one."""
        await fail(storage, "account:a", "address:1")
        await fail(storage, "account:b", "address:1", seconds=1)
        assert await storage.login_failures.of(["account:a", "account:b", "address:1"]) == {
            "account:a": Failures(count=1, last_at=NOW),
            "account:b": Failures(count=1, last_at=NOW + SECOND),
            "address:1": Failures(count=2, last_at=NOW + SECOND),
        }

    async def test_a_scope_without_failures_is_left_out(self, storage: Storage) -> None:
        """And so is one that was not asked for."""
        await fail(storage, "account:a", "account:b")
        assert set(await storage.login_failures.of(["account:a", "account:c"])) == {"account:a"}
        assert await storage.login_failures.of([]) == {}

    async def test_times_come_back_to_the_microsecond(self, storage: Storage) -> None:
        """Waiting is counted from them."""
        await fail(storage, "account:a", seconds=0.000001)
        failures = (await storage.login_failures.of(["account:a"]))["account:a"]
        assert failures.last_at == NOW + timedelta(microseconds=1)
        assert failures.last_at.utcoffset() == timedelta(0)

    async def test_clearing_forgets_one_scope(self, storage: Storage) -> None:
        """The next failure is its first."""
        await fail(storage, "account:a", "account:b")
        await storage.login_failures.clear("account:a")
        assert set(await storage.login_failures.of(["account:a", "account:b"])) == {"account:b"}
        await fail(storage, "account:a")
        assert (await storage.login_failures.of(["account:a"]))["account:a"].count == 1

    async def test_clearing_what_has_no_failures_changes_nothing(self, storage: Storage) -> None:
        """Most logins are like that."""
        await storage.login_failures.clear("account:a")
        assert await storage.login_failures.of(["account:a"]) == {}

    async def test_old_failures_are_forgotten_by_the_next_one(self, storage: Storage) -> None:
        """A scope and its failures, when the last failure is older than `forget_before`, to the microsecond."""
        await fail(storage, "account:a", "account:b")
        await fail(storage, "account:b", seconds=1)
        later = NOW + timedelta(hours=2)
        await storage.login_failures.add(["account:a", "account:b"], now=later, forget_before=NOW + SECOND)
        assert await storage.login_failures.of(["account:a", "account:b"]) == {
            "account:a": Failures(count=1, last_at=later),
            "account:b": Failures(count=3, last_at=later),
        }

    async def test_no_concurrent_failure_is_lost(self, storage: Storage) -> None:
        """Sixteen concurrent attempts are sixteen failures, in whatever order their scopes are named."""
        orders = (("account:a", "address:1"), ("address:1", "account:a"))
        async with asyncio.timeout(30):
            await asyncio.gather(*(fail(storage, *orders[n % 2]) for n in range(16)))
        found = await storage.login_failures.of(orders[0])
        assert found == dict.fromkeys(orders[0], Failures(count=16, last_at=NOW))


async def fail(storage: Storage, *scopes: str, seconds: float = 0) -> None:
    """One more failure for each scope, so long after `NOW`."""
    named: Sequence[str] = scopes
    await storage.login_failures.add(named, now=NOW + timedelta(seconds=seconds), forget_before=LONG_AGO)
