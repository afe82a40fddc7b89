"""Group commit with pipelined batches."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from application.gate import ask, gated, pipelined, settle
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.errors import Overloaded
from gateway.application.ports.storage import Scheduling, Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from support.builders import a_batch, balances, opened, pay, submit, usd


async def test_batches_run_side_by_side(storage: Storage) -> None:
    async with gated(storage, GroupLimits(batch_size_max=5, write_connections=3)) as group:
        await group.ask(20, "all")
        assert group.gate.inside == 3
    assert group.gate.inside_max == 3
    assert sum(group.sizes) == 20
    assert await balances(storage) == (80, 20)


async def test_the_next_batch_begins_once_it_has_half_the_size_of_the_one_in_flight(storage: Storage) -> None:
    async with gated(storage) as group:
        await group.ask(10, "first")
        await group.ask(4, "too-few")
        assert group.sizes == [10]
        await group.ask(1, "enough")
        assert group.sizes == [10, 5]
    assert group.sizes == [10, 5]


async def test_a_bulk_submission_counts_for_all_its_parts(storage: Storage) -> None:
    async with gated(storage) as group:
        await group.ask_bulk(10, "in-flight")
        await group.ask(2, "too-few")
        assert group.sizes == [1]
        await group.ask_bulk(3, "enough")
        assert group.sizes == [1, 3]


async def test_a_full_batch_begins_however_much_is_in_flight(storage: Storage) -> None:
    async with gated(storage, GroupLimits(batch_size_max=4)) as group:
        await group.ask_bulk(40, "in-flight")
        await group.ask(3, "too-few")
        assert group.sizes == [1]
        await group.ask(1, "full")
        assert group.sizes == [1, 4]


async def test_all_batches_in_flight_count(storage: Storage) -> None:
    async with gated(storage, GroupLimits(write_connections=3)) as group:
        await group.ask(10, "first")
        await group.ask(6, "second")
        await group.ask(7, "too-few")
        assert group.sizes == [10, 6]
        await group.ask(1, "enough")
        assert group.sizes == [10, 6, 8]


async def test_where_batches_are_sequential_the_next_one_waits_for_the_end_of_the_running_one(storage: Storage) -> None:
    scheduling = Scheduling.SEQUENTIAL
    async with gated(storage, scheduling=lambda: scheduling) as group:
        await group.ask(4, "first")
        await group.ask(40, "second")
        assert group.sizes == [4]
        await group.let_one_pass()
        assert group.sizes == [4, 40]
        await group.ask(20, "third")
        assert group.sizes == [4, 40]
        scheduling = Scheduling.PIPELINED
        await group.ask(1, "when-batches-are-pipelined")
        assert group.sizes == [4, 40, 21]


async def test_no_more_batches_are_in_flight_than_write_connections(storage: Storage) -> None:
    async with gated(storage, GroupLimits(batch_size_max=4)) as group:
        await group.ask(40, "all")
        assert group.sizes == [4, 4]
        for _ in range(8):
            await group.let_one_pass()
            assert group.gate.inside == 2
    assert group.gate.inside_max == 2
    assert group.sizes == [4] * 10


async def test_what_was_too_few_begins_when_enough_has_committed(storage: Storage) -> None:
    async with gated(storage) as group:
        await group.ask(10, "first")
        await group.ask(6, "second")
        await group.ask(3, "third")
        assert group.sizes == [10, 6]
        await group.let_one_pass()
        assert group.sizes == [10, 6, 3]
        group.asked += ask(group.executor, 1, "last")
    assert group.sizes == [10, 6, 3, 1]


async def test_however_few_wait_they_begin_when_nothing_is_in_flight(storage: Storage) -> None:
    async with gated(storage) as group:
        await group.ask(10, "first")
        await group.ask(5, "second")
        group.asked += ask(group.executor, 1, "last")
        await group.let_one_pass()
        assert group.sizes == [10, 5], "a batch of one would be too small beside one of five"
        await group.let_one_pass()
        assert group.sizes == [10, 5, 1]


async def test_a_full_queue_refuses_however_many_are_in_flight(storage: Storage) -> None:
    async with gated(storage, GroupLimits(batch_size_max=4, waiting_max=5)) as group:
        await group.ask(4, "first")
        await group.ask(4, "second")
        await group.ask(5, "waiting")
        assert group.sizes == [4, 4]
        with pytest.raises(Overloaded):
            await group.executor.perform(submit(pay(usd(1)), "too-many"))
        await group.answers()
        assert isinstance(await group.executor.perform(submit(pay(usd(1)), "too-many")), Answer)
    assert await balances(storage) == (86, 14)


async def test_closing_while_two_are_in_flight_answers_all(storage: Storage) -> None:
    async with gated(storage) as group:
        await group.ask(10, "first")
        await group.ask(5, "second")
        await group.ask(1, "waiting")
        closing = asyncio.create_task(group.executor.close())
        await settle()
        assert not closing.done()
        answers = await group.answers()
        async with asyncio.timeout(30):
            await closing
        assert all(isinstance(answer, Answer) for answer in answers)
    assert group.sizes == [10, 5, 1]
    assert await balances(storage) == (84, 16)


async def test_storage_that_goes_down_while_two_are_in_flight_answers_everybody() -> None:
    gone = asyncio.Event()
    calls = 0

    async def down(_: Sequence[Submission]) -> list[Answer | Failed]:
        nonlocal calls
        calls += 1
        await gone.wait()
        raise StorageUnavailable

    executor = GroupCommit(down, GroupLimits(), scheduling=pipelined)
    asked = ask(executor, 10, "first")
    await settle()
    asked += ask(executor, 5, "second")
    await settle()
    asked += ask(executor, 1, "waiting")
    gone.set()
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StorageUnavailable] * 16
    assert calls == 2
    await executor.close()


@pytest.mark.parametrize("write_connections", [1, 2, 3])
async def test_every_submission_is_answered_at_any_pace(write_connections: int) -> None:
    """If a wake-up were lost, a submission would wait for the next one, and the last one for ever."""
    chance = Random(write_connections)  # noqa: S311 - the same every time.
    in_flight: list[int] = []

    async def run(submissions: Sequence[Submission]) -> list[Answer | Failed]:
        in_flight.append(len(submissions))
        assert len(in_flight) <= write_connections
        assert len(submissions) <= 16
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(chance.choice((0, 0, 0.0002)))
        in_flight.remove(len(submissions))
        return [Answer(body=each.key.key.encode(), outcome=None, refused=False, replayed=False) for each in submissions]

    limits = GroupLimits(batch_size_max=16, write_connections=write_connections)
    executor = GroupCommit(
        run, limits, scheduling=lambda: chance.choice((Scheduling.PIPELINED, Scheduling.PIPELINED, *Scheduling))
    )
    for spree in range(150):
        asked: list[asyncio.Task[Answer]] = []
        for wave in range(chance.randrange(1, 5)):
            asked += ask(executor, chance.randrange(1, 40), f"{spree}-{wave}")
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        # All of a spree are answered before the next one: nobody comes whose wake-up would hide one that was lost.
        async with asyncio.timeout(10):
            answers = await asyncio.gather(*asked)
        assert len({answer.body for answer in answers}) == len(asked)
    await executor.close()
    assert in_flight == []


async def test_the_same_key_in_two_batches_moves_money_once(storage: Storage) -> None:
    await opened(storage)
    executor = GroupCommit(
        a_batch(storage).run, GroupLimits(batch_size_max=1, write_connections=4), scheduling=pipelined
    )
    answers = await asyncio.gather(*(executor.perform(submit(pay(usd(10)), "key")) for _ in range(8)))
    await executor.close()
    assert len({answer.body for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert await balances(storage) == (90, 10)
