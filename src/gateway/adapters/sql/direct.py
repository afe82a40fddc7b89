"""A transaction on Postgres straight through asyncpg, for what payments wait for."""

from functools import cache
from typing import Any, Self, cast

from sqlalchemy import ClauseElement, Executable
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.compiler import SQLCompiler

from gateway.adapters.sql.connection import Parameters, Transaction, to_the_end
from gateway.adapters.sql.errors import CONNECTION_ERRORS, DATABASE_ERRORS, READ_ONLY, sqlstate
from gateway.adapters.sql.types import Found

_dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects' constructors untyped.


class DirectTransaction(Transaction):
    """As `Transaction`; the connections are of SQLAlchemy's pool, and the statements SQLAlchemy's, compiled once.

    Having SQLAlchemy execute them as well costs some 250 µs of Python a statement (a greenlet, a cache key, a result),
    which is most of what a small batch costs; asyncpg alone takes 50 (docs/performance.md).
    """

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self._engine = engine
        self._driver: Any = None
        self._open = False
        self._lost = False
        self._standby = False

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> list[Found]:
        """Run a statement and fetch all its rows. Its parameters are given by name."""
        text, names = _compiled(statement)
        given = parameters if isinstance(parameters, dict) else {}
        found: list[Found] = await self._translated(self._driver.fetch(text, *[given[name] for name in names]))
        return found

    async def commit(self) -> None:
        """Make it last. A task that is cancelled meanwhile sees it to its end first: half a commit is no state."""
        await self._translated(to_the_end(self._driver.execute("COMMIT")))
        self._open = False

    async def __aenter__(self) -> Self:
        """Take a connection and begin.

        Raises:
            StorageUnavailable: There is none to be had. Nothing was started.
            TryAgain: It had broken while it waited in the pool.
        """
        await super().__aenter__()
        try:
            self._driver = (await self._connection.get_raw_connection()).driver_connection
            await self._translated(self._driver.execute("BEGIN"))
        except BaseException:
            await self._close()
            raise
        self._open = True
        return self

    async def _close(self) -> None:
        await to_the_end(self._give_back())

    async def _give_back(self) -> None:
        if self._open and not self._lost:
            try:
                await self._driver.execute("ROLLBACK")
            except DATABASE_ERRORS:
                self._lost = True
        if self._lost or self._standby:
            # Without its connection, the database rolls back by itself.
            await self._connection.invalidate()
        await self._connection.close()
        if self._standby:
            # After a failover the server is a standby: for every other connection in the pool as well.
            await self._engine.dispose()

    def _notice(self, error: Exception) -> None:
        self._lost = self._lost or isinstance(error, CONNECTION_ERRORS) or self._driver.is_closed()
        self._standby = self._standby or sqlstate(error) == READ_ONLY


@cache
def _compiled(statement: Executable) -> tuple[str, tuple[str, ...]]:
    """The text of a statement, and the names of its parameters in the order of their numbers."""
    compiled = cast("ClauseElement", statement).compile(dialect=_dialect)
    return str(compiled), tuple(cast("SQLCompiler", compiled).positiontup or ())
