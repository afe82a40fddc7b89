"""Refusals under overload are spread over time: clients who ask again at once do not keep the processor busy."""

import asyncio
import time

import pytest

from gateway.adapters.http import HttpLimits, refusal_pace
from gateway.adapters.http.refusal_pace import BURST, REFUSALS_PER_SECOND, WAIT_SECONDS_MAX, RefusalPace
from support.api_client import open_world, refused
from support.virtual_time import in_virtual_time


async def waits_of(count: int, pace: RefusalPace) -> list[float]:
    """When each of so many refusals is sent that begin at once, in virtual seconds from now."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def wait() -> float:
        await pace.wait()
        return loop.time() - began

    return await asyncio.gather(*(wait() for _ in range(count)))


def test_refusals_go_at_once_until_there_are_many_and_then_at_a_pace() -> None:
    async def run() -> list[float]:
        pace = RefusalPace()
        await asyncio.sleep(10)
        return await waits_of(BURST + REFUSALS_PER_SECOND, pace)

    waits = in_virtual_time(run)
    assert [wait for wait in waits if wait == 0] == waits[: BURST + 1]
    assert waits[BURST + 1 :] == pytest.approx([(n + 1) / REFUSALS_PER_SECOND for n in range(REFUSALS_PER_SECOND - 1)])


def test_no_refusal_waits_for_longer_than_two_seconds_and_the_pace_is_forgotten() -> None:
    async def run() -> tuple[list[float], list[float]]:
        pace = RefusalPace()
        many = await waits_of(100 * BURST, pace)
        await asyncio.sleep(2)
        return many, await waits_of(BURST, pace)

    many, later = in_virtual_time(run)
    assert max(many) == pytest.approx(WAIT_SECONDS_MAX)
    assert max(later) == 0


async def test_requests_that_are_too_many_are_refused_at_a_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal_pace, "BURST", 0)
    monkeypatch.setattr(refusal_pace, "REFUSALS_PER_SECOND", 10)
    async with open_world(limits=HttpLimits(requests_max=0)) as world:
        api = world.anyone.with_token("any")
        began = time.perf_counter()
        for answer in await asyncio.gather(*(api.get("/accounts") for _ in range(3))):
            refused(answer, 503, "overloaded")
        assert time.perf_counter() - began >= 0.2
        assert (await world.anyone.get("/health/live")).status_code == 200
