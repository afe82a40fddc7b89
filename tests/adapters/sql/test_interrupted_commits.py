"""Who may interrupt a commit on Postgres: no caller, but an executor that closes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from gateway.adapters.sql import SqlLimits, open_sql_storage
from gateway.adapters.sql.engine import audit_engine
from gateway.adapters.sql.sqlalchemy_transaction import DatabaseTransaction
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, StorageUnavailable, Wanted
from gateway.contracts.records import an_answer, commit, load
from support.builders import a_batch, balances, opened, pay, submit, usd
from support.slow_commits import in_commit, slow_commits


@pytest.fixture
async def storage(postgres_url: str) -> AsyncIterator[Storage]:
    async with open_sql_storage(postgres_url, SqlLimits(write_pool_size=1)) as opened:
        yield opened


@pytest.fixture
async def somebody_else(postgres_url: str) -> AsyncIterator[DatabaseTransaction]:
    """A transaction of another program."""
    engine = audit_engine(postgres_url, SqlLimits())
    async with DatabaseTransaction(engine) as transaction:
        yield transaction
    await engine.dispose()


@pytest.mark.parametrize("grouped", [True, False])
async def test_a_commit_whose_caller_is_cancelled_is_seen_to_its_end(
    storage: Storage, somebody_else: DatabaseTransaction, *, grouped: bool
) -> None:
    await opened(storage)
    await slow_commits(somebody_else, seconds=0.5)
    run_batch = a_batch(storage).run
    executor = GroupCommit(run_batch, GroupLimits()) if grouped else OneByOne(run_batch)
    paying = asyncio.create_task(executor.perform(submit(pay(usd(40)), "key")))
    await in_commit(somebody_else)
    paying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await paying
    await executor.close()
    assert await balances(storage) == (60, 40)


async def test_an_executor_that_closes_interrupts_a_commit_that_takes_too_long(
    storage: Storage, somebody_else: DatabaseTransaction
) -> None:
    await opened(storage)
    await slow_commits(somebody_else, seconds=30)
    executor = GroupCommit(a_batch(storage).run, GroupLimits(close_seconds_max=0.1))
    paying = asyncio.create_task(executor.perform(submit(pay(usd(40)), "key")))
    await in_commit(somebody_else)
    await executor.close()
    with pytest.raises(StorageUnavailable):
        await paying
    assert await balances(storage) == (100, 0)


async def test_a_commit_that_is_cancelled_has_ended_when_its_unit_of_work_has(
    storage: Storage, somebody_else: DatabaseTransaction
) -> None:
    await slow_commits(somebody_else, seconds=30)
    committing = asyncio.create_task(commit(storage, Changes(answers_new=[an_answer()])))
    backend = await in_commit(somebody_else)
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    state = text("SELECT state FROM pg_stat_activity WHERE pid = :backend")
    assert await somebody_else.rows(state, {"backend": backend}) == [("idle",)]
    assert (await load(storage, Wanted(answers=[an_answer().key]))).answers == ()
