"""When deliveries are attempted, in virtual time: to the second, over days."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from gateway.application.events.delivery_limits import RETRY_SECONDS, DeliveryLimits
from gateway.application.ports.delivery_records import DeliveryOutcome
from gateway.application.ports.webhook_sender import WebhookResponse
from gateway.domain.webhook_endpoint import DisabledReason
from support.virtual_time import in_virtual_time
from support.webhook_scene import (
    DAY,
    FAILED,
    OK,
    TIMED_OUT,
    WebhookScene,
    always,
    answering,
    failing_first,
)

LONG_POLLS = DeliveryLimits(poll_seconds=600.0, sweep_seconds=600.0, lease_seconds=3_600.0, report_seconds=600.0)
"""Days pass quickly. When deliveries are due does not depend on polling."""


def gaps_of(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_ten_attempts_at_the_times_of_the_schedule() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint(always(FAILED))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(4 * DAY)
        assert gaps_of(scene.receivers.times(endpoint)) == pytest.approx(RETRY_SECONDS, abs=0.001)
        [delivery] = await scene.deliveries(endpoint)
        assert delivery.outcome is DeliveryOutcome.FAILED
        assert [attempt.status for attempt in delivery.attempts] == [500] * 10
        assert delivery.due_at is None
        assert delivery.ended_at == delivery.attempts[-1].at

    in_virtual_time(run)


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.9), (0.25, 0.95), (0.999_999, 1.1)])
def test_times_between_attempts_vary_by_a_tenth(chance: float, share: float) -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS, chance=lambda: chance)
        endpoint = scene.endpoint(always(FAILED))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(4 * DAY)
        expected = [seconds * share for seconds in RETRY_SECONDS]
        assert gaps_of(scene.receivers.times(endpoint)) == pytest.approx(expected, rel=1e-5)

    in_virtual_time(run)


def test_a_time_counts_from_the_end_of_an_attempt() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint(lambda _, attempts: (OK, 0.0) if attempts else (TIMED_OUT, 15.0))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(60)
        assert gaps_of(scene.receivers.times(endpoint)) == pytest.approx([20.0], abs=0.001)
        [delivery] = await scene.deliveries(endpoint)
        assert [(attempt.status, attempt.error) for attempt in delivery.attempts] == [(None, "timeout"), (200, None)]
        assert delivery.attempts[0].latency_ms == 15_000

    in_virtual_time(run)


def test_the_first_success_ends_a_delivery() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint(failing_first(2))
        async with scene.dispatching():
            event = await scene.event()
            await asyncio.sleep(4 * DAY)
        received = scene.receivers.of(endpoint)
        assert [each.response.status for each in received] == [500, 500, 200]
        assert {each.event_id for each in received} == {event.id}
        assert len({each.body for each in received}) == 1
        assert await scene.outcomes(endpoint) == [DeliveryOutcome.DELIVERED]

    in_virtual_time(run)


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500])
def test_the_receiver_is_heard_when_it_asks_to_wait(status: int) -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint(failing_first(1, answering(status, retry_after_seconds=90)))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(300)
        assert gaps_of(scene.receivers.times(endpoint)) == pytest.approx([90.0], abs=0.001)

    in_virtual_time(run)


def test_a_shorter_wait_than_that_of_the_schedule_changes_nothing() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint(failing_first(1, answering(503, retry_after_seconds=1)))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(60)
        assert gaps_of(scene.receivers.times(endpoint)) == pytest.approx([5.0], abs=0.001)

    in_virtual_time(run)


def test_nobody_may_ask_for_more_than_a_day() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint(failing_first(1, answering(503, retry_after_seconds=10 * DAY)))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(2 * DAY)
        assert gaps_of(scene.receivers.times(endpoint)) == pytest.approx([DAY], abs=0.001)

    in_virtual_time(run)


@pytest.mark.parametrize(
    ("response", "pause"),
    [
        (answering(429), 5.0),
        (answering(502), 5.0),
        (answering(504), 5.0),
        (answering(429, retry_after_seconds=30), 30.0),
        (answering(500), 0.0),
    ],
)
def test_an_overloaded_receiver_gets_nothing_for_a_while(response: WebhookResponse, pause: float) -> None:
    async def run() -> None:
        scene = WebhookScene(limits=replace(LONG_POLLS, poll_seconds=0.1, sends_per_endpoint_max=1))
        endpoint = scene.endpoint()
        scene.receivers.behaviours[endpoint.url] = lambda _, __: (
            (response, 0.0) if len(scene.receivers.received) == 0 else (OK, 0.0)
        )
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(1.0)
            await scene.event()
            await asyncio.sleep(60)
        first, *others = scene.receivers.times(endpoint)
        assert min(others) - first == pytest.approx(max(pause, 1.0), abs=0.2)

    in_virtual_time(run)


def test_a_receiver_that_refuses_some_of_many_requests_is_not_paused() -> None:
    """It answers 429 to 5 % of the requests, each of which takes 20 ms; an event that it refused waits as it asks."""

    async def run() -> None:
        chance = Random(7)  # noqa: S311 - repeatable.
        refused = answering(429, retry_after_seconds=10)
        scene = WebhookScene(limits=replace(LONG_POLLS, order_seconds=DAY))
        endpoint = scene.endpoint(lambda _, __: (refused if chance.random() < 0.05 else OK, 0.02))
        async with scene.dispatching():
            began = asyncio.get_running_loop().time()
            events = await scene.events([number % 1_000 for number in range(4_000)])
            await asyncio.sleep(15)
            assert len(scene.receivers.taken(endpoint)) / (asyncio.get_running_loop().time() - began) > 200
            await asyncio.sleep(DAY)
            first = {each.event_id: each for each in reversed(scene.receivers.of(endpoint))}
            for each in scene.receivers.of(endpoint):
                if each is not first[each.event_id]:
                    assert each.seconds - first[each.event_id].seconds >= 10
        places = {event_id: place for place, event_id in enumerate(scene.receivers.taken(endpoint))}
        assert len(places) == 4_000
        for object_id in {event.object.id for event in events}:
            of_object = [places[event.id] for event in events if event.object.id == object_id]
            assert of_object == sorted(of_object), "in the order in which they happened"

    in_virtual_time(run)


def test_a_receiver_that_refuses_everything_gets_a_few_requests_a_minute() -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(always(answering(429, retry_after_seconds=60)))
        async with scene.dispatching():
            await scene.events([None] * 100)
            await asyncio.sleep(600)
        assert 10 <= len(scene.receivers.of(endpoint)) <= 20

    in_virtual_time(run)


def test_410_disables_an_endpoint_at_once() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=replace(LONG_POLLS, sends_per_endpoint_max=1))
        endpoint, other = scene.endpoint(always(answering(410))), scene.endpoint()
        async with scene.dispatching():
            await scene.events([None] * 5)
            await asyncio.sleep(1)
            assert [(id_, reason) for _, id_, reason in scene.disabled] == [(endpoint.id, DisabledReason.GONE)]
            assert await scene.outcomes(endpoint) == [DeliveryOutcome.CANCELED] * 5
            await scene.event()
            await asyncio.sleep(DAY)
        assert len(scene.receivers.of(endpoint)) == 1
        assert len(scene.receivers.of(other)) == 6

    in_virtual_time(run)


def test_an_endpoint_without_success_for_five_days_is_disabled() -> None:
    """To the second: an attempt a second before is one more failure, an attempt at the end of the time is the last."""

    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint(always(FAILED))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(1)
            first = scene.receivers.times(endpoint)[0]
            await asyncio.sleep(first + 5 * DAY - 1 - asyncio.get_running_loop().time())
            await scene.event()
            await asyncio.sleep(0.5)
            assert not scene.disabled
            assert (await scene.deliveries(endpoint))[-1].attempts
            await asyncio.sleep(10)
            [(seconds, endpoint_id, reason)] = scene.disabled
            assert (endpoint_id, reason) == (endpoint.id, DisabledReason.FAILING)
            # The second attempt of the second delivery, five seconds after its first.
            assert seconds - first == pytest.approx(5 * DAY + 4, abs=0.5)
        assert await scene.outcomes(endpoint) == [DeliveryOutcome.FAILED, DeliveryOutcome.CANCELED]

    in_virtual_time(run)


def test_a_success_begins_the_five_days_anew() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        succeeds_at = 4 * DAY
        endpoint = scene.endpoint(
            lambda _, __: (OK if abs(asyncio.get_running_loop().time() - succeeds_at) < 1 else FAILED, 0.0)
        )
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(succeeds_at)
            await scene.event()
            await asyncio.sleep(1.5 * DAY)
            await scene.event()
            await asyncio.sleep(DAY)
        assert not scene.disabled
        assert len(scene.receivers.taken(endpoint)) == 1

    in_virtual_time(run)


def test_an_endpoint_that_is_enabled_again_has_five_days_again() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint(always(FAILED))
        async with scene.dispatching():
            for day in range(6):
                await scene.event()
                await asyncio.sleep((day + 1) * DAY - asyncio.get_running_loop().time())
            assert [reason for _, _, reason in scene.disabled] == [DisabledReason.FAILING]
            enabled_at = asyncio.get_running_loop().time()
            scene.put(replace(endpoint, disabled_reason=None, updated_at=scene.clock()))
            await failing_for(scene, 6 * DAY)
        [_, (seconds, _, reason)] = scene.disabled
        assert reason is DisabledReason.FAILING
        assert seconds - enabled_at == pytest.approx(5 * DAY, abs=DAY / 10)

    in_virtual_time(run)


def test_an_endpoint_that_is_changed_has_five_days_again() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint(always(FAILED))
        async with scene.dispatching():
            await failing_for(scene, 4 * DAY)
            changed_at = asyncio.get_running_loop().time()
            scene.put(replace(endpoint, updated_at=scene.clock()))
            await failing_for(scene, 6 * DAY)
        [(seconds, _, _)] = scene.disabled
        assert seconds - changed_at == pytest.approx(5 * DAY, abs=DAY / 10)

    in_virtual_time(run)


@pytest.mark.parametrize(("response", "days"), [(FAILED, 5.1), (answering(410), 0.1)])
def test_a_response_to_a_request_from_before_a_change_does_not_disable_the_endpoint(
    response: WebhookResponse, days: float
) -> None:
    """The owner moves the endpoint while the request whose failure disables it is in flight."""

    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint(always(FAILED))
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(days * DAY)
            scene.receivers.behaviours[endpoint.url] = always(response, seconds=10)
            await scene.event()
            await asyncio.sleep(5)
            changed = replace(endpoint, url="https://new.example/webhooks", updated_at=scene.clock())
            scene.put(changed)
            await asyncio.sleep(DAY)
            assert not scene.disabled
            last, *_ = reversed(await scene.deliveries(changed))
            assert last.outcome is DeliveryOutcome.DELIVERED
            scene.receivers.behaviours[changed.url] = always(answering(410))
            await scene.event()
            await asyncio.sleep(DAY)
        assert [reason for _, _, reason in scene.disabled] == [DisabledReason.GONE]

    in_virtual_time(run)


async def failing_for(scene: WebhookScene, seconds: float) -> None:
    """An event every two hours."""
    for _ in range(round(seconds / (DAY / 12))):
        await scene.event()
        await asyncio.sleep(DAY / 12)


def test_both_secrets_sign_for_a_day_after_a_rotation() -> None:
    async def run() -> None:
        scene = WebhookScene(limits=LONG_POLLS)
        endpoint = scene.endpoint()
        async with scene.dispatching():
            await scene.event()
            await asyncio.sleep(1)
            rotated = endpoint.rotate("whsec_" + "B" * 32, now=scene.clock())
            scene.put(rotated)
            for seconds in (1, DAY - 2, 2):
                await asyncio.sleep(seconds)
                await scene.event()
            await asyncio.sleep(1)
        both = (rotated.secret, endpoint.secret)
        assert [each.secrets for each in scene.receivers.of(endpoint)] == [
            (endpoint.secret,),
            both,
            both,
            (rotated.secret,),
        ]

    in_virtual_time(run)


def test_a_dead_receiver_is_probed_and_everything_arrives_when_it_is_back() -> None:
    """Deliveries are neither sent in vain nor lose their attempts."""

    async def run() -> None:
        scene = WebhookScene(limits=replace(LONG_POLLS, poll_seconds=1.0))
        back_at = 1_800.0
        endpoint = scene.endpoint(lambda _, __: (OK if asyncio.get_running_loop().time() >= back_at else FAILED, 0.0))
        async with scene.dispatching():
            events = await scene.events([None] * 2_000)
            await asyncio.sleep(back_at)
            failures = len(scene.receivers.of(endpoint))
            await asyncio.sleep(7_200)
        assert failures < 2_600
        assert set(scene.receivers.taken(endpoint)) == {event.id for event in events}
        assert len(scene.receivers.taken(endpoint)) == 2_000

    in_virtual_time(run)
