"""A transaction on Postgres straight through asyncpg, for what payments wait for."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import cache
from types import TracebackType
from typing import Any, Final, Self, cast

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
from sqlalchemy import ClauseElement, Executable
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler

from gateway.adapters.sql.connection import Parameters, to_the_end
from gateway.adapters.sql.engine import database_url, postgres_settings
from gateway.adapters.sql.errors import CONNECTION_ERRORS, DATABASE_ERRORS, READ_ONLY, port_error, sqlstate
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.types import Found
from gateway.application.ports.unit_of_work import StorageUnavailable

_dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects' constructors untyped.

# Set-shaped statements must look rows up by index however stale the statistics are: a plan made while a table was empty
# would otherwise be a scan, and stay one while the table grows. Costs count a scan as forbidden, hence no JIT either
# (it starts at high costs). One plan for every batch size, made once per connection.
PLANNING_OF_WRITES: Final = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}

QUERIES_PER_CONNECTION_MAX: Final = 2**31 - 1
"""asyncpg renews a connection after 50,000 unless told otherwise, and a payment would wait for the new one."""


class LeanConnection(asyncpg.Connection):  # type: ignore[misc]  # as above.
    """A connection that goes back to its pool as it is: units of work leave nothing on it that had to be reset."""

    def get_reset_query(self) -> str:
        """Nothing."""
        return ""


@asynccontextmanager
async def write_pool(url: str, limits: SqlLimits) -> AsyncGenerator[Any]:
    """Asyncpg's own pool, for units of work. It connects when first used."""
    _, arguments = cast("Any", _dialect).create_connect_args(database_url(url))
    pool = await cast("Any", asyncpg).create_pool(
        **arguments,
        timeout=limits.connect_timeout_seconds,
        command_timeout=limits.command_timeout_seconds,
        server_settings=postgres_settings(limits) | PLANNING_OF_WRITES,
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


class DirectTransaction:
    """Statements on one connection of a pool: one transaction between `begin` and `commit`, else each is its own.

    The statements are SQLAlchemy's, compiled once. Having SQLAlchemy execute them as well, and keep the connections,
    costs some 250 µs of Python a statement (a greenlet, a cache key, a result), which is most of what a small batch
    costs; asyncpg alone takes 50 (docs/performance.md).
    """

    def __init__(self, pool: Any, *, acquire_seconds_max: float) -> None:
        """A transaction on a connection of an asyncpg pool, for which it waits so long at most."""
        self._pool = pool
        self._acquire_seconds_max = acquire_seconds_max
        self._connection: Any = None
        self._open = False
        self._lost = False
        self._standby = False

    async def begin(self) -> None:
        """Let everything from now on be one transaction."""
        await self._do(self._connection.execute("BEGIN"))
        self._open = True

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> list[Found]:
        """Run a statement and fetch all its rows. Its parameters are given by name."""
        text, names = _compiled(statement)
        given = parameters if isinstance(parameters, dict) else {}
        found: list[Found] = await self._do(self._connection.fetch(text, *[given[name] for name in names]))
        return found

    async def commit(self) -> None:
        """Make it last. A task that is cancelled meanwhile sees it to its end first: half a commit is no state."""
        await to_the_end(self._do(self._connection.execute("COMMIT")))
        self._open = False

    async def _do(self, work: Any) -> Any:
        try:
            return await work
        except DATABASE_ERRORS as error:
            self._lost = self._lost or isinstance(error, CONNECTION_ERRORS)
            self._standby = self._standby or sqlstate(error) == READ_ONLY
            meant = port_error(error)
            if meant is None:
                raise
            raise meant from error

    async def __aenter__(self) -> Self:
        """Take a connection.

        Raises:
            StorageUnavailable: There is none to be had. Nothing was started.
        """
        try:
            # One that is idle is had at once. A time limit costs timers, and is only asked for where one might wait.
            seconds_max = None if self._pool.get_idle_size() else self._acquire_seconds_max
            self._connection = await self._pool.acquire(timeout=seconds_max)
        except DATABASE_ERRORS as error:
            raise StorageUnavailable("The database cannot be reached.") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Roll back what was not committed, and give the connection back."""
        await self._pool.release(self._connection) if self._is_clean else await to_the_end(self._give_back())

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
            with suppress(asyncpg.InterfaceError):  # The pool has noticed already, and taken it back.
                self._connection.terminate()
        await self._pool.release(self._connection)


@cache
def _compiled(statement: Executable) -> tuple[str, tuple[str, ...]]:
    """The text of a statement, and the names of its parameters in the order of their numbers."""
    compiled = cast("ClauseElement", statement).compile(dialect=_dialect)
    return str(compiled), tuple(cast("SQLCompiler", compiled).positiontup or ())
