"""A session and a new password at the same time, on Postgres: one of the two waits for the other."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from gateway.adapters.sql import SqlLimits, open_sql_storage
from gateway.adapters.sql.engine import postgres_engine
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.records import a_user, commit, user_id
from gateway.contracts.sessions import start

CHANGE = text("UPDATE users SET password_hash = '$new' WHERE id = :id")
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


@pytest.fixture
async def storage(postgres_url: str) -> AsyncIterator[Storage]:
    async with open_sql_storage(postgres_url, SqlLimits()) as opened:
        yield opened


@pytest.fixture
async def change(postgres_url: str) -> AsyncIterator[DatabaseTransaction]:
    engine = postgres_engine(postgres_url, SqlLimits())
    async with DatabaseTransaction(engine) as transaction:
        yield transaction
    await engine.dispose()


async def test_a_session_on_a_password_that_is_being_changed_waits_and_does_not_begin(
    storage: Storage, change: DatabaseTransaction
) -> None:
    await commit(storage, Changes(users_new=[a_user(1)]))
    await change.change(CHANGE, {"id": user_id(1)})
    login = asyncio.create_task(start(storage, 1))
    async with asyncio.timeout(10):
        while (await change.rows(WAITING))[0][0] == 0:
            assert not login.done()
            await asyncio.sleep(0.01)
    await change.commit()
    assert await login is False
