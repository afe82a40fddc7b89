"""Per object, events arrive in order: the next one waits until the one before is delivered, or is a minute old."""

import asyncio
from itertools import pairwise

import pytest

from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.domain.event import Event
from support.virtual_time import in_virtual_time, until
from support.webhook_scene import FAILED, OK, WebhookScene, always, failing_first


def test_events_of_one_object_arrive_one_after_the_other() -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(always(OK, seconds=0.5))
        async with scene.dispatching():
            events = await scene.events([1] * 5)
            await asyncio.sleep(10)
        assert scene.receivers.taken(endpoint) == [event.id for event in events]
        assert scene.receivers.in_flight_max[endpoint.url] == 1
        assert all(later - earlier > 0.499 for earlier, later in pairwise(scene.receivers.times(endpoint)))

    in_virtual_time(run)


def test_events_of_different_objects_do_not_wait_for_one_another() -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(always(OK, seconds=0.5))
        async with scene.dispatching():
            await scene.events([None] * 200)
            await asyncio.sleep(10)
        assert len(scene.receivers.taken(endpoint)) == 200
        assert scene.receivers.in_flight_max[endpoint.url] == DeliveryLimits().sends_per_endpoint_max

    in_virtual_time(run)


def test_the_next_event_waits_while_the_one_before_is_tried_again() -> None:
    """Also an event that is committed while its predecessor waits."""

    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(failing_first(1))
        async with scene.dispatching():
            events = await scene.events([1, 1, 2])
            await asyncio.sleep(1)
            events.append(await scene.event(1))
            await asyncio.sleep(60)
        taken = scene.receivers.taken(endpoint)
        of_one = [event.id for event in events if event.object.id == events[0].object.id]
        assert [event_id for event_id in taken if event_id in of_one] == of_one
        first, second, *_ = (each for each in scene.receivers.of(endpoint) if each.event_id == of_one[1])
        assert first.seconds >= 5, "after the first event was taken"
        assert second.response is OK

    in_virtual_time(run)


def test_the_next_event_waits_for_a_minute_at_most() -> None:
    async def run() -> None:
        scene = WebhookScene()
        stuck: list[str] = []
        endpoint = scene.endpoint(lambda message, _: (FAILED if message.event_id in stuck else OK, 0.0))
        async with scene.dispatching():
            events = await scene.events([1, 1, 1, 2])
            stuck.append(events[0].id)
            await asyncio.sleep(59)
            assert scene.receivers.taken(endpoint) == [events[3].id]
            await asyncio.sleep(2)
            assert scene.receivers.taken(endpoint) == [events[3].id, events[1].id, events[2].id]
            assert scene.receivers.of(endpoint)[-1].seconds == pytest.approx(60, abs=0.5)

    in_virtual_time(run)


def test_two_endpoints_have_an_order_each() -> None:
    async def run() -> None:
        scene = WebhookScene()
        failing, healthy = scene.endpoint(always(FAILED)), scene.endpoint()
        async with scene.dispatching():
            events = await scene.events([1] * 3)
            await asyncio.sleep(1)
        assert scene.receivers.taken(healthy) == [event.id for event in events]
        assert {each.event_id for each in scene.receivers.of(failing)} == {events[0].id}

    in_virtual_time(run)


def test_chance_never_changes_the_order() -> None:
    """A receiver that fails and hangs at random; workers that die; many events of few objects."""

    async def run(seed: int) -> None:
        import random  # noqa: PLC0415 - of this test alone.

        chance = random.Random(seed)  # noqa: S311 - the same seed, the same history.
        limits = DeliveryLimits(
            retry_seconds=(0.5,) * 20,
            order_seconds=3_600.0,
            lease_seconds=3.0,
            window_size=8,
            poll_seconds=0.1,
            turn_seconds=1.0,
        )
        scene = WebhookScene(limits=limits, chance=chance.random)
        endpoint = scene.endpoint(
            lambda _, __: (OK if chance.random() < 0.7 else FAILED, chance.choice([0.0, 0.01, 0.3, 2.0]))
        )
        events: list[Event] = []
        workers = [asyncio.create_task(scene.dispatcher().run(asyncio.Event())) for _ in range(2)]
        for _ in range(40):
            events += await scene.events([chance.randrange(6) + 1 for _ in range(3)])
            await asyncio.sleep(chance.random())
            if chance.random() < 0.2:
                victim = workers.pop(0)
                victim.cancel()
                await asyncio.gather(victim, return_exceptions=True)
                workers.append(asyncio.create_task(scene.dispatcher().run(asyncio.Event())))
        await until(lambda: len(set(scene.receivers.taken(endpoint))) == len(events), seconds_max=3_600)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        firsts = list(dict.fromkeys(scene.receivers.taken(endpoint)))
        for payment in {event.object.id for event in events}:
            in_order = [event.id for event in events if event.object.id == payment]
            assert [id_ for id_ in firsts if id_ in in_order] == in_order
        bodies = {(each.event_id, each.body) for each in scene.receivers.of(endpoint)}
        assert len(bodies) == len(events)

    for seed in range(3):
        in_virtual_time(lambda seed=seed: run(seed))  # type: ignore[misc]
