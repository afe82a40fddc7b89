"""Group commit with sequential batches: limits, the queue, closing."""

import asyncio
from collections.abc import Sequence

import pytest

from application.gate import Gate, settle
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.errors import Overloaded
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from support.builders import a_batch, balances, opened, pay, submissions, submit, usd


async def test_what_arrives_while_a_batch_commits_shares_the_next_one(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits())
    first = asyncio.create_task(executor.perform(submit(pay(usd(1)), "first")))
    await gate.arrived.wait()
    others = [asyncio.create_task(executor.perform(each)) for each in submissions(*[pay(usd(1)) for _ in range(30)])]
    await settle()
    gate.open()
    await asyncio.gather(first, *others)
    await executor.close()
    assert gate.sizes == [1, 30]
    assert await balances(storage) == (69, 31)


async def test_a_batch_is_no_larger_than_its_limit(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=8))
    asked = [asyncio.create_task(executor.perform(each)) for each in submissions(*[pay(usd(1)) for _ in range(20)])]
    await settle()
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()
    assert gate.sizes == [8, 8, 4]


async def test_answers_come_to_those_who_asked(storage: Storage) -> None:
    await opened(storage)
    executor = GroupCommit(a_batch(storage).run, GroupLimits(batch_size_max=4))
    answers = await asyncio.gather(*map(executor.perform, submissions(*[pay(usd(n)) for n in range(1, 11)])))
    await executor.close()
    assert [answer.outcome.payment.amount for answer in answers] == [usd(n) for n in range(1, 11)]


async def test_a_lone_submission_waits_for_nobody(storage: Storage) -> None:
    await opened(storage)
    executor = GroupCommit(a_batch(storage).run, GroupLimits())
    asked = asyncio.create_task(executor.perform(submit(pay(usd(1)), "key")))
    await settle()
    assert asked.done()
    await executor.close()


async def test_a_full_queue_refuses_and_takes_more_once_there_is_room(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=2, waiting_max=3))
    inside = [asyncio.create_task(executor.perform(submit(pay(usd(1)), f"inside-{n}"))) for n in range(2)]
    await gate.arrived.wait()
    waiting = [asyncio.create_task(executor.perform(submit(pay(usd(1)), f"waiting-{n}"))) for n in range(3)]
    await settle()
    with pytest.raises(Overloaded):
        await executor.perform(submit(pay(usd(1)), "too-many"))
    gate.open()
    await asyncio.gather(*inside, *waiting)
    assert isinstance(await executor.perform(submit(pay(usd(1)), "too-many")), Answer)
    await executor.close()
    assert await balances(storage) == (94, 6)


async def test_closing_answers_what_waits_and_takes_nothing_more_in(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=2))
    asked = [asyncio.create_task(executor.perform(each)) for each in submissions(*[pay(usd(1)) for _ in range(5)])]
    await settle()
    closing = asyncio.create_task(executor.close())
    await settle()
    with pytest.raises(Overloaded):
        await executor.perform(submit(pay(usd(1)), "late"))
    gate.open()
    answers = await asyncio.gather(*asked)
    await closing
    assert all(isinstance(answer, Answer) for answer in answers)
    assert await balances(storage) == (95, 5)


async def test_closing_an_idle_executor_ends_at_once_and_may_be_done_again(storage: Storage) -> None:
    executor = GroupCommit(a_batch(storage).run, GroupLimits(write_connections=3))
    await settle()
    async with asyncio.timeout(10):
        await executor.close()
        await executor.close()
    with pytest.raises(Overloaded):
        await executor.perform(submit(pay(usd(1)), "late"))


async def test_closing_does_not_wait_for_ever(storage: Storage) -> None:
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=2, close_seconds_max=0.01))
    asked = [asyncio.create_task(executor.perform(each)) for each in submissions(*[pay(usd(1)) for _ in range(5)])]
    await settle()
    async with asyncio.timeout(10):
        await executor.close()
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StorageUnavailable] * 5


async def test_storage_that_is_down_answers_everybody_who_waits_with_one_call() -> None:
    calls = 0

    async def down(_: Sequence[Submission]) -> list[Answer | Failed]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise StorageUnavailable

    executor = GroupCommit(down, GroupLimits(batch_size_max=4))
    answers = await asyncio.gather(
        *map(executor.perform, submissions(*[pay(usd(1)) for _ in range(20)])), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [StorageUnavailable] * 20
    assert calls == 1
    with pytest.raises(StorageUnavailable):
        await executor.perform(submit(pay(usd(1)), "the-next-one-asks-again"))
    assert calls == 2
    await executor.close()


async def test_a_submission_whose_caller_is_cancelled_is_decided_all_the_same(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=1))
    first = asyncio.create_task(executor.perform(submit(pay(usd(1)), "first")))
    await gate.arrived.wait()
    gives_up = asyncio.create_task(executor.perform(submit(pay(usd(10)), "gives-up")))
    last = asyncio.create_task(executor.perform(submit(pay(usd(1)), "last")))
    await settle()
    gives_up.cancel()
    gate.open()
    await asyncio.gather(first, last)
    await executor.close()
    assert gives_up.cancelled()
    assert await balances(storage) == (88, 12)
