"""A connection to Postgres that belongs to the benchmark, and to none of the arms."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection, until the end of the `async with`."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
