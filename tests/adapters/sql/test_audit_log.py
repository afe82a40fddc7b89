"""The audit log on Postgres: who links the chain keeps nobody waiting who writes."""

import asyncio

from gateway.adapters.sql import SqlLimits, open_sql_storage
from gateway.adapters.sql.audit_log import LOCK
from gateway.adapters.sql.engine import audit_engine
from gateway.application.ports.sessions import StoredToken
from gateway.application.ports.unit_of_work import Changes
from gateway.contracts.audit_log import a_record
from gateway.contracts.records import NOW, a_user, commit, user_id
from gateway.contracts.sessions import session_id, token_hash

SECONDS_MAX = 20.0
"""Longer than a commit takes on any machine, shorter than for ever."""


async def test_transactions_that_write_records_do_not_wait_for_the_linker(postgres_url: str) -> None:
    engine = audit_engine(postgres_url, SqlLimits())
    async with open_sql_storage(postgres_url) as storage, engine.connect() as linker:
        await linker.execute(LOCK)

        async def write() -> None:
            await commit(storage, Changes(audit_new=[a_record(1)], users_new=[a_user(1)]))
            await storage.sessions.start(
                session_id(1),
                user_id(1),
                StoredToken(token_hash=token_hash("1"), expires_at=NOW),
                password_hash=a_user(1).password_hash,
                network="192.0.2.1",
                now=NOW,
                audit=a_record(2),
            )
            await storage.audit_log.append(a_record(3))

        await asyncio.wait_for(write(), SECONDS_MAX)
        await linker.rollback()
        assert await storage.audit_log.link(limit=10) == 3
    await engine.dispose()
