"""The row in which the units of work of a storage go: whose turn it is, and what is under way."""

import asyncio

import pytest

from gateway.adapters.sql.pipeline import Pipeline, was_committed


async def a_turn_later() -> None:
    """Let the event loop go round often enough for whoever is next."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_at_a_time_has_its_turn_in_the_order_in_which_they_came() -> None:
    pipeline = Pipeline()
    came: list[int] = []

    async def come(number: int) -> None:
        await pipeline.enter()
        came.append(number)

    tasks = [asyncio.create_task(come(number)) for number in range(3)]
    for turns in (1, 2, 3):
        await a_turn_later()
        assert came == list(range(turns))
        pipeline.leave()
    await asyncio.gather(*tasks)


async def test_what_has_taken_off_is_under_way_until_it_has_landed() -> None:
    pipeline = Pipeline()
    await pipeline.enter()
    assert pipeline.in_flight is None
    in_flight = pipeline.begin_commit()
    await pipeline.enter()
    assert pipeline.in_flight is in_flight
    pipeline.leave()
    in_flight.set_result(True)
    assert pipeline.in_flight is None


async def test_whoever_leaves_without_taking_off_leaves_what_is_under_way_as_it_is() -> None:
    pipeline = Pipeline()
    await pipeline.enter()
    in_flight = pipeline.begin_commit()
    for _ in range(2):
        await pipeline.enter()
        assert pipeline.in_flight is in_flight
        pipeline.leave()
    in_flight.set_result(False)


async def test_what_is_started_on_taking_off_comes_before_the_next_one() -> None:
    pipeline = Pipeline()
    came: list[str] = []

    async def come() -> None:
        await pipeline.enter()
        came.append("the next one")

    async def send() -> None:
        came.append("the statement")

    await pipeline.enter()
    following = asyncio.create_task(come())
    await a_turn_later()
    in_flight = pipeline.begin_commit()
    await asyncio.create_task(send())
    await following
    assert came == ["the statement", "the next one"]
    in_flight.set_result(True)


async def test_whoever_gives_up_waiting_for_a_turn_is_passed_over() -> None:
    pipeline = Pipeline()
    await pipeline.enter()
    second, third = (asyncio.create_task(pipeline.enter()) for _ in range(2))
    await a_turn_later()
    pipeline.leave()
    second.cancel()  # In the very moment in which its turn has come.
    async with asyncio.timeout(10):
        await third
    assert second.cancelled()


@pytest.mark.parametrize("committed", [True, False])
async def test_whoever_gives_up_waiting_for_the_one_before_leaves_it_alone(*, committed: bool) -> None:
    pipeline = Pipeline()
    await pipeline.enter()
    in_flight = pipeline.begin_commit()
    gives_up, stays = (asyncio.create_task(was_committed(in_flight)) for _ in range(2))
    await a_turn_later()
    gives_up.cancel()
    await a_turn_later()
    assert pipeline.in_flight is in_flight
    in_flight.set_result(committed)
    assert await stays is committed
    assert gives_up.cancelled()
