"""No endpoint delays another, in virtual time: dead, slow and huge ones beside healthy ones."""

import asyncio
from statistics import quantiles

from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.ports.webhook_sender import WebhookError, WebhookResponse
from gateway.domain.webhook_endpoint import WebhookEndpoint
from support.virtual_time import in_virtual_time
from support.webhook_scene import FAILED, OK, TIMED_OUT, WebhookScene, always

HUGE = WebhookResponse(status=200, error=WebhookError.RESPONSE_TOO_LARGE, retry_after_seconds=None, latency_ms=3_000)
REFUSED = WebhookResponse(status=None, error=WebhookError.CONNECTION_REFUSED, retry_after_seconds=None, latency_ms=0)


async def lags_under_load(scene: WebhookScene, endpoint: WebhookEndpoint, *, seconds: int) -> list[float]:
    """How long each of 300 events a second takes from its commit to its delivery, sorted."""
    committed: dict[str, float] = {}
    for _ in range(seconds * 20):
        for event in await scene.events([None] * 15):
            committed[event.id] = asyncio.get_running_loop().time()
        await asyncio.sleep(0.05)
    await asyncio.sleep(5)
    taken = {each.event_id: each.seconds for each in scene.receivers.of(endpoint) if each.response.success}
    assert committed.keys() <= taken.keys()
    return sorted(taken[event_id] - at for event_id, at in committed.items())


def test_a_healthy_endpoint_beside_a_dead_a_slow_and_a_huge_one() -> None:
    async def run() -> None:
        scene = WebhookScene()
        healthy = scene.endpoint(always(OK, seconds=0.05))
        scene.endpoint(always(REFUSED))
        slow = scene.endpoint(always(TIMED_OUT, seconds=15.0))
        huge = scene.endpoint(always(HUGE, seconds=3.0))
        async with scene.dispatching():
            lags = await lags_under_load(scene, healthy, seconds=5)
        assert quantiles(lags, n=100)[98] < 0.5
        for endpoint in (slow, huge):
            assert 0 < scene.receivers.in_flight_max[endpoint.url] <= DeliveryLimits().sends_per_endpoint_max

    in_virtual_time(run)


def test_a_healthy_endpoint_beside_more_hanging_ones_than_a_worker_has_places_for() -> None:
    async def run() -> None:
        limits = DeliveryLimits(endpoints_max=8)
        scene = WebhookScene(limits=limits)
        hanging = [scene.endpoint(always(TIMED_OUT, seconds=15.0)) for _ in range(3 * limits.endpoints_max)]
        healthy = scene.endpoint(always(OK, seconds=0.05))
        async with scene.dispatching():
            # All of them have hung once.
            await scene.events([None] * 4)
            await asyncio.sleep(200)
            lags = await lags_under_load(scene, healthy, seconds=5)
            await asyncio.sleep(600)
        assert quantiles(lags, n=100)[98] < 0.5
        assert all(scene.receivers.of(endpoint) for endpoint in hanging), "slow endpoints get their turns too"

    in_virtual_time(run)


def test_a_large_backlog_of_one_endpoint_does_not_hold_up_another() -> None:
    """Whether the places of the worker are enough for both or not."""

    async def run(endpoints_max: int) -> None:
        scene = WebhookScene(limits=DeliveryLimits(endpoints_max=endpoints_max, turn_seconds=1.0))
        busy = scene.endpoint(always(OK, seconds=0.2))
        await scene.events([None] * 3_000)
        async with scene.dispatching():
            await asyncio.sleep(2)
            other = scene.endpoint(always(OK, seconds=0.01))
            begun = asyncio.get_running_loop().time()
            await scene.event()
            await asyncio.sleep(6)
            [arrived] = scene.receivers.times(other)
            assert arrived - begun < 3
            await asyncio.sleep(60)
        assert len(scene.receivers.taken(busy)) == 3_001

    for endpoints_max in (2, 32):
        in_virtual_time(lambda endpoints_max=endpoints_max: run(endpoints_max))  # type: ignore[misc]


def test_a_receiver_that_recovers_gets_more_requests_at_once() -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(lambda _, __: (FAILED if asyncio.get_running_loop().time() < 2 else OK, 0.5))
        async with scene.dispatching():
            await scene.events([None] * 400)
            await asyncio.sleep(2)
            at_once = scene.receivers.in_flight_max[endpoint.url]
            await asyncio.sleep(400)
        assert at_once <= 4
        assert scene.receivers.in_flight_max[endpoint.url] == DeliveryLimits().sends_per_endpoint_max
        assert len(scene.receivers.taken(endpoint)) == 400

    in_virtual_time(run)


def test_a_worker_has_few_requests_in_flight() -> None:
    async def run() -> None:
        limits = DeliveryLimits(sends_max=20)
        scene = WebhookScene(limits=limits)
        endpoints = [scene.endpoint(always(OK, seconds=1.0)) for _ in range(5)]
        most = 0
        async with scene.dispatching():
            await scene.events([None] * 100)
            for _ in range(400):
                await asyncio.sleep(0.1)
                most = max(most, sum(scene.receivers.in_flight.values()))
        assert 15 <= most <= limits.sends_max + len(endpoints)
        assert all(len(scene.receivers.taken(endpoint)) == 100 for endpoint in endpoints)

    in_virtual_time(run)
