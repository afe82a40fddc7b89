"""Fixtures: both executors, and a shop whose books are checked after each test."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from application.bureau import RATE, Bureau, opened_in_euros
from application.shop import Shop
from gateway.adapters.memory import MemoryDatabase, memory_storage
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.batch import RunBatch
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import Executor, OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.ports.storage import Storage
from gateway.application.quotes import Quotes
from gateway.application.verification.verify import verify
from support.builders import (
    StandingClock,
    Watch,
    a_batch,
    opened,
    watched,
)

OpenExecutor = Callable[[RunBatch], AbstractAsyncContextManager[Executor]]


@asynccontextmanager
async def one_by_one(run_batch: RunBatch) -> AsyncGenerator[Executor]:
    executor = OneByOne(run_batch)
    yield executor
    await executor.close()


@asynccontextmanager
async def grouped(run_batch: RunBatch) -> AsyncGenerator[Executor]:
    executor = GroupCommit(run_batch, GroupLimits())
    yield executor
    await executor.close()


@pytest.fixture(params=[one_by_one, grouped], ids=["one by one", "grouped"])
def open_executor(request: pytest.FixtureRequest) -> OpenExecutor:
    """Opens an executor of each kind."""
    opener: OpenExecutor = request.param
    return opener


@pytest.fixture
def storage() -> Storage:
    """An empty memory storage."""
    return memory_storage()


@pytest.fixture
async def shop(storage: Storage, open_executor: OpenExecutor) -> AsyncIterator[Shop]:
    """A shop, whose books are checked in the end, whatever happened."""
    await opened(storage)
    watch, clock = Watch(), StandingClock()
    async with open_executor(a_batch(watched(storage, watch), clock).run) as executor:
        yield Shop(CommandExecutor(executor, time_ordered_id), storage, watch, clock)
    async with storage.audit() as audit:
        findings = await verify(audit)
    assert findings.named == []


@pytest.fixture
async def bureau(open_executor: OpenExecutor) -> AsyncIterator[Bureau]:
    """A bureau, whose books are checked in the end, whatever happened."""
    database = MemoryDatabase()
    storage = memory_storage(database)
    await opened_in_euros(storage)
    await storage.rates.put(RATE)
    watch, clock = Watch(), StandingClock()
    async with open_executor(a_batch(watched(storage, watch), clock).run) as submissions:
        executor = CommandExecutor(submissions, time_ordered_id)
        exchange = Quotes(executor=executor, rates=storage.rates, clock=clock)
        yield Bureau(executor, exchange, storage, database, watch, clock)
    async with storage.audit() as audit:
        assert (await verify(audit)).named == []
