"""Workers whose clocks are wrong, in virtual time: what they have planned happens in time when clocks are right."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from gateway.adapters.memory import memory_storage
from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.events.receiver import Receiver
from gateway.application.ports.delivery_records import DeliveryOutcome, Lease
from gateway.application.ports.unit_of_work import StorageUnavailable
from gateway.application.shared_clock import SharedClock
from gateway.contracts.records import NOW, endpoint_id
from support.virtual_time import LoopClock, in_virtual_time
from support.webhook_scene import DAY, FAILED, OK, WebhookScene, always, answering, failing_first


@dataclass
class WrongClock(LoopClock):
    """Ahead of the loop's clock by so many seconds."""

    ahead_seconds: float = 0.0

    def __call__(self) -> datetime:
        return super().__call__() + timedelta(seconds=self.ahead_seconds)


def a_scene(ahead_seconds: float) -> tuple[WebhookScene, WrongClock]:
    clock = WrongClock(ahead_seconds)
    return WebhookScene(clock=clock), clock


async def kill(work: asyncio.Task[None]) -> None:
    """End a worker without a chance to give anything back."""
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


@pytest.mark.parametrize("days", [1, -1])
def test_every_event_arrives_in_time_when_a_worker_was_wrong_by_a_day(days: int) -> None:
    """Its receiver takes a while: when the clock becomes right, some deliveries were made, and not sent."""

    async def run() -> None:
        scene, clock = a_scene(days * DAY)
        endpoint = scene.endpoint(always(OK, seconds=0.3))
        async with scene.dispatching():
            events = [event for _ in range(10) for event in await scene.events([None] * 30)]
            await asyncio.sleep(0.5)
            assert len(scene.receivers.taken(endpoint)) < len(events)
            clock.ahead_seconds = 0.0
            await asyncio.sleep(30)
        assert {*scene.receivers.taken(endpoint)} == {event.id for event in events}
        assert {*await scene.outcomes(endpoint)} == {DeliveryOutcome.DELIVERED}

    in_virtual_time(run)


def test_every_event_arrives_in_time_when_a_worker_a_day_ahead_was_killed() -> None:
    """It held a lease, and had planned deliveries, one of them a retry."""

    async def run() -> None:
        scene, clock = a_scene(DAY)
        endpoint = scene.endpoint(failing_first(1))
        killed = asyncio.create_task(scene.dispatcher().run(asyncio.Event()))
        await asyncio.sleep(0.1)
        event = await scene.event()
        await asyncio.sleep(1)
        assert scene.receivers.times(endpoint) != []
        await kill(killed)
        clock.ahead_seconds = 0.0
        async with scene.dispatching():
            await asyncio.sleep(20)
        assert scene.receivers.taken(endpoint) == [event.id]

    in_virtual_time(run)


def test_a_pause_of_a_worker_a_day_ahead_is_over_when_clocks_are_right() -> None:
    async def run() -> None:
        scene, clock = a_scene(DAY)
        answers = [answering(429, retry_after_seconds=600.0)]
        endpoint = scene.endpoint(lambda _message, _attempts: (answers.pop() if answers else OK, 0.0))
        async with scene.dispatching():
            await asyncio.sleep(0.1)
            first = await scene.event()
            await asyncio.sleep(1)
        clock.ahead_seconds = 0.0
        async with scene.dispatching():
            second = await scene.event()
            await asyncio.sleep(20)
            assert scene.receivers.taken(endpoint) == [second.id]
            # Its own wait is the one that the receiver has asked for.
            await asyncio.sleep(600)
        assert scene.receivers.taken(endpoint) == [second.id, first.id]

    in_virtual_time(run)


