"""The connections of units of work: as many as allowed, each used by one at a time, none that is closed or expired."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from gateway.adapters.sql import write_pool
from gateway.adapters.sql.postgres_connections import Connector, WriteConnection
from gateway.adapters.sql.write_pool import WritePool

SECONDS = {"wait_seconds_max": 0.01, "connect_seconds_max": 5.0}
PATIENT = {"wait_seconds_max": 5.0, "connect_seconds_max": 5.0}


class FakeConnection:
    def __init__(self) -> None:
        self.closed = self.said_goodbye = False

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True

    async def close(self) -> None:
        self.closed = self.said_goodbye = True


class SilentConnection(FakeConnection):
    """Of a server that does not answer any more."""

    async def close(self) -> None:
        await asyncio.Event().wait()


class FakeConnector:
    """Makes connections, or raises what it is told to."""

    def __init__(self, make: Callable[[], FakeConnection] = FakeConnection) -> None:
        self.made: list[FakeConnection] = []
        self.error: Exception | None = None
        self._make = make

    async def connect(self, **_: Any) -> FakeConnection:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.made.append(self._make())
        return self.made[-1]


@pytest.fixture
def connector(monkeypatch: pytest.MonkeyPatch) -> FakeConnector:
    monkeypatch.setattr(write_pool, "use_own_codec", lambda _: True)
    return FakeConnector()


def pool_of(connector: FakeConnector, size_max: int = 2) -> WritePool:
    return WritePool(cast("Connector", connector), size_max)


def at_once(coroutine: Coroutine[Any, Any, WriteConnection]) -> WriteConnection:
    """The result of a coroutine that waits for nothing."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    connection: WriteConnection = ended.value.value
    return connection


async def test_an_idle_connection_is_taken_without_waiting(connector: FakeConnector) -> None:
    pool = pool_of(connector)
    first = await pool.take(**SECONDS)
    pool.give_back(first)
    assert at_once(pool.take(**SECONDS)) is first
    assert len(connector.made) == 1


async def test_a_caller_without_a_connection_waits_for_the_next_that_is_given_back(connector: FakeConnector) -> None:
    pool = pool_of(connector)
    taken = [await pool.take(**SECONDS) for _ in range(2)]
    assert taken[0] is not taken[1]
    waiting = asyncio.create_task(pool.take(**PATIENT))
    await asyncio.sleep(0)
    pool.give_back(taken[1])
    assert await waiting is taken[1]
    with pytest.raises(TimeoutError):
        await pool.take(**SECONDS)
    assert len(connector.made) == 2


async def test_a_caller_that_gives_up_waiting_takes_no_connection(connector: FakeConnector) -> None:
    pool = pool_of(connector, size_max=1)
    taken = await pool.take(**SECONDS)
    for given_back_before in (False, True):
        waiting = asyncio.create_task(pool.take(**PATIENT))
        await asyncio.sleep(0)
        if given_back_before:
            pool.give_back(taken)  # In the very moment in which the wait ends.
        waiting.cancel()
        await asyncio.wait([waiting])
    assert await pool.take(**SECONDS) is taken


async def test_a_connection_that_cannot_be_made_leaves_its_place_to_the_next_attempt(connector: FakeConnector) -> None:
    pool = pool_of(connector, size_max=1)
    connector.error = ConnectionResetError()
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await pool.take(**SECONDS)
    connector.error = None
    await pool.take(**SECONDS)
    assert len(connector.made) == 1


@pytest.mark.parametrize("is_idle", [True, False])
async def test_a_closed_connection_is_replaced(connector: FakeConnector, *, is_idle: bool) -> None:
    pool = pool_of(connector, size_max=1)
    first = await pool.take(**SECONDS)
    if is_idle:
        pool.give_back(first)
    first.terminate()
    if not is_idle:
        pool.give_back(first)
    assert await pool.take(**SECONDS) is not first


async def test_expired_connections_are_closed_those_in_use_when_they_are_given_back(connector: FakeConnector) -> None:
    pool = pool_of(connector)
    in_use, idle = [await pool.take(**SECONDS) for _ in range(2)]
    pool.give_back(idle)
    pool.expire()
    assert (idle.is_closed(), in_use.is_closed()) == (True, False)
    after = await pool.take(**SECONDS)
    pool.give_back(in_use)
    assert in_use.is_closed()
    pool.give_back(after)
    assert await pool.take(**SECONDS) is after


async def test_closing_says_goodbye_to_the_server(connector: FakeConnector) -> None:
    pool = pool_of(connector)
    taken = [await pool.take(**SECONDS) for _ in range(2)]
    pool.give_back(taken[0])
    await pool.close(seconds_max=5)
    assert [each.said_goodbye for each in connector.made] == [True, False]
    pool.give_back(taken[1])
    assert all(each.closed for each in connector.made)


async def test_closing_does_not_wait_for_a_server_that_went_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_pool, "use_own_codec", lambda _: True)
    connector = FakeConnector(SilentConnection)
    pool = pool_of(connector)
    pool.give_back(await pool.take(**SECONDS))
    await pool.close(seconds_max=0.01)
    assert connector.made[0].closed
