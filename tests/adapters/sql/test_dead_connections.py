"""Connections that die: silently while they are idle, or at any moment of a batch. Payments are tried again, once."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import text

from gateway.adapters.sql import SqlLimits, open_sql_storage, postgres_connections
from gateway.adapters.sql.asyncpg_transaction import AsyncpgTransaction
from gateway.adapters.sql.engine import audit_engine, postgres_engine
from gateway.adapters.sql.postgres_connections import CHECK_AFTER_IDLE_SECONDS
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.adapters.sql.write_pool import open_write_pool
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.engine.submission import Answer
from gateway.application.ports.reader import PaymentFilter
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import TryAgain
from gateway.application.verification.verify import verify
from support.builders import CUSTOMER_ACCOUNT, a_batch, opened, pay, submit, usd
from support.proxies import Proxy, proxied

SELECT_1 = text("SELECT 1")
PIECES_MAX = 40
"""More than a client sends for one payment, however it is committed."""
COUNT = text("SELECT count(*) FROM payments")
"""All payments: every test has a database of its own."""


@pytest.fixture
async def proxy(postgres_url: str) -> AsyncIterator[Proxy]:
    async with proxied(postgres_url) as proxy:
        yield proxy


async def test_twelve_silently_dropped_connections_the_next_payment_is_answered_within_5_s_with_its_key_once(
    proxy: Proxy,
) -> None:
    limits = SqlLimits(write_pool_size=4, pool_size=6, access_pool_size=2)
    async with open_sql_storage(proxy.url, limits) as storage:
        await opened(storage)
        await use_all_connections(storage, limits)
        assert proxy.connections == 12
        await asyncio.sleep(CHECK_AFTER_IDLE_SECONDS + 0.1)
        proxy.forget()
        began = time.monotonic()
        paid = await paid_under(storage, "key-1")
        assert time.monotonic() - began < 5
        again = await paid_under(storage, "key-1")
        # Nobody meets another one of those that were dropped.
        await use_all_connections(storage, limits)
        assert time.monotonic() - began < 10
    assert not paid.replayed
    assert again.replayed
    assert await payments(proxy) == 1


async def test_connections_that_were_dropped_while_they_were_used_are_found_by_the_first_of_them(proxy: Proxy) -> None:
    async with open_sql_storage(proxy.url) as storage:
        await opened(storage)
    limits = SqlLimits(write_pool_size=4, pool_size=8, command_timeout_seconds=2.0)
    async with open_sql_storage(proxy.url, limits) as storage:
        await use_all_connections(storage, limits)
        proxy.forget()
        async with asyncio.timeout(8):
            # One of each pool waits for its answer. Meanwhile the others have been idle for long.
            await asyncio.gather(storage.reader.check(), paid_under(storage, "key-1"))
            await use_all_connections(storage, limits)
    assert await payments(proxy) == 1


async def test_connections_in_use_are_not_checked(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    # However slow this machine is: nobody is idle for so long.
    monkeypatch.setattr(postgres_connections, "CHECK_AFTER_IDLE_SECONDS", 60.0)
    limits = SqlLimits(write_pool_size=1, pool_size=1)
    async with open_sql_storage(proxy.url, limits) as storage:
        await opened(storage)
        await storage.reader.check()
        await paid_under(storage, "key-1")
        proxy.cut(at=0, after=False)
        await paid_under(storage, "key-2")
        assert proxy.sent <= 2  # The statement; its parameters, if it had to be prepared.
        proxy.cut(at=0, after=False)
        await storage.reader.check()
        assert proxy.sent == 1


@pytest.mark.parametrize("optimistic", [True, False])
@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_that_breaks_at_any_moment_of_a_batch_is_tried_again_and_pays_once(
    proxy: Proxy, *, optimistic: bool, after: bool
) -> None:
    limits = SqlLimits(write_pool_size=2, optimistic=optimistic)
    async with open_sql_storage(proxy.url, limits) as storage:
        await opened(storage)
        was_cut = True
        for piece in range(1, PIECES_MAX):
            proxy.cut(at=piece, after=after)
            await paid_under(storage, f"key-{piece}")
            was_cut = proxy.sent >= piece
            proxy.cut(at=0, after=False)
            assert (await paid_under(storage, f"key-{piece}")).replayed
            assert await payments(proxy) == piece
            if not was_cut:
                break
        assert not was_cut
        async with storage.audit() as audit:
            assert (await verify(audit)).named == []


@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_that_breaks_while_it_is_checked_or_made_is_made_again(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    monkeypatch.setattr(postgres_connections, "CHECK_AFTER_IDLE_SECONDS", 0.0)
    async with open_sql_storage(proxy.url, SqlLimits(write_pool_size=1)) as storage:
        await opened(storage)
        was_cut = True
        for piece in range(1, PIECES_MAX):
            if piece % 2:
                proxy.break_all()
            proxy.cut(at=piece // 2 + 1, after=after)
            await paid_under(storage, f"key-{piece}")
            was_cut = proxy.sent > piece // 2
            proxy.cut(at=0, after=False)
            if not was_cut:
                break
        assert not was_cut


@pytest.mark.parametrize("step", ["begin", "rows", "commit"])
async def test_a_connection_that_dies_while_a_batch_holds_it_is_tried_again(postgres_url: str, step: str) -> None:
    limits = SqlLimits(write_pool_size=1)
    steps: dict[str, Callable[[AsyncpgTransaction], object]] = {
        "begin": lambda transaction: transaction.begin(lock_seconds_max=1),
        "rows": lambda transaction: transaction.rows(SELECT_1),
        "commit": lambda transaction: transaction.commit(),
    }
    async with open_write_pool(postgres_url, limits) as pool:
        async with AsyncpgTransaction(pool, acquire_seconds_max=1) as transaction:
            if step == "commit":
                await transaction.begin(lock_seconds_max=1)
            await terminate_the_others(postgres_url)
            await asyncio.sleep(0.2)  # The pool notices, and takes the connection back.
            with pytest.raises(TryAgain):
                await steps[step](transaction)  # type: ignore[misc]  # Each of them is a coroutine.
        async with AsyncpgTransaction(pool, acquire_seconds_max=1) as transaction:
            assert await transaction.rows(SELECT_1) == [(1,)]


async def test_a_connection_that_dies_after_the_last_statement_takes_nothing_back(postgres_url: str) -> None:
    async with open_write_pool(postgres_url, SqlLimits(write_pool_size=1)) as pool:
        async with AsyncpgTransaction(pool, acquire_seconds_max=1) as transaction:
            assert await transaction.rows(SELECT_1) == [(1,)]
            await terminate_the_others(postgres_url)
            await asyncio.sleep(0.2)
        async with AsyncpgTransaction(pool, acquire_seconds_max=1) as transaction:
            assert await transaction.rows(SELECT_1) == [(1,)]


async def test_what_was_prepared_before_a_columns_type_changed_is_read_again(postgres_url: str) -> None:
    limits = SqlLimits(write_pool_size=1, pool_size=1)
    async with open_sql_storage(postgres_url, limits) as storage:
        await opened(storage)
        await paid_under(storage, "key-1")
        account = await storage.reader.account(CUSTOMER_ACCOUNT)
        await execute(postgres_url, 'ALTER TABLE accounts ALTER COLUMN kind TYPE varchar(40) COLLATE "C"')
        await execute(postgres_url, 'ALTER TABLE answers ALTER COLUMN key TYPE varchar(300) COLLATE "C"')
        assert await storage.reader.account(CUSTOMER_ACCOUNT) == account
        await paid_under(storage, "key-2")


@pytest.mark.parametrize("optimistic", [True, False])
async def test_so_is_what_a_batch_had_prepared(postgres_url: str, *, optimistic: bool) -> None:
    limits = SqlLimits(write_pool_size=1, optimistic=optimistic, cached_max=0)
    async with open_sql_storage(postgres_url, limits) as storage:
        await opened(storage)
        await paid_under(storage, "key-1")
        await execute(postgres_url, 'ALTER TABLE accounts ALTER COLUMN kind TYPE varchar(40) COLLATE "C"')
        await paid_under(storage, "key-2")


async def test_a_database_that_lets_in_slowly_is_waited_for(proxy: Proxy) -> None:
    proxy.accept_after_seconds = 2.5
    limits = SqlLimits(pool_timeout_seconds=0.5, connect_timeout_seconds=20.0)
    async with open_sql_storage(proxy.url, limits) as storage:
        await opened(storage)
        assert await storage.reader.account(CUSTOMER_ACCOUNT)


async def test_a_look_that_is_cancelled_while_a_connection_is_checked_leaves_it_to_others(proxy: Proxy) -> None:
    limits = SqlLimits(write_pool_size=1)
    async with open_write_pool(proxy.url, limits) as pool:
        async with AsyncpgTransaction(pool, acquire_seconds_max=1) as transaction:
            await transaction.rows(SELECT_1)
        await asyncio.sleep(CHECK_AFTER_IDLE_SECONDS + 0.1)
        proxy.forget()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), AsyncpgTransaction(pool, acquire_seconds_max=1):
                pass
        async with AsyncpgTransaction(pool, acquire_seconds_max=1) as transaction:
            assert await transaction.rows(SELECT_1) == [(1,)]


async def paid_under(storage: Storage, key: str) -> Answer:
    """A payment, tried as often as a gateway tries it."""
    [answer] = await retrying(a_batch(storage).run, RetryLimits())([submit(pay(usd(1)), key)])
    assert isinstance(answer, Answer)
    return answer


async def use_all_connections(storage: Storage, limits: SqlLimits) -> None:
    """Have each connection of all pools opened, by using all at the same time."""
    holding = asyncio.Barrier(limits.write_pool_size)

    async def write() -> None:
        async with storage.unit_of_work() as work:
            await holding.wait()
            del work

    async with asyncio.TaskGroup() as tasks:
        for _ in range(limits.write_pool_size):
            tasks.create_task(write())
        for _ in range(limits.pool_size):
            tasks.create_task(storage.reader.payments(PaymentFilter(), before=None, limit=1))
        for _ in range(limits.access_pool_size):
            tasks.create_task(storage.reader.check())


async def terminate_the_others(url: str) -> None:
    await execute(
        url,
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


async def execute(url: str, statement: str) -> None:
    engine = audit_engine(url, SqlLimits())
    async with DatabaseTransaction(engine) as transaction:
        await transaction.change(text(statement))
        await transaction.commit()
    await engine.dispose()


async def payments(proxy: Proxy) -> int:
    """How many payments there are, seen past the storage under test."""
    engine = postgres_engine(proxy.url, SqlLimits())
    async with DatabaseTransaction(engine) as transaction:
        [[count]] = await transaction.rows(COUNT)
    await engine.dispose()
    return int(count)
