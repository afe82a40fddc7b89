"""One connection and one transaction on it, whose errors leave in the words of the ports."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.adapters.sql.engine import SQLITE
from gateway.adapters.sql.errors import DATABASE_ERRORS, known_error, port_error
from gateway.adapters.sql.types import Found
from gateway.application.ports.unit_of_work import StorageReadOnly, StorageUnavailable

Result = TypeVar("Result")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class DatabaseTransaction:
    """A transaction, used as `async with`; leaving without `commit` forgets what it wrote.

    Errors leave as `TryAgain`, `StorageUnavailable` and their like; a bug leaves as `StorageRefused`.
    """

    def __init__(self, engine: AsyncEngine, *, writes: bool = True) -> None:
        """A transaction on a connection of `engine`.

        Args:
            engine: Where the connection comes from, and goes back to.
            writes: Whether it may write. SQLite lets one transaction at a time do so, and so it must say at once.
        """
        self._connection = engine.connect()
        self._on_sqlite = engine.dialect.name == SQLITE
        self._begin = "BEGIN IMMEDIATE" if writes and self._on_sqlite else None

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Found]:
        """Run a statement and fetch all its rows."""
        return (await self._execute(statement, parameters)).all()

    async def change(self, statement: Executable, parameters: Parameters | None = None) -> int:
        """Run a statement (given a list: for each of its items), and say how many rows it has changed."""
        return (await self._execute(statement, parameters)).rowcount

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run a function that wants SQLAlchemy's connection itself. A bug in it leaves as it is."""
        try:
            return await self._connection.run_sync(work)
        except DATABASE_ERRORS as error:
            meant = known_error(error)
            if meant is None:
                raise
            raise meant from error

    async def commit(self) -> None:
        """Make it last. A task that is cancelled meanwhile sees it to its end first: half a commit is no state."""
        await self._translated(to_the_end(self._connection.commit()))

    async def _execute(self, statement: Executable, parameters: Parameters | None) -> CursorResult[Any]:
        return await self._translated(self._connection.execute(statement, parameters))

    async def _translated(self, work: Coroutine[Any, Any, Result]) -> Result:
        try:
            return await self._uninterrupted(work)
        except DATABASE_ERRORS as error:
            raise port_error(error) from error

    async def _uninterrupted(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Await `work`; on SQLite to its end, even if this task is cancelled meanwhile.

        SQLite runs in a thread, which no cancellation reaches: a connection that is given up within a statement would
        keep the file locked until it is garbage.
        """
        return await (to_the_end(work) if self._on_sqlite else work)

    async def __aenter__(self) -> Self:
        """Take a connection, and begin on SQLite (on Postgres, the first statement does).

        Raises:
            StorageUnavailable: There is none to be had. Nothing was started.
            StorageReadOnly: The SQLite file cannot be written.
            TryAgain: Another process is writing to the SQLite file.
        """
        try:
            await self._uninterrupted(self._connection.start())
        except DATABASE_ERRORS as error:
            meant = port_error(error)
            if isinstance(meant, StorageReadOnly):
                raise meant from error
            raise StorageUnavailable("The database cannot be reached.") from error
        except asyncio.CancelledError:
            if self._connection.sync_connection is not None:
                await self._close()
            raise
        if self._begin is not None:
            try:
                await self._translated(self._connection.exec_driver_sql(self._begin))
            except BaseException:
                await self._close()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Roll back what was not committed, and give the connection back."""
        await self._close()

    async def _close(self) -> None:
        try:
            await to_the_end(self._connection.close())
        except DATABASE_ERRORS:
            # It could not roll back. Without its connection, the database does so by itself.
            await self._connection.invalidate()
            await self._connection.close()


async def to_the_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Await `work` to its end even if this task is cancelled meanwhile, and only then be cancelled."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as cancelled:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise cancelled from (None if task.cancelled() else task.exception())
