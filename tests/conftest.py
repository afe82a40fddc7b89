"""Fixtures for every test: real Postgres servers and fresh databases in them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from support.postgres import (
    URL_VARIABLE,
    LocalPostgres,
    PostgresServer,
    PostgresUnavailableError,
    local_postgres,
    resolve,
    temporary_database,
)

if TYPE_CHECKING:
    from gateway.contracts.history import OpenStorage

# A busy machine is not a failure: how long something takes is tested where it matters.
settings.register_profile("gateway", settings.default, deadline=None)
settings.load_profile("gateway")


def pytest_report_header() -> str:
    try:
        return f"postgres: {resolve().origin} (set {URL_VARIABLE} to use your own)"
    except PostgresUnavailableError as error:
        return f"postgres: {error}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The Postgres of the whole run, started when the first test asks for it."""
    with resolve().open() as server:
        yield server


@pytest.fixture
async def empty_postgres_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """A fresh database with nothing in it."""
    async with temporary_database(postgres_server) as database:
        yield postgres_server.url(database)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it, of each kind that keeps anything."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deeper/ledger.db"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture(scope="session")
async def migrated_template(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """The name of a database migrated once, with roles, from which tests get copies."""
    # Imported here, so that tests which need no storage do not load it.
    from gateway.adapters.sql import grant_roles, migrate  # noqa: PLC0415 - see above

    async with temporary_database(postgres_server) as database:
        await migrate(postgres_server.url(database))
        await grant_roles(postgres_server.url(database))
        yield database


@pytest.fixture
async def postgres_url(postgres_server: PostgresServer, migrated_template: str) -> AsyncIterator[str]:
    """A fresh, migrated database."""
    async with temporary_database(postgres_server, template=migrated_template) as database:
        yield postgres_server.url(database)


@pytest.fixture
def open_memory() -> "OpenStorage":
    """Opens dictionaries."""
    from support import storages  # noqa: PLC0415 - as above

    return storages.open_memory


@pytest.fixture(scope="session")
async def open_postgres(postgres_server: PostgresServer, migrated_template: str) -> "AsyncIterator[OpenStorage]":
    """Opens a storage on a real server, emptied, with the rights of a worker: no test of a port needs more."""
    from gateway.adapters.sql.roles import WORKER  # noqa: PLC0415 - as above
    from support.storages import emptied_between_tests  # noqa: PLC0415 - as above

    async with (
        temporary_database(postgres_server, template=migrated_template) as database,
        emptied_between_tests(postgres_server.url(database), role=WORKER) as open_storage,
    ):
        yield open_storage


@pytest.fixture
def private_postgres() -> Iterator[LocalPostgres]:
    """A server of the test's own, to kill and start again; always from local binaries."""
    with local_postgres() as server:
        yield server
