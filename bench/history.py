"""Databases with a past: as many accounts and payments as one likes, loaded in bulk."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from bench.connection import connected
from bench.databases import administering
from bench.population import DEPOSIT_MINOR, PAYMENT_MINOR, People
from gateway.adapters.sql import migrate
from gateway.domain.user import UserId
from support.postgres import LocalPostgres

SCHEMA: Final = Path(__file__).with_suffix(".sql")
CHUNK: Final = 500_000
"""Payments in one statement."""
KEPT_MAX: Final = 1_000_000
"""Events and answers are for the newest payments only: answers are kept for days, and both are wide."""
SAMPLE: Final = 5_000
"""Customers who pay. With more, the server's memory of verified tokens would be what is measured."""
HOT_TABLES: Final = ("payments", "transfers", "events", "answers")


async def load(server: LocalPostgres, name: str, *, accounts: int, history: int) -> str:
    """The URL of a new database with so many accounts, half of them customers, and about so many payments.

    Rounds the payments down to whole rounds, in which every customer pays once.
    """
    pairs = accounts // 2
    rounds = history // pairs
    total = rounds * pairs
    async with administering(server) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    url = server.url(name)
    await migrate(url)
    async with connected(url) as connection:
        await connection.execute(SCHEMA.read_text())
        async with without_indexes(connection):
            await connection.execute(
                "SELECT bench.add_people($1, $2, $3, $4)", pairs, rounds, DEPOSIT_MINOR, PAYMENT_MINOR, timeout=None
            )
            await connection.execute("ANALYZE bench.people")
            for first in range(0, total, CHUNK):
                last = min(first + CHUNK, total) - 1
                spread = (first, last, total, max(total - KEPT_MAX, 0), pairs, DEPOSIT_MINOR, PAYMENT_MINOR)
                await connection.execute("SELECT bench.add_payments($1, $2, $3, $4, $5, $6, $7)", *spread)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    return url


async def people_of(url: str) -> People:
    """Customers who pay, and any merchants, of a loaded database."""
    async with connected(url) as connection:
        rows = await connection.fetch("SELECT customer, merchant FROM bench.people")
    customers = random.sample(rows, min(SAMPLE, len(rows)))
    return People([UserId(row["customer"]) for row in customers], [UserId(row["merchant"]) for row in rows])


@asynccontextmanager
async def without_indexes(connection: Any) -> AsyncIterator[None]:
    """Without the indexes of the hot tables while they are filled: making them afterwards takes a fraction."""
    keys = await connection.fetch(
        "SELECT conrelid::regclass AS on_table, conname AS name, pg_get_constraintdef(oid) AS definition "
        "FROM pg_constraint WHERE contype = 'p' AND conrelid = ANY ($1::text[]::regclass[])",
        HOT_TABLES,
    )
    for key in keys:
        await connection.execute(f"ALTER TABLE {key['on_table']} DROP CONSTRAINT {key['name']}")
    indexes = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY ($1)", HOT_TABLES
    )
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['indexname']}")
    yield
    for key in keys:
        await connection.execute(f"ALTER TABLE {key['on_table']} ADD CONSTRAINT {key['name']} {key['definition']}")
    for index in indexes:
        await connection.execute(index["indexdef"])