def test_workers_that_ask_the_storage_for_the_time_keep_the_schedule_although_their_clocks_differ() -> None:
    """By their own clocks, each would take the retries of the other for overdue, or for void."""

    async def run() -> None:
        scene, right = a_scene(0.0)
        scene.storage = replace(scene.storage, time=None)
        endpoint = scene.endpoint(always(FAILED))

        async def ask() -> datetime:
            return right()

        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        workers: list[asyncio.Task[None]] = []
        for ahead in (DAY, -DAY):
            scene.clock = SharedClock(ask, WrongClock(ahead), loop.time)  # type: ignore[assignment]  # any clock does.
            workers.append(asyncio.create_task(scene.dispatcher().run(stop)))
        await asyncio.sleep(1)
        scene.clock = right
        await scene.event()
        await asyncio.sleep(2_200)
        stop.set()
        await asyncio.gather(*workers)
        times = scene.receivers.times(endpoint)
        assert [round(time - times[0]) for time in times] == [0, 5, 305, 2_105]

    in_virtual_time(run)


def test_a_worker_whose_machine_was_suspended_for_an_hour_plans_nothing_anew() -> None:
    """Its clock stood still, and would take all plans for those of a clock that was ahead."""

    async def run() -> None:
        scene, right = a_scene(0.0)
        endpoint = scene.endpoint(always(FAILED))

        async def ask() -> datetime:
            return right()

        loop = asyncio.get_running_loop()
        suspended_seconds = 0.0
        scene.clock = SharedClock(ask, right, lambda: loop.time() - suspended_seconds)  # type: ignore[assignment]  # as above.
        dispatcher = scene.dispatcher()
        scene.clock = right
        async with scene.dispatching(dispatcher):
            await scene.event()
            for _ in range(20):
                await asyncio.sleep(7)
                suspended_seconds += 3_600
            await asyncio.sleep(2_200)
        times = scene.receivers.times(endpoint)
        assert [round(time - times[0]) for time in times] == [0, 5, 305, 2_105]

    in_virtual_time(run)


def test_a_dispatcher_plans_nothing_before_it_knows_the_time() -> None:
    async def run() -> None:
        scene, _ = a_scene(0.0)
        endpoint = scene.endpoint()
        answers: list[datetime] = []

        async def ask() -> datetime:
            if not answers:
                raise StorageUnavailable("The storage is away.")
            return answers[0]

        loop_time = asyncio.get_running_loop().time
        right, scene.clock = scene.clock, SharedClock(ask, WrongClock(DAY), loop_time)  # type: ignore[assignment]  # as above.
        dispatcher = scene.dispatcher()
        scene.clock = right
        async with scene.dispatching(dispatcher):
            event = await scene.event()
            await asyncio.sleep(10)
            assert scene.receivers.taken(endpoint) == []
            answers.append(right())
            await asyncio.sleep(5)
            assert scene.receivers.taken(endpoint) == [event.id]
        [delivery] = await scene.deliveries(endpoint)
        assert abs(delivery.created_at - right()) < timedelta(seconds=10)

    in_virtual_time(run)


def test_a_dispatcher_that_never_learns_the_time_stops_when_it_is_told_to() -> None:
    async def run() -> None:
        async def ask() -> datetime:
            raise StorageUnavailable("The storage is away.")

        scene, _ = a_scene(0.0)
        scene.clock = SharedClock(ask, LoopClock())  # type: ignore[assignment]  # as above.
        async with asyncio.timeout(5), scene.dispatching():
            await asyncio.sleep(1)

    in_virtual_time(run)


def test_a_failure_that_was_noted_by_a_clock_a_day_ahead_counts_from_now_on() -> None:
    """Otherwise the endpoint would be disabled a day late, and not be spared meanwhile."""
    lease = Lease(endpoint_id=endpoint_id(1), failing_since=NOW + timedelta(days=1), is_slow=False)
    receiver = Receiver(lease, DeliveryLimits())
    receiver.failed(FAILED, NOW)
    assert receiver.state.failing_since == NOW


def test_memory_tells_no_time() -> None:
    """Its process has one clock."""
    assert memory_storage().time is None
