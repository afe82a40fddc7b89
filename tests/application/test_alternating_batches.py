"""Group commit with alternating batches."""

import asyncio

from application.gate import Gate, alternating, ask, settle
from gateway.application.engine.group_commit import QUIET_TURNS, GroupCommit, GroupLimits
from gateway.application.engine.submission import Answer
from gateway.application.ports.storage import Storage
from support.builders import a_batch, opened


async def test_an_alternating_batch_begins_when_no_more_submissions_arrive(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(), scheduling=alternating)
    asked: list[asyncio.Task[Answer]] = []
    for n in range(10):
        asked += ask(executor, 2, f"wave-{n}")
        for _ in range(QUIET_TURNS - 1):
            await asyncio.sleep(0)
    assert gate.sizes == []
    await settle()
    assert gate.sizes == [20]
    asked += ask(executor, 30, "while-it-is-under-way")
    await settle()
    assert gate.sizes == [20]
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()
    assert gate.sizes == [20, 30]
    assert gate.inside_max == 1


async def test_a_full_alternating_batch_begins_at_once(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=4), scheduling=alternating)
    asked = ask(executor, 5, "more-than-fit")
    for _ in range(3):
        await asyncio.sleep(0)
    assert gate.sizes == [4]
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()
    assert gate.sizes == [4, 1]


async def test_submissions_that_wait_at_closing_are_not_gathered(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(), scheduling=alternating)
    asked = ask(executor, 2, "under-way")
    await settle()
    asked += ask(executor, 3, "waiting")
    await asyncio.sleep(0)
    closing = asyncio.create_task(executor.close())
    for _ in range(QUIET_TURNS // 2):
        await asyncio.sleep(0)
    assert gate.sizes == [2, 3]
    gate.open()
    await asyncio.gather(*asked, closing)


async def test_submissions_that_are_being_gathered_at_closing_are_answered(storage: Storage) -> None:
    await opened(storage)
    executor = GroupCommit(a_batch(storage).run, GroupLimits(), scheduling=alternating)
    asked = ask(executor, 3, "last")
    await asyncio.sleep(0)
    await executor.close()
    assert all(isinstance(answer, Answer) for answer in await asyncio.gather(*asked))
