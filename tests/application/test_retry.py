"""A unit of work that did not commit is run again, whole, and not for ever."""

import asyncio
import time

import pytest

from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.ports.busy import RecordBusy, StorageBusy
from gateway.application.ports.unit_of_work import KeyBusy, KeyTaken, StorageUnavailable, TryAgain


class Scripted:
    """Raises what its script says, call after call, and then succeeds."""

    def __init__(self, *script: Exception) -> None:
        self.script = list(script)
        self.calls: list[int] = []

    async def __call__(self, number: int) -> int:
        self.calls.append(number)
        await asyncio.sleep(0)
        if self.script:
            raise self.script.pop(0)
        return number


async def test_what_succeeds_is_run_once() -> None:
    run = Scripted()
    assert await retrying(run, RetryLimits())(7) == 7
    assert run.calls == [7]


async def test_it_is_run_again_with_the_same_arguments() -> None:
    run = Scripted(TryAgain(), KeyTaken())
    assert await retrying(run, RetryLimits())(7) == 7
    assert run.calls == [7, 7, 7]


async def test_attempts_are_limited() -> None:
    last = TryAgain("the last one")
    run = Scripted(TryAgain(), TryAgain(), last)
    with pytest.raises(StorageUnavailable) as raised:
        await retrying(run, RetryLimits(attempts_max=3))(7)
    assert len(run.calls) == 3
    assert raised.value.__cause__ is last


async def test_time_is_limited() -> None:
    run = Scripted(*[TryAgain()] * 100)
    with pytest.raises(StorageUnavailable):
        await retrying(run, RetryLimits(attempts_max=100, duration_seconds_max=0))(7)
    assert len(run.calls) == 1


async def test_a_busy_record_is_waited_for_once_more() -> None:
    run = Scripted(RecordBusy())
    assert await retrying(run, RetryLimits())(7) == 7
    run = Scripted(*[RecordBusy()] * 100)
    with pytest.raises(StorageBusy):
        await retrying(run, RetryLimits())(7)
    assert len(run.calls) == 2


@pytest.mark.parametrize("error", [StorageUnavailable(), KeyBusy(), ZeroDivisionError()], ids=repr)
async def test_nothing_else_is_run_again(error: Exception) -> None:
    run = Scripted(error)
    with pytest.raises(type(error)) as raised:
        await retrying(run, RetryLimits())(7)
    assert raised.value is error
    assert run.calls == [7]


async def test_a_taken_key_is_looked_at_again_at_once() -> None:
    run = Scripted(*[KeyTaken()] * 30)
    began = time.monotonic()
    assert await retrying(run, RetryLimits(attempts_max=50))(7) == 7
    assert time.monotonic() - began < 0.5, "it waited between its attempts"


async def test_concurrent_runs_count_their_own_attempts() -> None:
    once, twice, for_ever = Scripted(KeyTaken()), Scripted(KeyTaken(), KeyTaken()), Scripted(*[KeyTaken()] * 100)
    runs = {1: once, 2: twice, 3: for_ever}

    async def run(number: int) -> int:
        return await runs[number](number)

    again = retrying(run, RetryLimits(attempts_max=3))
    first, second, third = await asyncio.gather(again(1), again(2), again(3), return_exceptions=True)
    assert (first, second) == (1, 2)
    assert isinstance(third, StorageUnavailable)
    assert [len(each.calls) for each in runs.values()] == [2, 3, 3]
