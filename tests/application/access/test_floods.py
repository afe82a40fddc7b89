"""Floods of registrations and wrong logins: users get in from where they have logged in before.

In virtual time, over a database that has two connections for access and takes some milliseconds for each call.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from gateway.adapters.memory import memory_storage
from gateway.application.access.access import Access
from gateway.application.errors import InvalidCredentials, Overloaded, RateLimited
from gateway.application.ports.passwords import PasswordCheck
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.domain.user import Role
from support.access import HERE, PASSWORD, PlainHasher, an_access
from support.virtual_time import LoopClock, in_virtual_time

SECONDS = 10
RATE = 200
CALL_SECONDS = 0.006
HASH_SECONDS = 0.05
POOL_SECONDS_MAX = 2.0
OWNERS = [f"owner{number}@example.com" for number in range(20)]
REFUSALS = (InvalidCredentials, Overloaded, RateLimited, StorageUnavailable)


class SlowHasher(PlainHasher):
    """A hasher that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.hashed = 0

    async def hash(self, password: str) -> str:
        self.hashed += 1
        await asyncio.sleep(HASH_SECONDS)
        return await super().hash(password)

    async def verify(self, password_hash: str | None, password: str) -> PasswordCheck:
        await asyncio.sleep(HASH_SECONDS)
        return await super().verify(password_hash, password)


class Connections:
    """Two connections, for which everybody waits in one queue, and not for ever."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(2)
        self.calls = Counter[str]()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(POOL_SECONDS_MAX):
                await self._free.acquire()
        except TimeoutError:
            raise StorageUnavailable("There is no connection.") from None
        try:
            await asyncio.sleep(CALL_SECONDS)
            yield
        finally:
            self._free.release()

    def of(self, port: Any) -> Any:
        """A port whose calls each take a connection."""
        return _Port(port, self)


class _Port:
    def __init__(self, port: Any, connections: Connections) -> None:
        self._port = port
        self._connections = connections

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **named: Any) -> Any:
            self._connections.calls[name] += 1
            async with self._connections.connection():
                return await getattr(self._port, name)(*arguments, **named)

        return call


class Flood:
    """What happens in `SECONDS` of a flood, in a process that has just started."""

    def __init__(self, storage: Storage) -> None:
        self.connections, self.hasher = Connections(), SlowHasher()
        self.seconds: dict[str, list[float]] = {"legitimate": [], "victim": [], "wrong": []}
        self.failed: list[str] = []
        self.units_of_work = 0
        ports = {name: self.connections.of(getattr(storage, name)) for name in ("users", "sessions", "login_failures")}
        self._storage = replace(storage, unit_of_work=self._counted(storage.unit_of_work), **ports)

    def _counted(self, unit_of_work: Callable[[], Any]) -> Callable[[], Any]:
        def counted() -> Any:
            self.units_of_work += 1
            return unit_of_work()

        return counted

    async def run(self) -> None:
        """All at once, each at its rate."""
        access = an_access(self._storage, LoopClock(), passwords=self.hasher)
        await asyncio.gather(
            at_rate(RATE, lambda n: refused(register(access, f"flood{n}@example.com"))),
            at_rate(RATE, lambda n: self._guess(access, f"nobody{n}@example.com", stranger(n))),
            at_rate(20, lambda n: self._guess(access, OWNERS[0], stranger(100_000 + n))),
            at_rate(4, lambda n: self._log_in("legitimate", access, OWNERS[1 + n % 19])),
            at_rate(0.5, lambda _: self._log_in("victim", access, OWNERS[0])),
        )

    async def _guess(self, access: Access, email: str, address: str) -> None:
        with self._timed("wrong"):
            await refused(log_in(access, email, address, "wrong"))

    async def _log_in(self, who: str, access: Access, email: str) -> None:
        with self._timed(who):
            try:
                await log_in(access, email, HERE, PASSWORD)
            except REFUSALS as refusal:
                self.failed.append(f"{who}: {refusal!r}")

    @contextmanager
    def _timed(self, who: str) -> Generator[None]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        yield
        self.seconds[who].append(loop.time() - began)


async def at_rate(rate: float, ask: Callable[[int], Awaitable[None]]) -> None:
    async def one(number: int) -> None:
        await asyncio.sleep(number / rate)
        await ask(number)

    await asyncio.gather(*(one(number) for number in range(int(rate * SECONDS))))


async def refused(asked: Awaitable[object]) -> None:
    """Nobody of a flood cares."""
    with suppress(*REFUSALS):
        await asked


async def register(access: Access, email: str) -> None:
    await access.register(email=email, password=PASSWORD, role=Role.CUSTOMER)


async def log_in(access: Access, email: str, address: str, password: str) -> None:
    await access.log_in(email=email, password=password, address=address)


def stranger(number: int) -> str:
    """One of many addresses."""
    return f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"


@pytest.fixture(scope="module")
def flood() -> Flood:
    async def work() -> Flood:
        storage = memory_storage()
        before = an_access(storage, LoopClock())
        for email in OWNERS:
            await register(before, email)
            await log_in(before, email, HERE, PASSWORD)
        flood = Flood(storage)
        await flood.run()
        return flood

    return in_virtual_time(work)


def test_users_get_in_within_two_seconds_from_where_they_have_logged_in_before(flood: Flood) -> None:
    assert flood.failed == []
    assert len(flood.seconds["legitimate"]) == 4 * SECONDS
    assert max(flood.seconds["legitimate"]) <= 1


def test_the_owner_of_the_account_that_is_guessed_at_gets_in_at_the_first_try(flood: Flood) -> None:
    assert len(flood.seconds["victim"]) == SECONDS // 2
    assert max(flood.seconds["victim"]) <= 1


def test_who_cannot_be_heard_is_refused_soon(flood: Flood) -> None:
    assert len(flood.seconds["wrong"]) == (RATE + 20) * SECONDS
    # As long as a full queue takes, of which two are hashed at a time.
    assert max(flood.seconds["wrong"]) <= 1.5 * 64 * HASH_SECONDS
    refused_at_once = sum(seconds < 0.2 for seconds in flood.seconds["wrong"])
    assert refused_at_once >= (RATE + 20) * SECONDS * 0.75


def test_what_is_not_hashed_writes_nothing(flood: Flood) -> None:
    verified = len(flood.hasher.verified)
    legitimate = 4 * SECONDS + SECONDS // 2
    assert 5 * SECONDS <= verified < 2 * (SECONDS + 5) / HASH_SECONDS
    # One that counts the attempt, and one that takes it back if the password was right. A few are refused when they
    # have a place, since others have failed while they waited.
    assert flood.connections.calls["update"] <= verified + legitimate + 25
    assert flood.units_of_work <= flood.hasher.hashed < RATE * SECONDS / 4


def test_logins_that_arrive_together_share_a_read(flood: Flood) -> None:
    asked = SECONDS * (RATE + 20 + 4.5)
    assert flood.connections.calls["at_login"] <= asked / 4
    assert flood.connections.calls["of"] == flood.connections.calls["at_login"]
