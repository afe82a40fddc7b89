"""What every executor promises, whether or not it groups."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from application.conftest import OpenExecutor
from gateway import PaymentResult
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.errors import Overloaded
from gateway.application.ports.busy import RecordBusy, StorageBusy
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Changes, KeyBusy, StorageUnavailable, TryAgain
from gateway.domain.errors import IdempotencyInProgress, InsufficientFunds
from support.builders import Fault, Watch, a_batch, balances, opened, pay, submissions, submit, usd, watched
from support.commands import BrokenCodec, BrokenDecide, BrokenDecision, BrokenWrite, BugError, refusing_poison

EAGER = RetryLimits(attempts_max=3, duration_seconds_max=60)
LOST = Fault(before=TryAgain())
ANSWER_LOST = Fault(after=TryAgain())


async def ask(run: Sequence[asyncio.Task[Answer]]) -> list[Answer | BaseException]:
    return list(await asyncio.gather(*run, return_exceptions=True))


async def test_an_answer_is_given(storage: Storage, open_executor: OpenExecutor) -> None:
    await opened(storage)
    async with open_executor(a_batch(storage).run) as executor:
        answer = await executor.perform(submit(pay(usd(40)), "key"))
    assert isinstance(answer.outcome, PaymentResult)
    assert await balances(storage) == (60, 40)


async def test_a_refused_command_leaves_the_others_alone(storage: Storage, open_executor: OpenExecutor) -> None:
    await opened(storage, balance=100)
    async with open_executor(a_batch(storage).run) as executor:
        answers = await asyncio.gather(*map(executor.perform, submissions(pay(usd(60)), pay(usd(41)), pay(usd(40)))))
    assert [type(answer.outcome) for answer in answers] == [PaymentResult, InsufficientFunds, PaymentResult]
    assert await balances(storage) == (0, 100)


@pytest.mark.parametrize("broken", [BrokenDecide(), BrokenDecision(), BrokenWrite()], ids=lambda it: type(it).__name__)
async def test_a_bug_fails_alone(
    storage: Storage, open_executor: OpenExecutor, broken: BrokenDecide | BrokenDecision | BrokenWrite
) -> None:
    await opened(storage)
    batch = a_batch(watched(storage, Watch(before_commit=refusing_poison)))
    async with open_executor(retrying(batch.run, EAGER)) as executor:
        first, bug, last = await asyncio.gather(
            *map(executor.perform, submissions(pay(usd(10)), broken, pay(usd(10)))), return_exceptions=True
        )
        assert isinstance(await executor.perform(submit(pay(usd(10)), "after")), Answer)
    assert isinstance(bug, AttributeError if isinstance(broken, BrokenDecision) else BugError)
    assert isinstance(first, Answer)
    assert isinstance(last, Answer)
    assert await balances(storage) == (70, 30)


async def test_a_busy_key_is_refused_alone(storage: Storage, open_executor: OpenExecutor) -> None:
    await opened(storage)

    def busy(changes: Changes) -> None:
        if any(answer.key.key == "busy" for answer in changes.answers_new):
            raise KeyBusy

    batch = a_batch(watched(storage, Watch(before_commit=busy)))
    async with open_executor(retrying(batch.run, EAGER)) as executor:
        first, refused, last = await asyncio.gather(
            *map(executor.perform, [submit(pay(usd(10)), key) for key in ("a", "busy", "b")])
        )
    assert isinstance(refused.outcome, IdempotencyInProgress)
    assert b"idempotency_in_progress" in refused.body
    assert isinstance(first.outcome, PaymentResult)
    assert isinstance(last.outcome, PaymentResult)
    assert await balances(storage) == (80, 20)


async def test_a_busy_record_fails_alone(storage: Storage, open_executor: OpenExecutor) -> None:
    await opened(storage)

    def busy(changes: Changes) -> None:
        if any(answer.key.key == "busy" for answer in changes.answers_new):
            raise RecordBusy

    batch = a_batch(watched(storage, Watch(before_commit=busy)))
    async with open_executor(retrying(batch.run, EAGER)) as executor:
        asked = [submit(pay(usd(10)), key) for key in ("a", "busy", "b")]
        first, failed, last = await asyncio.gather(*map(executor.perform, asked), return_exceptions=True)
    assert type(failed) is StorageBusy
    assert isinstance(first, Answer)
    assert isinstance(last, Answer)
    assert await balances(storage) == (80, 20)


async def test_a_busy_key_whose_refusal_cannot_be_told_fails_alone(
    storage: Storage, open_executor: OpenExecutor
) -> None:
    async def always_busy(submissions: Sequence[Submission]) -> list[Answer | Failed]:
        if any(each.key.key == "busy" for each in submissions):
            raise KeyBusy
        return await a_batch(storage).run(submissions)

    asked = submit(pay(usd(10)), "busy")
    unspeakable = replace(asked, codec=BrokenCodec())
    async with open_executor(always_busy) as executor, asyncio.timeout(10):
        with pytest.raises(BugError):
            await executor.perform(unspeakable)
        assert isinstance(await executor.perform(submit(pay(usd(10)), "after")), Answer)


@pytest.mark.parametrize("fault", [LOST, ANSWER_LOST], ids=["before", "after"])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_commit_that_was_lost_is_run_again_and_money_moves_once(
    storage: Storage, open_executor: OpenExecutor, fault: Fault, times: int
) -> None:
    await opened(storage)
    watch = Watch()
    watch.spoil([fault] * times)
    async with open_executor(retrying(a_batch(watched(storage, watch)).run, EAGER)) as executor:
        answer = await executor.perform(submit(pay(usd(40)), "key"))
    assert b'"status":"captured"' in answer.body
    assert await balances(storage) == (60, 40)
    assert len(watch.loads) == (1 + times if fault is LOST else 2), "it was not run again as a whole"


async def test_a_lost_answer_is_given_again_to_everyone_in_the_batch(
    storage: Storage, open_executor: OpenExecutor
) -> None:
    await opened(storage)
    watch = Watch()
    watch.spoil([ANSWER_LOST])
    async with open_executor(retrying(a_batch(watched(storage, watch)).run, EAGER)) as executor:
        answers = await asyncio.gather(*map(executor.perform, submissions(*[pay(usd(1)) for _ in range(20)])))
    assert len({answer.body for answer in answers}) == 20
    assert all(b'"status":"captured"' in answer.body for answer in answers)
    assert await balances(storage) == (80, 20)


async def test_after_the_last_attempt_the_storage_is_unavailable(storage: Storage, open_executor: OpenExecutor) -> None:
    await opened(storage)
    watch = Watch()
    watch.spoil([LOST] * EAGER.attempts_max)
    async with open_executor(retrying(a_batch(watched(storage, watch)).run, EAGER)) as executor:
        with pytest.raises(StorageUnavailable):
            await executor.perform(submit(pay(usd(40)), "key"))
        assert len(watch.commits) == EAGER.attempts_max
        assert await balances(storage) == (100, 0)
        await executor.perform(submit(pay(usd(40)), "key"))
    assert await balances(storage) == (60, 40)


async def test_storage_that_is_down_is_told_at_once(open_executor: OpenExecutor) -> None:
    calls = 0

    async def down(_: Sequence[Submission]) -> list[Answer | Failed]:
        nonlocal calls
        calls += 1
        raise StorageUnavailable

    async with open_executor(retrying(down, EAGER)) as executor:
        with pytest.raises(StorageUnavailable):
            await executor.perform(submit(pay(usd(1)), "key"))
    assert calls == 1


async def test_an_asker_who_goes_away_takes_nobody_down(storage: Storage, open_executor: OpenExecutor) -> None:
    await opened(storage)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(submissions: Sequence[Submission]) -> list[Answer | Failed]:
        inside.set()
        await go_on.wait()
        return await a_batch(storage).run(submissions)

    async with open_executor(slow) as executor:
        stays = asyncio.create_task(executor.perform(submit(pay(usd(10)), "stays")))
        leaves = asyncio.create_task(executor.perform(submit(pay(usd(10)), "leaves")))
        await inside.wait()
        leaves.cancel()
        with suppress(asyncio.CancelledError):
            await leaves
        assert leaves.cancelled()
        go_on.set()
        assert isinstance(await stays, Answer)
        replayed = await executor.perform(submit(pay(usd(10)), "leaves"))
    assert replayed.replayed, "what the one who left had asked was not decided"
    assert await balances(storage) == (80, 20)


async def test_closing_sees_what_runs_to_its_end_and_takes_nothing_more(
    storage: Storage, open_executor: OpenExecutor
) -> None:
    await opened(storage)
    async with open_executor(a_batch(storage).run) as executor:
        asker = asyncio.create_task(executor.perform(submit(pay(usd(40)), "key")))
        await asyncio.sleep(0)
        asker.cancel()
        await executor.close()
        assert await balances(storage) == (60, 40)
        with pytest.raises(Overloaded):
            await executor.perform(submit(pay(usd(1)), "late"))
