"""The executor where concurrent submissions share a transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from gateway.application.engine.batch import RunBatch
from gateway.application.engine.group_commit import QUIET_TURNS, GroupCommit, GroupLimits
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.errors import Overloaded
from gateway.application.ports.storage import Scheduling, Storage
from gateway.application.ports.unit_of_work import StorageUnavailable
from support.builders import a_batch, a_bundle, balances, opened, pay, submissions, submit, usd


@dataclass(slots=True)
class Gate:
    """Lets batches in one by one, or all at once, and remembers how large they were."""

    run_batch: RunBatch
    sizes: list[int] = field(default_factory=list[int])
    inside: int = 0
    inside_max: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    may_pass: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def run(self, submissions: Sequence[Submission]) -> list[Answer | Failed]:
        self.sizes.append(len(submissions))
        self.inside += 1
        self.inside_max = max(self.inside_max, self.inside)
        self.arrived.set()
        await self.may_pass.acquire()
        self.inside -= 1
        return await self.run_batch(submissions)

    def open(self, batches: int = 1000) -> None:
        for _ in range(batches):
            self.may_pass.release()


def ahead() -> Scheduling:
    return Scheduling.PIPELINED


def by_turns() -> Scheduling:
    return Scheduling.ALTERNATING


def ask(executor: GroupCommit, count: int, name: str) -> list["asyncio.Task[Answer]"]:
    """So many ask at once, each with a key of this name."""
    return [asyncio.create_task(executor.perform(submit(pay(usd(1)), f"{name}-{n}"))) for n in range(count)]


def ask_bundle(executor: GroupCommit, size: int, name: str) -> "asyncio.Task[Answer]":
    """One asks for so much at once."""
    parts = [submit(pay(usd(1)), f"{name}-{n}") for n in range(size)]
    return asyncio.create_task(executor.perform(a_bundle(*parts, atomic=False, key=name)))


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


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


async def test_closing_an_idle_door_ends_at_once_and_may_be_done_again(storage: Storage) -> None:
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


async def test_one_who_gave_up_waiting_is_decided_all_the_same(storage: Storage) -> None:
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


async def test_lanes_run_side_by_side(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=5, write_connections=3), scheduling=ahead)
    asked = [asyncio.create_task(executor.perform(each)) for each in submissions(*[pay(usd(1)) for _ in range(20)])]
    await settle()
    assert gate.inside == 3
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()
    assert gate.inside_max == 3
    assert sum(gate.sizes) == 20
    assert await balances(storage) == (80, 20)


async def test_the_next_batch_begins_ahead_once_it_has_half_the_size_of_the_one_under_way(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(), scheduling=ahead)
    asked = ask(executor, 10, "first")
    await settle()
    asked += ask(executor, 4, "too-few")
    await settle()
    assert gate.sizes == [10]
    asked += ask(executor, 1, "enough")
    await settle()
    assert gate.sizes == [10, 5]
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()
    assert gate.sizes == [10, 5]


async def test_a_bundle_counts_for_all_its_parts(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(), scheduling=ahead)
    asked = [ask_bundle(executor, 10, "under-way")]
    await settle()
    asked += ask(executor, 2, "too-few")
    await settle()
    assert gate.sizes == [1]
    asked.append(ask_bundle(executor, 3, "enough"))
    await settle()
    assert gate.sizes == [1, 3]
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()


async def test_a_full_batch_begins_however_much_is_under_way(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=4), scheduling=ahead)
    asked = [ask_bundle(executor, 40, "under-way")]
    await settle()
    asked += ask(executor, 3, "too-few")
    await settle()
    assert gate.sizes == [1]
    asked += ask(executor, 1, "full")
    await settle()
    assert gate.sizes == [1, 4]
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()


async def test_all_that_is_under_way_counts(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(write_connections=3), scheduling=ahead)
    asked = ask(executor, 10, "first")
    await settle()
    asked += ask(executor, 6, "second")
    await settle()
    asked += ask(executor, 7, "too-few")
    await settle()
    assert gate.sizes == [10, 6]
    asked += ask(executor, 1, "enough")
    await settle()
    assert gate.sizes == [10, 6, 8]
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()


async def test_where_nothing_may_be_decided_ahead_the_next_batch_waits_for_the_end_of_the_one_before(
    storage: Storage,
) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    scheduling = Scheduling.SEQUENTIAL
    executor = GroupCommit(gate.run, GroupLimits(), scheduling=lambda: scheduling)
    asked = ask(executor, 4, "first")
    await settle()
    asked += ask(executor, 40, "second")
    await settle()
    assert gate.sizes == [4]
    gate.open(1)
    await settle()
    assert gate.sizes == [4, 40]
    asked += ask(executor, 20, "third")
    await settle()
    assert gate.sizes == [4, 40]
    scheduling = Scheduling.PIPELINED
    asked += ask(executor, 1, "who-comes-when-it-may")
    await settle()
    assert gate.sizes == [4, 40, 21]
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()


async def test_no_more_are_under_way_than_there_are_lanes(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=4), scheduling=ahead)
    asked = ask(executor, 40, "all")
    await settle()
    assert gate.sizes == [4, 4]
    for _ in range(8):
        gate.open(1)
        await settle()
        assert gate.inside == 2
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()
    assert gate.inside_max == 2
    assert gate.sizes == [4] * 10


async def test_what_was_too_few_begins_when_enough_has_landed(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(), scheduling=ahead)
    asked = ask(executor, 10, "first")
    await settle()
    asked += ask(executor, 6, "second")
    await settle()
    asked += ask(executor, 3, "third")
    await settle()
    assert gate.sizes == [10, 6]
    gate.open(1)
    await settle()
    assert gate.sizes == [10, 6, 3]
    asked += ask(executor, 1, "last")
    gate.open()
    await asyncio.gather(*asked)
    assert gate.sizes == [10, 6, 3, 1]
    await executor.close()


async def test_however_few_wait_they_begin_when_nothing_is_under_way(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(), scheduling=ahead)
    asked = ask(executor, 10, "first")
    await settle()
    asked += ask(executor, 5, "second")
    await settle()
    asked += ask(executor, 1, "last")
    gate.open(1)
    await settle()
    assert gate.sizes == [10, 5], "a batch of one would be too small beside one of five"
    gate.open(1)
    await settle()
    assert gate.sizes == [10, 5, 1]
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()


async def test_a_full_queue_refuses_however_many_are_under_way(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=4, waiting_max=5), scheduling=ahead)
    asked = ask(executor, 4, "first")
    await settle()
    asked += ask(executor, 4, "second")
    await settle()
    asked += ask(executor, 5, "waiting")
    await settle()
    assert gate.sizes == [4, 4]
    with pytest.raises(Overloaded):
        await executor.perform(submit(pay(usd(1)), "too-many"))
    gate.open()
    await asyncio.gather(*asked)
    assert isinstance(await executor.perform(submit(pay(usd(1)), "too-many")), Answer)
    await executor.close()
    assert await balances(storage) == (86, 14)


async def test_closing_while_two_are_under_way_answers_all(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(), scheduling=ahead)
    asked = ask(executor, 10, "first")
    await settle()
    asked += ask(executor, 5, "second")
    await settle()
    asked += ask(executor, 1, "waiting")
    await settle()
    closing = asyncio.create_task(executor.close())
    await settle()
    assert not closing.done()
    gate.open()
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*asked)
        await closing
    assert all(isinstance(answer, Answer) for answer in answers)
    assert gate.sizes == [10, 5, 1]
    assert await balances(storage) == (84, 16)


async def test_storage_that_goes_down_while_two_are_under_way_answers_everybody() -> None:
    gone = asyncio.Event()
    calls = 0

    async def down(_: Sequence[Submission]) -> list[Answer | Failed]:
        nonlocal calls
        calls += 1
        await gone.wait()
        raise StorageUnavailable

    executor = GroupCommit(down, GroupLimits(), scheduling=ahead)
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


async def test_where_processes_take_turns_a_batch_begins_when_nobody_else_comes(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(), scheduling=by_turns)
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


async def test_where_processes_take_turns_a_full_batch_waits_for_nobody(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=4), scheduling=by_turns)
    asked = ask(executor, 5, "more-than-fit")
    for _ in range(3):
        await asyncio.sleep(0)
    assert gate.sizes == [4]
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()
    assert gate.sizes == [4, 1]


async def test_who_waits_when_the_door_closes_has_no_company_to_wait_for(storage: Storage) -> None:
    await opened(storage)
    gate = Gate(a_batch(storage).run)
    executor = GroupCommit(gate.run, GroupLimits(), scheduling=by_turns)
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


async def test_who_waits_for_company_when_the_door_closes_is_answered(storage: Storage) -> None:
    await opened(storage)
    executor = GroupCommit(a_batch(storage).run, GroupLimits(), scheduling=by_turns)
    asked = ask(executor, 3, "last")
    await asyncio.sleep(0)
    await executor.close()
    assert all(isinstance(answer, Answer) for answer in await asyncio.gather(*asked))


@pytest.mark.parametrize("write_connections", [1, 2, 3])
async def test_whoever_asks_is_answered_whatever_the_pace(write_connections: int) -> None:
    """A wake-up that is lost would leave somebody waiting until the next one asks, and the last one for ever."""
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


async def test_the_same_key_in_two_lanes_moves_money_once(storage: Storage) -> None:
    await opened(storage)
    executor = GroupCommit(a_batch(storage).run, GroupLimits(batch_size_max=1, write_connections=4), scheduling=ahead)
    answers = await asyncio.gather(*(executor.perform(submit(pay(usd(10)), "key")) for _ in range(8)))
    await executor.close()
    assert len({answer.body for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert await balances(storage) == (90, 10)
