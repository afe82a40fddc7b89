"""Short transactions: for everything that is not a unit of work."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from sqlalchemy import Executable, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.adapters.sql.engine import POSTGRES
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction, Parameters
from gateway.adapters.sql.types import Found
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.ports.unit_of_work import StorageUnavailable, TryAgain

Result = TypeVar("Result")

SHORT_RETRIES: Final = RetryLimits(attempts_max=3, duration_seconds_max=3.0)
"""Somebody waits, and a pool whose connections have all died needs but one more try."""


class ShortTransactions:
    """Short transactions on one engine. What goes wrong leaves as `StorageUnavailable`, or is a bug."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.dialect_name = engine.dialect.name
        # One statement is a transaction by itself: without BEGIN and ROLLBACK it is one round trip, not three.
        postgres = self.dialect_name == POSTGRES
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT") if postgres else engine
        self._read_again = retrying(self._read, SHORT_RETRIES)

    async def read(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Found]:
        """The rows of one statement, as of one moment."""
        return await self._read_again(statement, parameters)

    async def write(self, work: Callable[[DatabaseTransaction], Awaitable[Result]]) -> Result:
        """Do `work` in a transaction and commit it. What breaks before its commit is done again, from the start."""

        async def run() -> Result:
            async with DatabaseTransaction(self._engine) as transaction:
                result = await work(transaction)
                try:
                    await transaction.commit()
                except TryAgain as unknown:
                    raise StorageUnavailable("Nobody knows whether it was committed.") from unknown
            return result

        return await retrying(run, SHORT_RETRIES)()

    async def change(self, statement: Executable, parameters: Parameters) -> int:
        """Run one statement that writes, and say how many rows it has changed."""

        async def work(transaction: DatabaseTransaction) -> int:
            return await transaction.change(statement, parameters)

        return await self.write(work)

    async def try_to_write(self) -> None:
        """Begin to change an SQLite file, and take it back: one that has become read-only is noticed.

        Raises:
            StorageReadOnly: It cannot be written.
        """
        # Another process that is writing keeps this one waiting, and proves as much.
        with suppress(TryAgain):
            async with DatabaseTransaction(self._engine) as transaction:
                [[version]] = await transaction.rows(text("PRAGMA user_version"))
                await transaction.change(text(f"PRAGMA user_version = {version}"))

    async def _read(self, statement: Executable, parameters: Parameters | None) -> Sequence[Found]:
        async with DatabaseTransaction(self._reading, writes=False) as transaction:
            return await transaction.rows(statement, parameters)
