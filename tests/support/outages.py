"""Storages of each kind that tests break as a machine or an operator would, and what they break them with."""

import resource
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.

from gateway.adapters.memory import memory_storage
from gateway.adapters.sql import migrate, open_sql_storage
from gateway.contracts.outages import Breakable
from gateway.testing.faults import StorageFaults


@asynccontextmanager
async def breakable_memory() -> AsyncGenerator[Breakable]:
    """In memory, where only the faults of the tests are."""
    faults = StorageFaults()

    @asynccontextmanager
    async def away() -> AsyncGenerator[None]:
        with faults.away():
            yield

    yield Breakable(faults.over(memory_storage()), away)


@contextmanager
def full_disk() -> Generator[None]:
    """This process cannot write to any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def moved_file(path: Path) -> Generator[None]:
    """The file is gone, and something else has its name."""
    elsewhere = path.with_suffix(".moved")
    path.rename(elsewhere)
    path.mkdir()
    try:
        yield
    finally:
        path.rmdir()
        elsewhere.rename(path)


def breakable_sqlite(path: Path, how: str) -> AbstractAsyncContextManager[Breakable]:
    """A new file, and one way to break it: `full` or `moved`."""

    @asynccontextmanager
    async def away() -> AsyncGenerator[None]:
        with full_disk() if how == "full" else moved_file(path):
            yield

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Breakable]:
        url = f"sqlite:///{path}"
        await migrate(url)
        async with open_sql_storage(url) as storage:
            yield Breakable(storage, away)

    return opened()


@asynccontextmanager
async def breakable_postgres(url: str, administrators_url: str) -> AsyncGenerator[Breakable]:
    """A database whose connections an operator ends, and that takes no new ones."""
    database = url.rpartition("/")[2]

    @asynccontextmanager
    async def away() -> AsyncGenerator[None]:
        administrator = await asyncpg.connect(administrators_url)
        try:
            await administrator.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
            await administrator.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", database
            )
            yield
        finally:
            await administrator.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
            await administrator.close()

    async with open_sql_storage(url) as storage:
        yield Breakable(storage, away)
