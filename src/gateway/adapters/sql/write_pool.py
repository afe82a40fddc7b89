"""The connections of units of work. An idle one is taken, and given back, without waiting and without a task.

asyncpg's own pool makes a proxy of a connection each time that it is taken, and gives it back in a task.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from gateway.adapters.sql.array_codec import use_own_codec
from gateway.adapters.sql.engine import write_settings
from gateway.adapters.sql.errors import DATABASE_ERRORS
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.postgres_connections import Connector, WriteConnection


@asynccontextmanager
async def open_write_pool(url: str, limits: SqlLimits) -> AsyncGenerator["WritePool"]:
    """A pool, until the end of the `async with`. It connects when first used."""
    pool = WritePool(Connector(url, limits, write_settings(limits)), limits.write_pool_size)
    try:
        yield pool
    finally:
        await pool.close(limits.connect_timeout_seconds)


class WritePool:
    """At most `size_max` connections of `connector`, each made when it is first needed."""

    def __init__(self, connector: Connector, size_max: int) -> None:
        self._connector = connector
        self._free = asyncio.Semaphore(size_max)
        self._idle: list[WriteConnection] = []
        self._in_use = set[WriteConnection]()

    async def take(self, *, wait_seconds_max: float, connect_seconds_max: float) -> WriteConnection:
        """A connection that nobody else has.

        Args:
            wait_seconds_max: How long to wait for a connection that others use.
            connect_seconds_max: How much longer, if one has to be made.

        Raises:
            OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError: There is none.
        """
        if self._idle and not self._free.locked():
            return await self._take()
        # A time limit costs timers, and is only set where there may be something to wait for.
        async with asyncio.timeout(wait_seconds_max + (0.0 if self._free.locked() else connect_seconds_max)):
            return await self._take()

    def give_back(self, connection: WriteConnection) -> None:
        """Let others have a connection, unless it is closed or has expired."""
        if connection in self._in_use and not connection.is_closed():
            self._idle.append(connection)
        else:
            connection.terminate()
        self._in_use.discard(connection)
        self._free.release()

    def expire(self) -> None:
        """Close all connections: those in use when they are given back."""
        for connection in self._idle:
            connection.terminate()
        self._idle.clear()
        self._in_use.clear()

    async def close(self, seconds_max: float) -> None:
        """Take leave of the server, which has so many seconds to answer. Connections in use are broken off."""
        with suppress(*DATABASE_ERRORS):
            async with asyncio.timeout(seconds_max):
                await asyncio.gather(*(cast("Any", connection).close() for connection in self._idle))
        for connection in (*self._idle, *self._in_use):
            if not connection.is_closed():
                connection.terminate()
        self._idle.clear()
        self._in_use.clear()

    async def _take(self) -> WriteConnection:
        await self._free.acquire()
        try:
            connection = self._open_idle() or await self._connect()
        except BaseException:
            self._free.release()
            raise
        self._in_use.add(connection)
        return connection

    def _open_idle(self) -> WriteConnection | None:
        """The idle connection that was used last, without those that were closed meanwhile."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    async def _connect(self) -> WriteConnection:
        connection = await self._connector.connect(connection_class=WriteConnection)
        use_own_codec(connection)
        return cast("WriteConnection", connection)
