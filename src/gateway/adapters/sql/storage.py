"""Every storage port over one database."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.adapters.sql.audit import sql_audit
from gateway.adapters.sql.database import Database
from gateway.adapters.sql.engine import SQLITE, read_engine, write_engine
from gateway.adapters.sql.limits import SqlLimits
from gateway.adapters.sql.login_failures import SqlLoginFailures
from gateway.adapters.sql.postgres import PostgresUnitOfWork
from gateway.adapters.sql.rates import SqlRates
from gateway.adapters.sql.reader import SqlReader
from gateway.adapters.sql.sessions import SqlSessions
from gateway.adapters.sql.sqlite import SqliteUnitOfWork
from gateway.adapters.sql.users import SqlUsers
from gateway.application.ports.storage import Storage


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
    writers = write_engine(url, limits)
    others = read_engine(url, limits, writers)
    database = Database(others)
    unit_of_work = SqliteUnitOfWork if writers.dialect.name == SQLITE else PostgresUnitOfWork
    try:
        yield Storage(
            unit_of_work=lambda: unit_of_work(writers),
            users=SqlUsers(database),
            sessions=SqlSessions(database),
            login_failures=SqlLoginFailures(database),
            rates=SqlRates(database),
            reader=SqlReader(database),
            audit=lambda: sql_audit(url, limits),
        )
    finally:
        await writers.dispose()
        await others.dispose()
