"""A unit of work within a transaction of an embedding program, on Postgres (docs/decisions/0046).

It is a savepoint of that transaction: what the gateway cannot do is taken back to there, and the program goes on.
"""

from types import TracebackType
from typing import Any, Final, NamedTuple, Self, cast

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
from asyncpg.pool import PoolConnectionProxy  # type: ignore[import-untyped]  # as above.
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from typing_extensions import override

from gateway.adapters.sql.asyncpg_transaction import AsyncpgTransaction
from gateway.adapters.sql.errors import CONNECTION_ERRORS, DATABASE_ERRORS, port_error
from gateway.adapters.sql.host_connections import HostConnections, refused
from gateway.adapters.sql.hybrid_clock import HybridClock
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.postgres import Locked, PostgresState
from gateway.adapters.sql.sqlalchemy_transaction import to_the_end
from gateway.adapters.sql.write_pool import WritePool
from gateway.application.ports.unit_of_work import Changes, Records, StorageUnavailable, UnitOfWork, Wanted

SAVEPOINT: Final = "gateway_unit_of_work"

FIND_HOME: Final = """
SELECT (SELECT oid FROM pg_database WHERE datname = current_database()), tables.oid, schemas.nspname,
       quote_ident(schemas.nspname)
FROM pg_class AS tables JOIN pg_namespace AS schemas ON schemas.oid = tables.relnamespace
WHERE tables.oid = 'answers'::regclass
"""
"""The database and the table of answers, by their object ids, and the schema."""

# Settings end with the transaction. Those of the first line are put back before.
ENTER: Final = """
SELECT current_setting('search_path') AS search_path, current_setting('lock_timeout') AS lock_timeout,
       set_config('search_path', $1, true), set_config('lock_timeout', $2, true),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit')
           WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true),
       set_config('idle_in_transaction_session_timeout', least(nullif(setting::bigint, 0), $3::bigint)::text, true),
       (SELECT oid FROM pg_database WHERE datname = current_database()) AS database_id,
       to_regclass($4)::oid AS table_id
FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'
"""


class Home(NamedTuple):
    """Where the tables of a gateway are: object ids tell whether a connection has the same database."""

    database_id: int
    table_id: int
    schema: str
    quoted_schema: str


class Homes:
    """Asks once where the tables are that the connections of the gateway use."""

    def __init__(self, pool: WritePool, limits: SqlLimits) -> None:
        self.pool = pool
        self._limits = limits
        self._found: Home | None = None

    async def find(self) -> Home:
        """Where they are.

        Raises:
            StorageUnavailable: The database cannot be reached.
        """
        if self._found is None:
            try:
                seconds = self._limits.pool_timeout_seconds
                connection = await self.pool.take(wait_seconds_max=seconds, connect_seconds_max=seconds)
                try:
                    [found] = cast("list[Any]", await cast("Any", connection).fetch(FIND_HOME))
                    self._found = Home(*found)
                finally:
                    self.pool.give_back(connection)
            except DATABASE_ERRORS as error:
                raise StorageUnavailable("The database cannot be reached.") from error
        return self._found


