"""Group commit shares batches among callers, and bounds what waits, in items: of one caller, and of all."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from application.gate import Gate, pipelined, settle
from gateway.application.engine.batch import RunBatch
from gateway.application.engine.fair_queue import FairQueue
from gateway.application.engine.group_commit import GroupCommit, GroupLimits
from gateway.application.engine.submission import Answer, BulkSubmission, CommandSubmission, Failed, Submission
from gateway.application.errors import Overloaded, RateLimited
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.storage import Scheduling, Storage, sequential
from gateway.domain.user import UserId
from support.builders import a_batch, a_bulk_submission, opened, pay, submit, usd
from support.virtual_time import in_virtual_time

FLOODER, OTHER = UserId("usr_flooder"), UserId("usr_other")
BATCH = 16
PARTS = 4 * BATCH
SECONDS_PER_ITEM = 0.001
LIMITS = GroupLimits(batch_size_max=BATCH, waiting_max=10_000, waiting_per_caller_max=10_000)


def single(caller: UserId, key: str) -> CommandSubmission:
    return replace(submit(pay(usd(1)), key), key=AnswerKey(caller, key))


def bulk(caller: UserId, key: str, parts: int = PARTS) -> BulkSubmission:
    of_caller = [single(caller, f"{key}-{n}") for n in range(parts)]
    return replace(a_bulk_submission(*of_caller, atomic=False), key=AnswerKey(caller, key))


def taking_time(run_batch: RunBatch) -> RunBatch:
    """Batches one after the other, each as long as its items take."""
    turn = asyncio.Lock()

    async def run(submissions: Sequence[Submission]) -> list[Answer | Failed]:
        async with turn:
            await asyncio.sleep(SECONDS_PER_ITEM * sum(each.size for each in submissions))
            return await run_batch(submissions)

    return run


async def waits_beside_a_flood(storage: Storage, scheduling: Callable[[], Scheduling], flood: int) -> list[float]:
    """How long single payments wait while another caller floods with bulk submissions, in virtual seconds."""
    await opened(storage, balance=1_000_000)
    loop = asyncio.get_running_loop()
    executor = GroupCommit(taking_time(a_batch(storage).run), LIMITS, scheduling=scheduling)
    flooding = [asyncio.create_task(executor.perform(bulk(FLOODER, f"bulk-{n}"))) for n in range(flood)]
    waits = list[float]()
    while not all(task.done() for task in flooding):
        began = loop.time()
        await executor.perform(single(OTHER, f"single-{len(waits)}"))
        waits.append(loop.time() - began)
        await asyncio.sleep(SECONDS_PER_ITEM)
    answers = await asyncio.gather(*flooding)
    assert all(len(answer.outcome) == PARTS for answer in answers)
    await executor.close()
    return waits


@pytest.mark.parametrize("scheduling", [sequential, pipelined])
def test_a_payment_waits_for_one_bulk_submission_of_another_caller(
    storage: Storage, scheduling: Callable[[], Scheduling]
) -> None:
    waits = in_virtual_time(lambda: waits_beside_a_flood(storage, scheduling, 12))
    one_bulk = PARTS * SECONDS_PER_ITEM
    # The first one meets the flood when nobody else has paid lately: two may be in flight.
    assert waits[0] <= 2.1 * one_bulk
    assert max(waits[1:]) <= 1.1 * one_bulk
    assert len(waits) >= 12


def test_in_one_queue_for_all_callers_a_payment_waits_for_the_whole_flood(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = FairQueue.add
    monkeypatch.setattr(FairQueue, "add", lambda self, _caller, size, entry: add(self, "everybody", size, entry))
    waits = in_virtual_time(lambda: waits_beside_a_flood(storage, sequential, 12))
    assert max(waits) >= 11 * PARTS * SECONDS_PER_ITEM


async def waits_of_bulks(storage: Storage, flood: int) -> list[float]:
    """How long bulk submissions wait, one after the other, while others pay singly all the time."""
    await opened(storage, balance=1_000_000)
    loop = asyncio.get_running_loop()
    executor = GroupCommit(taking_time(a_batch(storage).run), LIMITS, scheduling=pipelined)
    stop = False

    async def pay_on(caller: UserId) -> None:
        number = 0
        while not stop:
            number += 1
            await executor.perform(single(caller, f"single-{number}"))

    paying = [asyncio.create_task(pay_on(UserId(f"usr_{n}"))) for n in range(2 * BATCH)]
    waits = list[float]()
    for number in range(flood):
        began = loop.time()
        await executor.perform(bulk(FLOODER, f"bulk-{number}"))
        waits.append(loop.time() - began)
    stop = True
    await asyncio.gather(*paying)
    await executor.close()
    return waits


def test_single_payments_of_many_callers_do_not_starve_bulk_submissions(storage: Storage) -> None:
    waits = in_virtual_time(lambda: waits_of_bulks(storage, 5))
    batches_max = 16 + 2  # Between two bulk submissions, and those that are in flight.
    assert max(waits) <= (PARTS + batches_max * BATCH) * SECONDS_PER_ITEM


def test_two_bulk_submissions_are_pipelined_while_nobody_else_pays() -> None:
    async def largest_number_in_flight() -> int:
        gate = Gate(answering)
        executor = GroupCommit(gate.run, LIMITS, scheduling=pipelined)
        asked = [asyncio.create_task(executor.perform(bulk(FLOODER, f"bulk-{n}"))) for n in range(4)]
        await settle()
        assert gate.inside == 1
        gate.open(1)
        await settle()
        assert gate.inside == 2
        gate.open()
        await asyncio.gather(*asked)
        await executor.close()
        return gate.inside_max

    assert in_virtual_time(largest_number_in_flight) == 2


async def answering(submissions: Sequence[Submission]) -> list[Answer | Failed]:
    return [Answer(body=b"", outcome=None, refused=False, replayed=False) for _ in submissions]


async def test_one_caller_does_not_fill_the_queue() -> None:
    gate = Gate(answering)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=1, write_connections=1, waiting_per_caller_max=10))
    asked = [asyncio.create_task(executor.perform(single(OTHER, "in-flight")))]
    await settle()
    asked += [asyncio.create_task(executor.perform(single(FLOODER, f"{n}"))) for n in range(4)]
    asked.append(asyncio.create_task(executor.perform(bulk(FLOODER, "bulk", parts=6))))
    await settle()
    with pytest.raises(RateLimited) as refused:
        await executor.perform(single(FLOODER, "eleventh"))
    assert refused.value.facts == {"retry_after_seconds": 1}
    with pytest.raises(RateLimited):
        executor.check_room(FLOODER, 1)
    executor.check_room(OTHER, 10)
    asked.append(asyncio.create_task(executor.perform(single(OTHER, "another-caller"))))
    gate.open()
    await asyncio.gather(*asked)
    executor.check_room(FLOODER, 10)
    await executor.close()


async def test_what_waits_of_all_callers_is_counted_in_items() -> None:
    gate = Gate(answering)
    executor = GroupCommit(gate.run, GroupLimits(batch_size_max=4, write_connections=1, waiting_max=10))
    asked = [asyncio.create_task(executor.perform(single(OTHER, "in-flight")))]
    await settle()
    asked.append(asyncio.create_task(executor.perform(bulk(FLOODER, "bulk", parts=9))))
    await settle()
    executor.check_room(OTHER, 1)
    with pytest.raises(Overloaded):
        await executor.perform(bulk(OTHER, "bulk", parts=2))
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()


async def test_a_submission_larger_than_the_limits_may_wait_alone() -> None:
    gate = Gate(answering)
    limits = GroupLimits(write_connections=1, waiting_max=10, waiting_per_caller_max=5)
    executor = GroupCommit(gate.run, limits)
    asked = [asyncio.create_task(executor.perform(single(OTHER, "in-flight")))]
    await settle()
    asked.append(asyncio.create_task(executor.perform(bulk(FLOODER, "bulk", parts=20))))
    await settle()
    gate.open()
    await asyncio.gather(*asked)
    await executor.close()
