"""On Postgres, logins, sessions and readiness do not wait for the connections of look-ups."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from gateway.adapters.sql import SqlLimits, open_sql_storage
from gateway.adapters.sql.engine import postgres_engine
from gateway.application.ports.reader import PaymentFilter
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.contracts.records import by_email
from support.servers import until

LIMITS = SqlLimits(pool_size=1, pool_timeout_seconds=0.2, lock_timeout_seconds=20.0, statement_timeout_seconds=20.0)


async def waits_for_a_lock(url: str) -> bool:
    engine = postgres_engine(url, SqlLimits())
    async with engine.connect() as connection:
        count = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        found = (await connection.execute(count)).scalar_one()
    await engine.dispose()
    return bool(found)


async def test_slow_lists_hold_up_neither_logins_nor_sessions_nor_readiness(postgres_url: str) -> None:
    locking = postgres_engine(postgres_url, SqlLimits())
    async with open_sql_storage(postgres_url, LIMITS) as storage, locking.connect() as connection:
        await connection.execute(text("LOCK TABLE payments IN ACCESS EXCLUSIVE MODE"))
        slow = asyncio.create_task(storage.reader.payments(PaymentFilter(), before=None, limit=1))
        await until(lambda: waits_for_a_lock(postgres_url), 30.0)
        with pytest.raises(StorageUnavailable):
            await storage.reader.totals()
        await storage.reader.check()
        assert await by_email(storage, "nobody@example.com") is None
        assert await storage.sessions.revoked_since(datetime.now(UTC)) is not None
        assert not slow.done()
        await connection.rollback()
        assert list(await slow) == []
    await locking.dispose()