class HostTransaction(AsyncpgTransaction):
    """A savepoint in the transaction of a connection that belongs to another program."""

    def __init__(self, host: object, homes: "Homes", limits: SqlLimits) -> None:
        """Nothing is begun yet.

        Args:
            host: A connection of asyncpg, or a connection or session of SQLAlchemy on asyncpg.
            homes: Knows where the gateway's tables are.
            limits: How long to wait for locks, and how long the transaction may lie idle afterwards.
        """
        super().__init__(homes.pool, acquire_seconds_max=0.0)
        self._host = host
        self._in_use = HostConnections()
        self._homes = homes
        self._lock_milliseconds = int(limits.lock_timeout_seconds * 1000)
        self._restore = ""

    @override
    async def begin(self, *, lock_seconds_max: float) -> None:
        home, wait = await self._homes.find(), self._lock_milliseconds
        await to_the_end(self._set_savepoint())
        table = f"{home.quoted_schema}.answers"
        found = await self._do(self._connection.fetchrow, ENTER, home.quoted_schema, str(wait), wait, table)
        if (found["database_id"], found["table_id"]) != (home.database_id, home.table_id):
            raise refused("This connection has another database than the gateway.")
        self._restore = (
            f"SELECT set_config('search_path', {_literal(found['search_path'])}, true), "
            f"set_config('lock_timeout', {_literal(found['lock_timeout'])}, true)"
        )

    async def _set_savepoint(self) -> None:
        await self._do(self._connection.execute, f"SAVEPOINT {SAVEPOINT}")
        self._open = True

    @override
    async def commit(self) -> None:
        """Keep what was written, for the program to commit.

        Its COMMIT releases the savepoint. If this did, a task that is cancelled meanwhile could not go back.
        """
        await self._do(self._connection.execute, self._restore)
        self._open = False

    @override
    async def __aenter__(self) -> Self:
        """Find the connection of the driver.

        Raises:
            InvalidInput: The program has begun no transaction on it, it is in use, or it is no connection.
        """
        try:
            # A statement that is interrupted before there is a savepoint aborts the program's transaction.
            await to_the_end(self._find_connection())
        except BaseException:
            self._in_use.give_back()
            raise
        return self

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take back what was not kept."""
        try:
            if self._open and not self._lost:
                await to_the_end(self._take_back())
        finally:
            self._in_use.give_back()

    async def _find_connection(self) -> None:
        self._connection = await self._driver_connection()
        if not self._connection.is_in_transaction():
            raise refused("Begin a transaction on this connection first.")

    async def _driver_connection(self) -> Any:
        host: Any = self._host
        if isinstance(host, asyncpg.Connection | PoolConnectionProxy):
            is_proxy = isinstance(host, PoolConnectionProxy)
            # The proxy has no public name for its connection.
            self._in_use.use(host._con if is_proxy else host)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            return host
        try:
            if isinstance(host, AsyncSession):
                self._in_use.use(host)
                host = await host.connection()
            if not isinstance(host, AsyncConnection) or host.dialect.driver != "asyncpg":
                raise refused("Give a connection of asyncpg, or a connection or session of SQLAlchemy on asyncpg.")
            connection = (await host.get_raw_connection()).driver_connection
            self._in_use.use(connection)
            # SQLAlchemy begins a transaction with its first statement.
            await host.exec_driver_sql("SELECT 1")
        except DATABASE_ERRORS as error:
            raise port_error(error) from error
        return connection

    async def _take_back(self) -> None:
        back = f"ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE SAVEPOINT {SAVEPOINT}"
        try:
            await self._connection.execute(back)
        except DATABASE_ERRORS as error:
            # Without its connection, the database rolls back all of the transaction.
            if not isinstance(error, CONNECTION_ERRORS):
                raise port_error(error) from error


class HostUnitOfWork(UnitOfWork):
    """Locks what it loads, and leaves the commit to the program."""

    def __init__(self, transaction: HostTransaction, state: PostgresState) -> None:
        self._transaction = transaction
        # Nobody knows whether the program will commit: as for another process, the clock of this one learns nothing.
        alone = PostgresState(
            contention=state.contention,
            constant_columns=state.constant_columns,
            cache=state.cache,
            pipeline=state.pipeline,
            clock=HybridClock(),
            shared_lock_seconds=state.shared_lock_seconds,
        )
        self._strategy = Locked(transaction, alone)

    @override
    async def load(self, wanted: Wanted) -> Records:
        return await self._strategy.load(wanted)

    @override
    async def commit(self, changes: Changes) -> None:
        await self._strategy.commit(changes)

    @override
    async def __aenter__(self) -> Self:
        await self._transaction.__aenter__()
        return self

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transaction.__aexit__(kind, error, traceback)


def _literal(text: object) -> str:
    return "'" + cast("str", text).replace("'", "''") + "'"
