"""Group commit with alternating batches."""

import asyncio

from application.gate import alternating, ask, gated, settle
from gateway.application.engine.group_commit import QUIET_TURNS, GroupCommit, GroupLimits
from gateway.application.engine.submission import Answer
from gateway.application.ports.storage import Storage
from support.builders import a_batch, opened


async def test_an_alternating_batch_begins_when_no_more_submissions_arrive(storage: Storage) -> None:
    async with gated(storage, scheduling=alternating) as group:
        for n in range(10):
            group.asked += ask(group.executor, 2, f"wave-{n}")
            await turns(QUIET_TURNS - 1)
        assert group.sizes == []
        await settle()
        assert group.sizes == [20]
        await group.ask(30, "while-it-is-in-flight")
        assert group.sizes == [20]
    assert group.sizes == [20, 30]
    assert group.gate.inside_max == 1


async def test_a_full_alternating_batch_begins_at_once(storage: Storage) -> None:
    async with gated(storage, GroupLimits(batch_size_max=4), scheduling=alternating) as group:
        group.asked += ask(group.executor, 5, "more-than-fit")
        await turns(3)
        assert group.sizes == [4]
    assert group.sizes == [4, 1]


async def test_submissions_that_wait_at_closing_are_not_gathered(storage: Storage) -> None:
    async with gated(storage, scheduling=alternating) as group:
        await group.ask(2, "in-flight")
        group.asked += ask(group.executor, 3, "waiting")
        await turns(1)
        closing = asyncio.create_task(group.executor.close())
        await turns(QUIET_TURNS // 2)
        assert group.sizes == [2, 3]
        await group.answers()
        await closing


async def test_submissions_that_are_being_gathered_at_closing_are_answered(storage: Storage) -> None:
    await opened(storage)
    executor = GroupCommit(a_batch(storage).run, GroupLimits(), scheduling=alternating)
    asked = ask(executor, 3, "last")
    await turns(1)
    await executor.close()
    assert all(isinstance(answer, Answer) for answer in await asyncio.gather(*asked))


async def turns(count: int) -> None:
    """Let the event loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)
