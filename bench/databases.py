"""The Postgres of a benchmark: real, on the disk, as durable as it comes."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from bench.connection import connected
from bench.population import People, populate
from gateway.adapters.sql import migrate, open_sql_storage
from support.postgres import LocalPostgres, local_postgres

TEMPLATE: Final = "populated"
SETTINGS: Final = {"max_wal_size": "16GB", "checkpoint_timeout": "1h"}
"""For all arms alike: no checkpoint falls into some short runs and not into others.

After one, the first change of each page logs the whole page. Somebody who runs for hours pays that once in as many
payments as there are between two checkpoints; here, where arms take turns, one would pay for the others' checkpoints.
"""
DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")


@contextlib.contextmanager
def running() -> Iterator[LocalPostgres]:
    """A server of our own, with its data where the system keeps temporary files."""
    with local_postgres() as server:
        yield server


async def configure(server: LocalPostgres) -> None:
    """Set the server up.

    Raises:
        RuntimeError: It does not promise to keep what it commits.
    """
    async with administering(server) as connection:
        for name, value in SETTINGS.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await connection.execute("SELECT pg_reload_conf()")
        for name in DURABLE:
            if await connection.fetchval(f"SHOW {name}") != "on":
                raise RuntimeError(f"{name} is off: figures of such a server are worth nothing.")


async def prepare(server: LocalPostgres, people: People) -> None:
    """Make the database that all arms start from."""
    async with administering(server) as connection:
        await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    url = server.url(TEMPLATE)
    await migrate(url)
    async with open_sql_storage(url) as storage:
        await populate(storage, people)
    async with connected(url) as connection:
        await connection.execute("VACUUM ANALYZE")


async def copy(server: LocalPostgres, name: str) -> str:
    """The URL of a fresh copy of the populated database."""
    async with administering(server) as connection:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return server.url(name)


async def checkpoint(server: LocalPostgres) -> None:
    """Write everything out, so that the run before does not slow down the next one."""
    async with administering(server) as connection:
        await connection.execute("CHECKPOINT")


async def version(server: LocalPostgres) -> str:
    """What the server calls itself."""
    async with administering(server) as connection:
        return str(await connection.fetchval("SHOW server_version"))


def administering(server: LocalPostgres) -> AbstractAsyncContextManager[Any]:
    """A connection that may make databases."""
    return connected(server.url("postgres"))
