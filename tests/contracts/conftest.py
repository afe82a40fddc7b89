"""The storage adapters on which every contract is run: memory, SQLite and a real Postgres."""

from collections.abc import AsyncIterator

import pytest

from gateway.adapters.sql import SqlLimits, migrate
from gateway.adapters.sql.roles import SERVE
from gateway.application.ports.storage import Storage
from gateway.contracts.history import OpenStorage
from support.postgres import PostgresServer, temporary_database
from support.storages import emptied_between_tests

STORAGES = ("memory", "sqlite", "postgres")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "open_storage" in metafunc.fixturenames:
        locking = metafunc.definition.get_closest_marker("locking") is not None
        metafunc.parametrize("open_storage", [*STORAGES, *(["locking_postgres"] if locking else [])], indirect=True)


@pytest.fixture(scope="session")
async def open_sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenStorage]:
    """Opens a file, emptied."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'contracts.db'}"
    await migrate(url)
    async with emptied_between_tests(url) as open_storage:
        yield open_storage


@pytest.fixture(scope="session")
async def open_locking_postgres(postgres_server: PostgresServer, migrated_template: str) -> AsyncIterator[OpenStorage]:
    """Opens a database on a real server, emptied, where every unit of work locks what it loads, as a server does."""
    async with (
        temporary_database(postgres_server, template=migrated_template) as database,
        emptied_between_tests(postgres_server.url(database), SqlLimits(optimistic=False), role=SERVE) as open_storage,
    ):
        yield open_storage


@pytest.fixture
def open_storage(request: pytest.FixtureRequest) -> OpenStorage:
    """Opens an empty storage of each kind."""
    opener: OpenStorage = request.getfixturevalue(f"open_{request.param}")
    return opener


@pytest.fixture
async def storage(open_storage: OpenStorage) -> AsyncIterator[Storage]:
    """An empty storage of each kind."""
    async with open_storage() as opened:
        yield opened
