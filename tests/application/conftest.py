"""Both executors, for what they have in common."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from gateway.adapters.memory import memory_storage
from gateway.application.engine.batch import RunBatch
from gateway.application.engine.executor import Executor, OneByOne
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.ports.storage import Storage

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
