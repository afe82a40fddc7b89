"""The storage adapters on which every contract is run: memory, SQLite and a real Postgres."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.adapters.memory import memory_storage
from gateway.adapters.sql import SqlLimits, migrate, open_sql_storage
from gateway.adapters.sql.tables import metadata
from gateway.application.ports.storage import Storage
from gateway.contracts.history import OpenStorage
from support.postgres import PostgresServer, temporary_database


@pytest.fixture
def open_memory() -> OpenStorage:
    """Opens dictionaries."""

    @asynccontextmanager
    async def open_storage() -> AsyncGenerator[Storage]:
        yield memory_storage()

    return open_storage


@asynccontextmanager
async def emptied_between_tests(url: str, limits: SqlLimits | None = None) -> AsyncGenerator[OpenStorage]:
    """One storage for all tests, emptied whenever it is opened: much quicker than a new one each time."""
    driver = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}[make_url(url).drivername]
    broom = create_async_engine(make_url(url).set(drivername=driver))
    async with open_sql_storage(url, limits) as storage:

        @asynccontextmanager
        async def open_storage() -> AsyncGenerator[Storage]:
            async with broom.begin() as connection:
                for table in reversed(metadata.sorted_tables):
                    await connection.execute(table.delete())
            yield storage

        yield open_storage
    await broom.dispose()


@pytest.fixture(scope="session")
async def open_sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenStorage]:
    """Opens a file, emptied."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'contracts.db'}"
    await migrate(url)
    async with emptied_between_tests(url) as open_storage:
        yield open_storage


@pytest.fixture(scope="session")
async def open_postgres(postgres_server: PostgresServer, migrated_template: str) -> AsyncIterator[OpenStorage]:
    """Opens a database on a real server, emptied."""
    async with (
        temporary_database(postgres_server, template=migrated_template) as database,
        emptied_between_tests(postgres_server.url(database)) as open_storage,
    ):
        yield open_storage


@pytest.fixture(scope="session")
async def open_locking_postgres(postgres_server: PostgresServer, migrated_template: str) -> AsyncIterator[OpenStorage]:
    """The same, where every unit of work locks what it loads."""
    async with (
        temporary_database(postgres_server, template=migrated_template) as database,
        emptied_between_tests(postgres_server.url(database), SqlLimits(optimistic=False)) as open_storage,
    ):
        yield open_storage


@pytest.fixture(params=["memory", "sqlite", "postgres", "locking_postgres"])
def open_storage(request: pytest.FixtureRequest) -> OpenStorage:
    """Opens an empty storage of each kind."""
    opener: OpenStorage = request.getfixturevalue(f"open_{request.param}")
    return opener


@pytest.fixture
async def storage(open_storage: OpenStorage) -> AsyncIterator[Storage]:
    """An empty storage of each kind."""
    async with open_storage() as opened:
        yield opened
