"""What every counter of failed logins promises."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from gateway.application.errors import RateLimited
from gateway.application.ports.login_failures import Failures
from gateway.application.ports.storage import Storage
from gateway.contracts.records import NOW

SECOND = timedelta(seconds=1)


class LoginFailuresContract:
    """Subclass it, and give a fixture `storage` which returns an empty `Storage`."""

    async def test_failures_are_counted_scope_by_scope(self, storage: Storage) -> None:
        """With the time of the last one."""
        await fail(storage, "account:a", "address:1")
        await fail(storage, "account:b", "address:1", now=NOW + SECOND)
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

    async def test_times_of_failures_come_back_to_the_microsecond(self, storage: Storage) -> None:
        """Waiting is counted from them."""
        await fail(storage, "account:a", now=NOW + timedelta(microseconds=1))
        failures = (await storage.login_failures.of(["account:a"]))["account:a"]
        assert failures.last_at == NOW + timedelta(microseconds=1)
        assert failures.last_at.utcoffset() == timedelta(0)

    async def test_an_update_sees_the_failures_of_its_scopes(self, storage: Storage) -> None:
        """Those that have any, and no others."""
        await fail(storage, "account:a", "account:b")
        seen: list[Mapping[str, Failures]] = []

        def look(found: Mapping[str, Failures]) -> Mapping[str, Failures | None]:
            seen.append(dict(found))
            return {}

        await storage.login_failures.update(["account:a", "account:c"], look)
        assert seen == [{"account:a": Failures(count=1, last_at=NOW)}]
        assert set(await storage.login_failures.of(["account:a", "account:b", "account:c"])) == {
            "account:a",
            "account:b",
        }

    async def test_an_update_forgets_single_scopes(self, storage: Storage) -> None:
        """The next failure is their first. What has no failures can be forgotten, too."""
        await fail(storage, "account:a", "account:b")
        await storage.login_failures.update(
            ["account:a", "account:c"], lambda _: {"account:a": None, "account:c": None}
        )
        assert set(await storage.login_failures.of(["account:a", "account:b", "account:c"])) == {"account:b"}
        await fail(storage, "account:a")
        assert (await storage.login_failures.of(["account:a"]))["account:a"].count == 1

    async def test_what_an_update_raises_changes_nothing(self, storage: Storage) -> None:
        """And leaves as it is."""
        await fail(storage, "account:a")

        def refuse(_: Mapping[str, Failures]) -> Mapping[str, Failures | None]:
            raise RateLimited("Too many failed tries.", retry_after_seconds=1)

        with pytest.raises(RateLimited):
            await storage.login_failures.update(["account:a", "account:b"], refuse)
        found = await storage.login_failures.of(["account:a", "account:b"])
        assert found == {"account:a": Failures(count=1, last_at=NOW)}

    async def test_no_concurrent_failure_is_lost(self, storage: Storage) -> None:
        """Sixteen concurrent attempts are sixteen failures, in whatever order their scopes are named."""
        orders = (("account:a", "address:1"), ("address:1", "account:a"))
        async with asyncio.timeout(30):
            await asyncio.gather(*(fail(storage, *orders[n % 2]) for n in range(16)))
        found = await storage.login_failures.of(orders[0])
        assert found == dict.fromkeys(orders[0], Failures(count=16, last_at=NOW))

    async def test_of_concurrent_updates_each_sees_the_others(self, storage: Storage) -> None:
        """Of sixteen attempts, five of which may fail, five are counted."""

        def one_of_five(found: Mapping[str, Failures]) -> Mapping[str, Failures | None]:
            count = found["account:a"].count if found else 0
            if count == 5:
                raise RateLimited("Too many failed tries.", retry_after_seconds=1)
            return {"account:a": Failures(count=count + 1, last_at=NOW)}

        async with asyncio.timeout(30):
            results = await asyncio.gather(
                *(storage.login_failures.update(["account:a"], one_of_five) for _ in range(16)), return_exceptions=True
            )
        assert [type(each) for each in results if each is not None] == [RateLimited] * 11
        assert (await storage.login_failures.of(["account:a"]))["account:a"].count == 5


async def fail(storage: Storage, *scopes: str, now: datetime = NOW) -> None:
    """One more failure for each scope."""

    def count(found: Mapping[str, Failures]) -> Mapping[str, Failures | None]:
        counts = {scope: found[scope].count if scope in found else 0 for scope in scopes}
        return {scope: Failures(count=count + 1, last_at=now) for scope, count in counts.items()}

    await storage.login_failures.update(scopes, count)
