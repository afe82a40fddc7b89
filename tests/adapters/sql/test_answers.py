"""Answers in SQL: the part that is in the event of a payment is not stored twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from gateway.adapters.sql import migrate, open_sql_storage
from gateway.adapters.sql.engine import audit_engine
from gateway.adapters.sql.limits import SqlLimits
from support.api_client import World, created, fresh_key, open_world, refused


@asynccontextmanager
async def world_on(url: str) -> AsyncIterator[World]:
    await migrate(url)
    async with open_sql_storage(url) as storage, open_world(storage=storage) as world:
        yield world


async def bodies(url: str, key: str) -> list[tuple[bytes, bool]]:
    """What the row of a key stores, and whether the answer goes on in an event."""
    engine = audit_engine(url, SqlLimits())
    try:
        async with engine.connect() as connection:
            rows = await connection.execute(
                text("SELECT body, event_id IS NOT NULL FROM answers WHERE key = :key"), {"key": key}
            )
            return [(row[0], bool(row[1])) for row in rows]
    finally:
        await engine.dispose()


async def test_the_answer_to_a_payment_is_kept_once_and_given_again_byte_for_byte(empty_url: str) -> None:
    async with world_on(empty_url) as world:
        customer, merchant = await world.customer(balance=1000), await world.merchant()
        body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD", "description": "naïve 😀"}
        first = await customer.api.post("/payments", body, key=(key := fresh_key()))
        created(first)
        assert await bodies(empty_url, key) == [(b"201", True)]
        again = await customer.api.post("/payments", body, key=key)
        assert (again.status_code, again.content) == (201, first.content)


async def test_a_refusal_is_kept_whole(empty_url: str) -> None:
    async with world_on(empty_url) as world:
        customer, merchant = await world.customer(balance=1), await world.merchant()
        body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}
        first = await customer.api.post("/payments", body, key=(key := fresh_key()))
        refused(first, 402, "insufficient_funds")
        assert await bodies(empty_url, key) == [(b"402" + first.content, False)]
        again = await customer.api.post("/payments", body, key=key)
        assert (again.status_code, again.content) == (402, first.content)
