"""Empty storages for tests."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.adapters.memory import memory_storage
from gateway.adapters.sql import SqlLimits, open_sql_storage
from gateway.adapters.sql.tables import metadata
from gateway.adapters.sql.tables.audit import audit_head
from gateway.application.ports.storage import Storage
from gateway.contracts.history import OpenStorage

ANSWERS_BYTES_MAX: Final = 256 * 1024
EMPTY_HEAD: Final = "UPDATE audit_head SET position = 0, hash = {}"
"""The one row of this table stays: the chain of an empty audit log ends at its beginning."""
ZEROS: Final = "decode(repeat('00', 32), 'hex')"


@asynccontextmanager
async def open_memory() -> AsyncGenerator[Storage]:
    """New dictionaries."""
    yield memory_storage()


@asynccontextmanager
async def emptied_between_tests(
    url: str, limits: SqlLimits | None = None, *, role: str | None = None
) -> AsyncGenerator[OpenStorage]:
    """One database for all tests, emptied whenever it is opened: much quicker than a new one each time.

    With a role of Postgres, the storage has its rights alone; the database is emptied by the owner.
    """
    storage_url = url if role is None else f"{url}?options=-c%20role%3D{role}"
    driver = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}[make_url(url).drivername]
    broom = create_async_engine(make_url(url).set(drivername=driver))

    @asynccontextmanager
    async def open_storage() -> AsyncGenerator[Storage]:
        async with broom.begin() as connection:
            deletions = [str(table.delete()) for table in reversed(metadata.sorted_tables) if table is not audit_head]
            deletions.append(EMPTY_HEAD.format("zeroblob(32)" if driver.startswith("sqlite") else ZEROS))
            if driver.startswith("postgresql"):
                # One round trip. Answers are deleted page by page, deleted rows keep their pages until a vacuum, and a
                # contract asks for an end that an empty storage reaches in one step.
                pages = f"IF pg_relation_size('answers') > {ANSWERS_BYTES_MAX} THEN TRUNCATE answers; END IF"
                deletions = [f"DO $$ BEGIN {'; '.join([pages, *deletions])}; END $$"]
            for statement in deletions:
                await connection.exec_driver_sql(statement)
        # One that had seen the tables before would remember what was in them.
        async with open_sql_storage(storage_url, limits) as storage:
            yield storage

    yield open_storage
    await broom.dispose()
