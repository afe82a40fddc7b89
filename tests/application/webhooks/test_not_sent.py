"""The gateway has no room to send: that is no failure of the receiver, and the event is sent soon. In virtual time."""

import asyncio

import pytest

from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.events.receiver import PUT_OFF_SECONDS
from gateway.application.ports.delivery_records import DeliveryOutcome
from support.virtual_time import in_virtual_time
from support.webhook_scene import FAILED, OK, WebhookScene, always, failing_first, not_sent_first


def test_what_was_not_sent_is_no_attempt_and_is_sent_soon() -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(not_sent_first(30))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(60)
        [delivery] = await scene.deliveries(endpoint)
        assert delivery.outcome is DeliveryOutcome.DELIVERED
        # There are ten attempts, of which 30 would have used up all.
        assert [attempt.status for attempt in delivery.attempts] == [200]
        [arrived] = scene.receivers.times(endpoint)
        assert arrived == pytest.approx(30 * PUT_OFF_SECONDS, abs=1.0)

    in_virtual_time(run)


def test_an_endpoint_is_not_disabled_for_what_was_not_sent() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=DeliveryLimits(disable_seconds=20.0))
        endpoint = scene.endpoint(not_sent_first(60))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(90)
        assert scene.disabled == []
        assert await scene.outcomes(endpoint) == [DeliveryOutcome.DELIVERED]

    in_virtual_time(run)


def test_attempts_are_counted_from_the_first_that_was_made() -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(not_sent_first(3, failing_first(1, FAILED)))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(60)
        [delivery] = await scene.deliveries(endpoint)
        assert [attempt.status for attempt in delivery.attempts] == [500, 200]
        first, second = scene.receivers.times(endpoint)
        assert second - first == pytest.approx(5.0, abs=0.001)

    in_virtual_time(run)


def test_the_events_of_an_object_stay_in_order() -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(
            lambda message, attempts: not_sent_first(3 if message.event_id == events[0].id else 0)(message, attempts)
        )
        events = await scene.events([7, 7, 7])
        async with scene.dispatching():
            await asyncio.sleep(30)
        assert scene.receivers.taken(endpoint) == [event.id for event in events]

    in_virtual_time(run)


def test_many_events_of_an_endpoint_ask_for_room_a_few_times_a_second() -> None:
    """An endpoint with a backlog waits as a whole: its events do not fail one after another."""

    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(not_sent_first(1_000))
        other = scene.endpoint(always(OK))
        async with scene.dispatching():
            await scene.events([None] * 500)
            await asyncio.sleep(10)
            asked = sum(times for (url, _), times in scene.receivers.attempts.items() if url == endpoint.url)
        sends_max = DeliveryLimits().sends_per_endpoint_max
        assert 5 <= asked <= 12 * sends_max
        assert len(scene.receivers.taken(other)) == 500

    in_virtual_time(run)


def test_what_was_put_off_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def run() -> None:
        scene = WebhookScene()
        scene.endpoint(not_sent_first(3))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(30)

    in_virtual_time(run)
    lines = [vars(each) for each in caplog.records if each.message == "webhooks_delivered"]
    counted = {name: sum(line.get(name, 0) for line in lines) for name in ("put_off", "failed_attempts", "delivered")}
    assert counted == {"put_off": 3, "failed_attempts": 0, "delivered": 1}
