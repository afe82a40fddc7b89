"""A transaction on Postgres straight through asyncpg, for what payments wait for."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from types import TracebackType
from typing import Any, Final, Self, cast

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
from sqlalchemy import ClauseElement, Executable
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler

from gateway.adapters.sql.array_codec import use_own_codec
from gateway.adapters.sql.engine import PLANNING_BY_INDEX, postgres_settings
from gateway.adapters.sql.errors import (
    CONNECTION_ERRORS,
    CONNECTION_EXCEPTION,
    DATABASE_ERRORS,
    READ_ONLY,
    port_error,
    sqlstate,
)
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.postgres_connections import CheckedConnection, Connector, LeanConnection
from gateway.adapters.sql.sqlalchemy_transaction import Parameters, to_the_end
from gateway.adapters.sql.types import Found
from gateway.application.ports.unit_of_work import StorageUnavailable, TryAgain

_dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects' constructors untyped.

QUERIES_PER_CONNECTION_MAX: Final = 2**31 - 1
"""asyncpg renews a connection after 50,000 unless told otherwise, and a payment would wait for the new one."""


@asynccontextmanager
async def write_pool(url: str, limits: SqlLimits) -> AsyncGenerator[Any]:
    """Asyncpg's own pool, for units of work. It connects when first used."""
    connector = Connector(url, limits, postgres_settings(limits) | PLANNING_BY_INDEX)

    async def connect(*_: Any, **arguments: Any) -> CheckedConnection:
        connection = await connector.connect(**arguments)
        use_own_codec(connection)
        return connection

    pool = await cast("Any", asyncpg).create_pool(
        connect=connect,
        connection_class=LeanConnection,
        min_size=0,
        max_size=limits.write_pool_size,
        max_queries=QUERIES_PER_CONNECTION_MAX,
        max_inactive_connection_lifetime=0,
    )
    try:
        yield pool
    finally:
        # asyncpg breaks its connections off if it is interrupted while it says goodbye to a server that went silent.
        with suppress(*DATABASE_ERRORS):
            async with asyncio.timeout(limits.connect_timeout_seconds):
                await pool.close()


def _broke(error: Exception) -> bool:
    """Whether a connection broke, so that another one may be had at once: not if nobody listens, answers or agrees."""
    if isinstance(error, OSError):
        return isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)
    if isinstance(error, asyncpg.ClientConfigurationError):
        return False
    return isinstance(error, CONNECTION_ERRORS) or sqlstate(error).startswith(CONNECTION_EXCEPTION)


class AsyncpgTransaction:
    """Statements on one connection of a pool: one transaction between `begin` and `commit`, else each is its own.

    The statements are SQLAlchemy's, compiled once. Having SQLAlchemy execute them as well, and keep the connections,
    costs some 250 µs of Python a statement (a greenlet, a cache key, a result), which is most of what a small batch
    costs; asyncpg alone takes 50 (docs/performance.md).
    """

    def __init__(self, pool: Any, *, acquire_seconds_max: float, connect_seconds_max: float = 0.0) -> None:
        """A transaction on a connection of an asyncpg pool.

        Args:
            pool: One of `write_pool`.
            acquire_seconds_max: How long to wait for a connection that others use.
            connect_seconds_max: How much longer, if one has to be made.
        """
        self._pool = pool
        self._acquire_seconds_max = acquire_seconds_max
        self._connect_seconds_max = connect_seconds_max
        self._connection: Any = None
        self._driver: Any = None
        """The connection itself, which its pool may take away from behind the one above at any time."""
        self._open = False
        self._lost = False
        self._standby = False

    async def begin(self) -> None:
        """Let everything from now on be one transaction."""
        await self._do(self._connection.execute, "BEGIN")
        self._open = True

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> list[Found]:
        """Run a statement and fetch all its rows. Its parameters are given by name."""
        text, names = _compiled(statement)
        given = parameters if isinstance(parameters, dict) else {}
        found: list[Found] = await self._do(self._connection.fetch, text, *[given[name] for name in names])
        return found

    async def commit(self) -> None:
        """Make it last."""
        await self._do(self._connection.execute, "COMMIT")
        self._open = False

    async def _do(self, call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Call the driver. It may fail before there is anything to await: the pool has lost the connection already."""
        try:
            return await call(*arguments)
        except DATABASE_ERRORS as error:
            self._lost = self._lost or isinstance(error, CONNECTION_ERRORS)
            self._standby = self._standby or sqlstate(error) == READ_ONLY
            raise port_error(error) from error

    async def __aenter__(self) -> Self:
        """Take a connection.

        Raises:
            TryAgain: It broke while it was made or checked. Nothing was started.
            StorageUnavailable: There is none to be had. Nothing was started.
        """
        try:
            await self._acquire()
            if self._driver.may_be_dead:
                await self._check()
        except DATABASE_ERRORS as error:
            if _broke(error):
                raise TryAgain("The connection to the database broke.") from error
            raise StorageUnavailable("The database cannot be reached.") from error
        return self

    async def _acquire(self) -> None:
        # One that is idle is had at once. A time limit costs timers, and is only asked for where one might wait.
        seconds_max = None
        if not self._pool.get_idle_size():
            must_connect = self._pool.get_size() < self._pool.get_max_size()
            seconds_max = self._acquire_seconds_max + (self._connect_seconds_max if must_connect else 0.0)
        self._connection = await self._pool.acquire(timeout=seconds_max)
        self._driver = self._connection.identity

    async def _check(self) -> None:
        """Replace the connection if it has died. The others were idle as well, and are replaced when they are taken."""
        try:
            is_alive = await self._driver.is_alive()
        except BaseException:
            self._driver.terminate()
            await self._pool.release(self._connection)
            raise
        if not is_alive:
            await self._pool.release(self._connection)
            await self._pool.expire_connections()
            await self._acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Roll back what was not committed, and give the connection back."""
        if not self._is_clean:
            await to_the_end(self._give_back())
            return
        # If the connection has died just now, what was committed on it is committed all the same.
        with suppress(*DATABASE_ERRORS):
            self._driver.touch()
            await self._pool.release(self._connection)

    @property
    def _is_clean(self) -> bool:
        return not (self._open or self._lost or self._standby)

    async def _give_back(self) -> None:
        if self._open and not self._lost:
            try:
                await self._connection.execute("ROLLBACK")
            except DATABASE_ERRORS:
                self._lost = True
        if self._standby:
            # After a failover the server is a standby: for every other connection in the pool as well.
            await self._pool.expire_connections()
        if self._lost:
            # Without its connection, the database rolls back by itself.
            self._driver.terminate()
        self._driver.touch()
        with suppress(*DATABASE_ERRORS):
            await self._pool.release(self._connection)


@cache
def _compiled(statement: Executable) -> tuple[str, tuple[str, ...]]:
    """The text of a statement, and the names of its parameters in the order of their numbers."""
    compiled = cast("ClauseElement", statement).compile(dialect=_dialect)
    return str(compiled), tuple(cast("SQLCompiler", compiled).positiontup or ())
