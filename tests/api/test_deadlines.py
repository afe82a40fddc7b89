"""Deadlines: one timer for all requests works like a timer for each."""

import asyncio
import time

import pytest

from gateway.adapters.http.deadlines import Deadlines

SOON = 0.02
LONG = 30.0


@pytest.fixture
def deadlines() -> Deadlines:
    return Deadlines(sweep_seconds=0.01)


async def test_what_takes_too_long_is_cancelled_where_it_waits(deadlines: Deadlines) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError), deadlines.within(SOON):
        await asyncio.sleep(LONG)
    assert SOON <= time.monotonic() - began < LONG / 10
    await asyncio.sleep(0)  # Nothing of the cancellation is left over.
    assert deadlines.running == set()


async def test_what_is_done_in_time_is_left_alone(deadlines: Deadlines) -> None:
    with deadlines.within(SOON):
        pass
    await asyncio.sleep(5 * SOON)


async def test_a_prolonged_deadline_counts_from_when_it_was_prolonged(deadlines: Deadlines) -> None:
    with deadlines.within(SOON) as deadline:
        deadline.prolong(LONG)
        await asyncio.sleep(5 * SOON)


async def test_each_has_its_own_deadline(deadlines: Deadlines) -> None:
    async def work(seconds: float) -> str:
        try:
            with deadlines.within(seconds):
                await asyncio.sleep(5 * SOON)
        except TimeoutError:
            return "late"
        return "done"

    assert tuple(await asyncio.gather(work(SOON), work(LONG), work(SOON))) == ("late", "done", "late")


async def test_somebody_elses_cancellation_stays_one(deadlines: Deadlines) -> None:
    async def work() -> None:
        with deadlines.within(LONG):
            await asyncio.sleep(LONG)

    task = asyncio.create_task(work())
    await asyncio.sleep(SOON)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_sweeps_again_after_a_pause(deadlines: Deadlines) -> None:
    for _ in range(2):
        with pytest.raises(TimeoutError), deadlines.within(SOON):
            await asyncio.sleep(LONG)
        await asyncio.sleep(5 * SOON)


def test_it_moves_to_another_event_loop(deadlines: Deadlines) -> None:
    async def late() -> None:
        with pytest.raises(TimeoutError), deadlines.within(SOON):
            await asyncio.sleep(LONG)

    for _ in range(2):
        asyncio.run(late())
