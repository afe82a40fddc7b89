"""A transaction on Postgres straight through asyncpg, for what payments wait for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from types import TracebackType
from typing import Any, Self, cast

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
from sqlalchemy import ClauseElement, Executable
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler

from gateway.adapters.sql.errors import (
    CONNECTION_ERRORS,
    CONNECTION_EXCEPTION,
    DATABASE_ERRORS,
    READ_ONLY,
    port_error,
    sqlstate,
)
from gateway.adapters.sql.postgres_connections import CheckedConnection
from gateway.adapters.sql.sqlalchemy_transaction import Parameters, to_the_end
from gateway.adapters.sql.types import Found
from gateway.adapters.sql.write_pool import WritePool
from gateway.application.ports.unit_of_work import StorageUnavailable, TryAgain

_dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects' constructors untyped.


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

    def __init__(self, pool: WritePool, *, acquire_seconds_max: float, connect_seconds_max: float = 0.0) -> None:
        """A transaction on a connection of a pool.

        Args:
            pool: Where the connection comes from, and goes back to.
            acquire_seconds_max: How long to wait for a connection that others use.
            connect_seconds_max: How much longer, if one has to be made.
        """
        self._pool = pool
        self._acquire_seconds_max = acquire_seconds_max
        self._connect_seconds_max = connect_seconds_max
        self._connection: Any = None
        self._open = False
        self._lost = False
        self._standby = False
        self._interrupted = False

    async def begin(self, *, lock_seconds_max: float) -> None:
        """Let everything from now on be one transaction, which waits so long for each lock. One round trip."""
        milliseconds = max(1, int(lock_seconds_max * 1000))
        await self._do(self._connection.execute, f"BEGIN; SET LOCAL lock_timeout = {milliseconds}")
        self._open = True

    async def try_out(self, statement: Executable, parameters: Parameters) -> None:
        """Run a statement in the transaction, and take back what it has done. It has waited for the locks it needed."""
        await self._do(self._connection.execute, "SAVEPOINT trial")
        await self.rows(statement, parameters)
        await self._do(self._connection.execute, "ROLLBACK TO SAVEPOINT trial")

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> list[Found]:
        """Run a statement and fetch all its rows. Its parameters are given by name."""
        text, names = _compiled_once(statement)
        given = parameters if isinstance(parameters, dict) else {}
        return await self.fetch(text, [given[name] for name in names])

    async def fetch(self, text: str, arguments: Sequence[Any]) -> list[Found]:
        """As `rows`, for a statement that is compiled already. Its arguments have the order of their numbers."""
        found: list[Found] = await self._do(self._connection.fetch, text, *arguments)
        return found

    async def commit(self) -> None:
        """Make it last."""
        await self._do(self._connection.execute, "COMMIT")
        self._open = False

    async def _do(self, call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Call the driver."""
        try:
            return await call(*arguments)
        except DATABASE_ERRORS as error:
            self._lost = self._lost or isinstance(error, CONNECTION_ERRORS)
            self._standby = self._standby or sqlstate(error) == READ_ONLY
            raise port_error(error) from error
        except asyncio.CancelledError:
            self._interrupted = True
            raise

    async def __aenter__(self) -> Self:
        """Take a connection.

        Raises:
            TryAgain: It broke while it was made or checked. Nothing was started.
            StorageUnavailable: There is none to be had. Nothing was started.
        """
        try:
            self._connection = await self._taken()
            if self._connection.may_be_dead:
                await self._check()
        except DATABASE_ERRORS as error:
            if _broke(error):
                raise TryAgain("The connection to the database broke.") from error
            raise StorageUnavailable("The database cannot be reached.") from error
        return self

    async def _taken(self) -> CheckedConnection:
        return await self._pool.take(
            wait_seconds_max=self._acquire_seconds_max, connect_seconds_max=self._connect_seconds_max
        )

    async def _check(self) -> None:
        """Replace the connection if it has died. The others were idle as well, and are replaced when they are taken."""
        try:
            is_alive = await self._connection.is_alive()
        except BaseException:
            self._connection.terminate()
            self._pool.give_back(self._connection)
            raise
        if not is_alive:
            self._pool.give_back(self._connection)
            self._pool.expire()
            self._connection = await self._taken()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Roll back what was not committed, and give the connection back."""
        try:
            if self._open or self._interrupted or self._lost or self._standby:
                await to_the_end(self._clean())
        finally:
            self._connection.touch()
            self._pool.give_back(self._connection)

    async def _clean(self) -> None:
        """Leave nothing on the connection for the next unit of work, or close it."""
        if (self._open or self._interrupted) and not self._lost:
            try:
                # It waits for the end of a statement that was interrupted. Without a transaction, it does nothing else.
                await self._connection.execute("ROLLBACK")
            except DATABASE_ERRORS:
                self._lost = True
        if self._standby:
            # After a failover the server is a standby: for every other connection in the pool as well.
            self._pool.expire()
        if self._lost:
            # Without its connection, the database rolls back by itself.
            self._connection.terminate()


def compiled(statement: Executable) -> tuple[str, Sequence[str]]:
    """The text of a statement, and the names of its parameters in the order of their numbers."""
    result = cast("ClauseElement", statement).compile(dialect=_dialect)
    return str(result), cast("SQLCompiler", result).positiontup or ()


_compiled_once = cache(compiled)
