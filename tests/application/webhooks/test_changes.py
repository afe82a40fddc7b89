"""A change of an endpoint takes effect within a second, however much waits and however slow the receiver is."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.application.ports.delivery_records import DeliveryOutcome
from gateway.domain.webhook_endpoint import DisabledReason, WebhookEndpoint
from support.virtual_time import in_virtual_time
from support.webhook_scene import OK, WebhookScene, always

NEW_URL = "https://new.example/webhooks"
WAITING = 500
SECONDS_MAX = 1.0
Change = Callable[[WebhookScene, WebhookEndpoint], None]


def disable(scene: WebhookScene, endpoint: WebhookEndpoint) -> None:
    scene.put(replace(endpoint, disabled_reason=DisabledReason.BY_OWNER, updated_at=scene.clock()))


def delete(scene: WebhookScene, endpoint: WebhookEndpoint) -> None:
    del scene.database.webhook_endpoints[endpoint.id]


def move(scene: WebhookScene, endpoint: WebhookEndpoint) -> None:
    scene.receivers.behaviours[NEW_URL] = always(OK)
    scene.put(replace(endpoint, url=NEW_URL, updated_at=scene.clock()))


@pytest.mark.parametrize("change", [disable, delete, move])
@pytest.mark.parametrize("seconds", [0.5, 12.0])
def test_nothing_is_sent_to_an_endpoint_that_was_changed(change: Change, seconds: float) -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(always(OK, seconds))
        async with scene.dispatching():
            await scene.events([None] * WAITING)
            await asyncio.sleep(2.5 * seconds)
            change(scene, endpoint)
            changed_at = asyncio.get_running_loop().time()
            await asyncio.sleep(120)
            assert 0 < len(scene.receivers.of(endpoint)) < WAITING
            assert max(scene.receivers.times(endpoint)) < changed_at + SECONDS_MAX
            if change is move:
                sent = {each.event_id for each in scene.receivers.received}
                assert len(sent) == WAITING
            else:
                assert set(await scene.outcomes(endpoint)) == {DeliveryOutcome.DELIVERED, DeliveryOutcome.CANCELED}

    in_virtual_time(run)


def test_a_new_secret_signs_within_a_second() -> None:
    async def run() -> None:
        scene = WebhookScene()
        endpoint = scene.endpoint(always(OK, 3.0))
        rotated = replace(
            endpoint,
            secret="whsec_" + "A" * 44,
            previous_secret=endpoint.secret,
            previous_secret_expires_at=scene.clock() + timedelta(days=1),
        )
        async with scene.dispatching():
            await scene.events([None] * WAITING)
            await asyncio.sleep(7)
            scene.put(replace(rotated, updated_at=scene.clock()))
            rotated_at = asyncio.get_running_loop().time()
            await asyncio.sleep(120)
        later = [each for each in scene.receivers.of(endpoint) if each.seconds >= rotated_at + SECONDS_MAX]
        assert later
        assert {each.secrets for each in later} == {(rotated.secret, endpoint.secret)}

    in_virtual_time(run)
