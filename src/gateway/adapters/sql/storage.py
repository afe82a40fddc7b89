"""Every storage port over one database."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, cast

from sqlalchemy import literal_column, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.adapters.sql.account_cache import AccountCache
from gateway.adapters.sql.api_keys import SqlApiKeys
from gateway.adapters.sql.asyncpg_transaction import AsyncpgTransaction
from gateway.adapters.sql.audit import sql_audit
from gateway.adapters.sql.audit_log import SqlAuditLog
from gateway.adapters.sql.constant_columns import ConstantColumns
from gateway.adapters.sql.contention import Contention
from gateway.adapters.sql.customers import SqlCustomers
from gateway.adapters.sql.deliveries import SqlDeliveries
from gateway.adapters.sql.engine import (
    access_engine,
    deliveries_engine,
    is_sqlite,
    postgres_engine,
    sqlite_engine,
    sqlite_url,
)
from gateway.adapters.sql.event_cursors import SqlEventCursors
from gateway.adapters.sql.events import SqlEventFeed
from gateway.adapters.sql.host_postgres import Homes, HostTransaction, HostUnitOfWork
from gateway.adapters.sql.host_sqlite import HostSqliteTransaction
from gateway.adapters.sql.housekeeping import SqlHousekeeping
from gateway.adapters.sql.hybrid_clock import HybridClock
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.login_failures import SqlLoginFailures
from gateway.adapters.sql.members import SqlMembers
from gateway.adapters.sql.pipeline import Pipeline
from gateway.adapters.sql.postgres import PostgresState, PostgresUnitOfWork
from gateway.adapters.sql.postgres_connections import connect_seconds_max
from gateway.adapters.sql.rate_budgets import SqlRateBudgets
from gateway.adapters.sql.rates import SqlRates
from gateway.adapters.sql.reader import SqlReader
from gateway.adapters.sql.second_factors import SqlSecondFactors
from gateway.adapters.sql.sessions import SqlSessions
from gateway.adapters.sql.short_transactions import ShortTransactions
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.sqlite import SqliteUnitOfWork
from gateway.adapters.sql.types import MOMENT
from gateway.adapters.sql.users import SqlUsers
from gateway.adapters.sql.webhook_endpoints import SqlWebhookEndpoints
from gateway.adapters.sql.write_pool import open_write_pool
from gateway.application.ports.storage import Scheduling, Storage, sequential
from gateway.application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory

NOW: Final = select(literal_column("clock_timestamp()", MOMENT))


@asynccontextmanager
async def open_sql_storage(url: str, limits: SqlLimits | None = None) -> AsyncGenerator[Storage]:
    """The storage ports over a migrated database, until the end of the `async with`. Connects when first used.

    Args:
        url: `postgresql://user:password@host:port/database` or `sqlite:///path`.
        limits: How long things may take, and how many at once; the defaults unless given.

    Raises:
        ValueError: The URL is neither.
    """
    limits = limits or SqlLimits()
    async with _on_sqlite(url, limits) if is_sqlite(url) else _on_postgres(url, limits) as opened:
        unit_of_work, unit_of_work_in, scheduling, engines = opened
        database = ShortTransactions(engines.look_ups)
        access = ShortTransactions(engines.access)
        events = SqlEventFeed(database)
        in_background = ShortTransactions(engines.deliveries)
        yield Storage(
            unit_of_work=unit_of_work,
            users=SqlUsers(access),
            sessions=SqlSessions(access),
            api_keys=SqlApiKeys(access),
            customers=SqlCustomers(database),
            second_factors=SqlSecondFactors(access),
            members=SqlMembers(access),
            login_failures=SqlLoginFailures(access),
            rate_budgets=SqlRateBudgets(access),
            rates=SqlRates(database),
            audit_log=SqlAuditLog(database),
            reader=SqlReader(database, access),
            events=events,
            event_cursors=SqlEventCursors(database),
            webhook_endpoints=SqlWebhookEndpoints(database),
            deliveries=SqlDeliveries(in_background, events),
            housekeeping=SqlHousekeeping(in_background, events),
            audit=lambda: sql_audit(url, limits),
            scheduling=scheduling,
            # SQLite serves one machine, whose clock its processes share.
            time=None if is_sqlite(url) else partial(_time, in_background),
            unit_of_work_in=unit_of_work_in,
        )


async def _time(transactions: ShortTransactions) -> datetime:
    """The clock of Postgres, which processes on several machines have in common."""
    [[now]] = await transactions.read(NOW)
    return cast("datetime", now)


class Engines(NamedTuple):
    """The engines of everything but units of work, each with connections of its own on Postgres."""

    look_ups: AsyncEngine
    access: AsyncEngine
    deliveries: AsyncEngine


Opened: TypeAlias = tuple[UnitOfWorkFactory, Callable[[object], UnitOfWork], Callable[[], Scheduling], Engines]


@asynccontextmanager
async def _on_sqlite(url: str, limits: SqlLimits) -> AsyncGenerator[Opened]:
    engine = sqlite_engine(url, limits)
    clock = HybridClock()
    try:
        engines = Engines(look_ups=engine, access=engine, deliveries=engine)
        file = Path(str(sqlite_url(url).database))

        def unit_of_work() -> SqliteUnitOfWork:
            return SqliteUnitOfWork(DatabaseTransaction(engine), clock)

        def unit_of_work_in(host: object) -> SqliteUnitOfWork:
            return SqliteUnitOfWork(HostSqliteTransaction(host, file), HybridClock())

        yield unit_of_work, unit_of_work_in, sequential, engines
    finally:
        await engine.dispose()


@asynccontextmanager
async def _on_postgres(url: str, limits: SqlLimits) -> AsyncGenerator[Opened]:
    engines = Engines(
        look_ups=postgres_engine(url, limits),
        access=access_engine(url, limits),
        deliveries=deliveries_engine(url, limits),
    )
    state = PostgresState(
        contention=Contention(always=not limits.optimistic),
        constant_columns=ConstantColumns(),
        cache=AccountCache(limits.cached_max),
        pipeline=Pipeline(),
        clock=HybridClock(),
        shared_lock_seconds=limits.shared_lock_seconds,
    )
    seconds_max = connect_seconds_max(url, limits)
    try:
        async with open_write_pool(url, limits) as pool:

            def unit_of_work() -> PostgresUnitOfWork:
                transaction = AsyncpgTransaction(
                    pool,
                    acquire_seconds_max=limits.pool_timeout_seconds,
                    connect_seconds_max=seconds_max,
                )
                return PostgresUnitOfWork(transaction, state)

            homes = Homes(pool, limits)

            def unit_of_work_in(host: object) -> HostUnitOfWork:
                return HostUnitOfWork(HostTransaction(host, homes, limits), state)

            def scheduling() -> Scheduling:
                if state.contention.is_expected:
                    return Scheduling.ALTERNATING
                return Scheduling.PIPELINED if limits.cached_max else Scheduling.SEQUENTIAL

            yield unit_of_work, unit_of_work_in, scheduling, engines
    finally:
        for engine in engines:
            await engine.dispose()
