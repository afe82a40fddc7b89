"""Arrays in the binary format of Postgres, which a codec of our own makes for connections of asyncpg."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import pytest
from sqlalchemy import text

from gateway.adapters.sql import SqlLimits
from gateway.adapters.sql.array_codec import BYTES, INTEGERS, TEXTS, ArrayType, use_own_codec
from gateway.adapters.sql.asyncpg_transaction import AsyncpgTransaction
from gateway.adapters.sql.write_pool import open_write_pool

TYPES = (TEXTS, INTEGERS, BYTES)
COLUMNS: Sequence[tuple[ArrayType, Sequence[Any]]] = (
    (TEXTS, []),
    (TEXTS, ["pay_1", "pay_2", "pay_3"]),
    (TEXTS, ["", "a", "ä", "語", "\U0001f4b6", 'quoted, {"braces"}', "NULL", "x" * 1000]),
    (TEXTS, ["pay_1", None, "pay_3"]),
    (TEXTS, [None]),
    (INTEGERS, []),
    (INTEGERS, [0, 1, -1, 2**63 - 1, -(2**63)]),
    (INTEGERS, [1, None]),
    (BYTES, [bytes(32), bytes(range(32))]),
    (BYTES, [b"", b"\0\n", None]),
)


@pytest.fixture
async def connection(postgres_url: str) -> AsyncIterator[Any]:
    """A connection of asyncpg as it is."""
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


@pytest.mark.parametrize(("of", "values"), COLUMNS, ids=lambda each: getattr(each, "name", None))
async def test_postgres_reads_what_it_reads_from_asyncpg(connection: Any, of: ArrayType, values: Sequence[Any]) -> None:
    statement = f"SELECT $1::{of.name}::text, cardinality($1)"
    read = await connection.fetchrow(statement, values)
    assert use_own_codec(connection)
    await connection.reload_schema_state()  # What was prepared has the codec that was there.
    assert await connection.fetchrow(statement, tuple(values)) == read


async def test_asyncpg_still_has_the_private_method_that_takes_the_codec(postgres_url: str) -> None:
    """If this fails after an update of asyncpg, nothing is wrong but the speed: see `use_own_codec`."""
    async with (
        open_write_pool(postgres_url, SqlLimits()) as pool,
        AsyncpgTransaction(pool, acquire_seconds_max=1) as transaction,
    ):
        for of in TYPES:
            # Reading an array is an error of the codec: units of work read none.
            with pytest.raises(TypeError, match="No statement of a unit of work returns an array"):
                await transaction.rows(text(f"SELECT NULL::{of.name}, '{{}}'::{of.name}"))


async def test_without_that_method_asyncpg_encodes_arrays_itself(connection: Any) -> None:
    class Changed:
        def get_settings(self) -> object:
            return object()

        _protocol = property(lambda self: self)

    assert not use_own_codec(Changed())
    assert await connection.fetchval("SELECT $1::text[]", ["a", None]) == ["a", None]


@pytest.mark.parametrize(
    ("of", "values"),
    [
        (TEXTS, [1]),
        (TEXTS, [b"a"]),
        (TEXTS, ["\ud800"]),
        (TEXTS, [None, 1]),
        (INTEGERS, ["1"]),
        (INTEGERS, [2**63]),
        (BYTES, ["a"]),
        (BYTES, [5]),
    ],
)
async def test_a_value_that_cannot_be_stored_is_refused_as_by_asyncpg(
    connection: Any, of: ArrayType, values: Sequence[Any]
) -> None:
    statement = f"SELECT $1::{of.name}::text"
    for _ in range(2):
        with pytest.raises(asyncpg.DataError):
            await connection.fetchval(statement, values)
        use_own_codec(connection)
        await connection.reload_schema_state()
