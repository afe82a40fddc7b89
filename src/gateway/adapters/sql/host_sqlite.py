"""A unit of work within a transaction of an embedding program, on SQLite (docs/decisions/0046)."""

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from typing_extensions import override

from gateway.adapters.sql.errors import DATABASE_ERRORS, port_error
from gateway.adapters.sql.host_connections import HostConnections, refused
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction, to_the_end

SAVEPOINT: Final = "gateway_unit_of_work"
LOCK: Final = "DELETE FROM answers WHERE 0"
"""Deletes nothing, and locks the file for writing."""
FULL: Final = 2
"""`PRAGMA synchronous` of a connection whose commits are durable."""


class HostSqliteTransaction(DatabaseTransaction):
    """A savepoint in the transaction of a connection that belongs to another program."""

    def __init__(self, host: object, file: Path) -> None:
        """Nothing is begun yet.

        Args:
            host: A connection or session of SQLAlchemy on aiosqlite.
            file: The gateway's file, which must be the connection's too.
        """
        self._host = host
        self._file = file
        self._in_use = HostConnections()
        self._on_sqlite = True
        self._open = False

    @override
    async def commit(self) -> None:
        """Keep what was written, for the program to commit.

        Its COMMIT releases the savepoint. If this did, a task that is cancelled meanwhile could not go back.
        """
        self._open = False

    @override
    async def __aenter__(self) -> Self:
        """Lock the file for writing, and set the savepoint.

        Raises:
            InvalidInput: The program has begun no transaction, its connection is in use or of another file, or its
                commits are not durable.
            TryAgain: Another transaction is writing to the file.
        """
        try:
            await self._lock()
        except BaseException:
            self._in_use.give_back()
            raise
        return self

    async def _lock(self) -> None:
        host = self._host
        if isinstance(host, AsyncSession):
            self._in_use.use(host)
            host = await self._uninterrupted(host.connection())
        if not isinstance(host, AsyncConnection) or host.dialect.driver != "aiosqlite":
            raise refused("Give a connection or session of SQLAlchemy on aiosqlite.")
        driver: Any = (await host.get_raw_connection()).driver_connection
        self._in_use.use(driver)
        self._connection = host
        file = next((each[2] for each in await self._run("PRAGMA database_list") if each[1] == "main"), "")
        if not _is_same(self._file, file):
            raise refused("This connection has another file than the gateway.")
        [[synchronous]] = await self._run("PRAGMA synchronous")
        if synchronous < FULL:
            raise refused("Commits of this connection are not durable: PRAGMA synchronous has to be FULL.")
        await self._run(LOCK)
        if not driver.in_transaction:
            raise refused("Begin a transaction on this connection first.")
        await self._run(f"SAVEPOINT {SAVEPOINT}")
        self._open = True

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take back what was not kept."""
        try:
            if self._open:
                await to_the_end(self._take_back())
        finally:
            self._in_use.give_back()

    async def _take_back(self) -> None:
        await self._run(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
        await self._run(f"RELEASE SAVEPOINT {SAVEPOINT}")

    async def _run(self, statement: str) -> list[Any]:
        try:
            result = await self._uninterrupted(self._connection.exec_driver_sql(statement))
        except DATABASE_ERRORS as error:
            raise port_error(error) from error
        return list(result.all()) if result.returns_rows else []


def _is_same(file: Path, other: str) -> bool:
    return bool(other) and file.samefile(other)
