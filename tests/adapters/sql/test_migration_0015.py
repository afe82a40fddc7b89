"""Migration 0015: operators may make its indexes beforehand, and an index that is not valid is made anew."""

import re
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types.
import pytest

from gateway.adapters.sql import migrate
from support.migrations import on_connection, to_revision

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
STATEMENTS = re.findall(r"^CREATE INDEX CONCURRENTLY.*?;", OPERATIONS.read_text(), re.MULTILINE | re.DOTALL)
INDEXES = "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid FROM pg_index ORDER BY 1"


@pytest.fixture
async def old_url(empty_postgres_url: str) -> str:
    """A database before the migration."""
    await on_connection(empty_postgres_url, to_revision("0014"))
    return empty_postgres_url


async def indexes_of(url: str) -> list[Any]:
    """All indexes, and whether they are valid."""
    connection = await asyncpg.connect(url)
    try:
        found = [tuple(row) for row in await connection.fetch(INDEXES)]
    finally:
        await connection.close()
    return [row for row in found if not row[0].startswith("pg_")]


async def test_indexes_that_were_made_beside_running_servers_are_those_of_the_migration(
    old_url: str, postgres_url: str
) -> None:
    connection = await asyncpg.connect(old_url)
    for statement in STATEMENTS:
        await connection.execute(statement)
    await connection.close()
    made = await indexes_of(old_url)
    await on_connection(old_url, to_revision("0015"))
    assert await indexes_of(old_url) == made
    await migrate(old_url)
    assert await indexes_of(old_url) == await indexes_of(postgres_url)


async def test_an_index_that_is_not_valid_is_made_anew(old_url: str, postgres_url: str) -> None:
    connection = await asyncpg.connect(old_url)
    await connection.execute(STATEMENTS[0])
    # As it is left by a CREATE INDEX CONCURRENTLY that failed.
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'payments_customer_id_status_id_idx'::regclass"
    )
    await connection.close()
    await migrate(old_url)
    assert await indexes_of(old_url) == await indexes_of(postgres_url)
