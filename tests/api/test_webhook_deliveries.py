"""Deliveries of webhooks over HTTP: their lists, redelivery and replay."""

import asyncio
from datetime import datetime, timedelta
from itertools import count

import pytest

from gateway.adapters.system.identifiers import TimeOrderedIds
from gateway.application.events.delivery_limits import DeliveryLimits
from gateway.application.events.dispatcher import Dispatcher
from gateway.domain.webhook_endpoint import DisabledReason, EndpointId
from support.api_client import Json, Person, World, created, ok, refused
from support.webhook_scene import FAILED, FakeSender, Receivers, always, failing_first

ENDPOINTS = "/webhook-endpoints"
_numbers = count(1)


class Webhooks:
    """A dispatcher on the storage of the API, and its receivers."""

    def __init__(self, world: World) -> None:
        self.receivers = Receivers()
        self._world = world
        self._identifiers = TimeOrderedIds(world.clock)
        self._gateway = world.gateway

    async def endpoint(self, owner: Person, **fields: object) -> Json:
        """A new endpoint with a URL of its own. What has happened before is not sent to it."""
        self._world.clock.advance(10)
        body = {"url": f"https://shop-{next(_numbers)}.example/", "events": ["account.*"], **fields}
        return created(await owner.api.post(ENDPOINTS, body))

    async def deliver(self) -> None:
        """Do what there is to do now."""

        async def disable(endpoint_id: EndpointId, reason: DisabledReason, as_of: datetime) -> bool:
            raise NotImplementedError

        dispatcher = Dispatcher(
            storage=self._gateway.storage,
            sender=FakeSender(self.receivers),
            disable=disable,
            commits=self._gateway.events.commits,
            clock=self._world.clock,
            identifiers=self._identifiers,
            limits=DeliveryLimits(poll_seconds=0.01, sweep_seconds=0.01),
            chance=lambda: 0.5,
        )
        stop = asyncio.Event()
        work = asyncio.create_task(dispatcher.run(stop))
        async with asyncio.timeout(30):
            quiet = 0
            while quiet < 10:
                await asyncio.sleep(0.02)
                replays = await self._gateway.storage.deliveries.replays(limit=1)
                status = await dispatcher.status()
                quiet = 0 if replays or status.feed_lag or status.deliveries_in_flight else quiet + 1
            stop.set()
            await work

    def taken_by(self, endpoint: Json) -> list[str]:
        """The events that an endpoint has taken."""
        return [
            each.event_id for each in self.receivers.received if each.url == endpoint["url"] and each.response.success
        ]


@pytest.fixture
def webhooks(world: World) -> Webhooks:
    return Webhooks(world)


@pytest.fixture
async def another_merchant(world: World) -> Person:
    return await world.merchant()


async def something_happens(merchant: Person, currency: str) -> None:
    """An account is opened: an event that the merchant sees."""
    created(await merchant.api.post("/accounts", {"currency": currency}))


async def test_a_delivery_is_shown_with_its_attempts(merchant: Person, webhooks: Webhooks, world: World) -> None:
    endpoint = await webhooks.endpoint(merchant)
    webhooks.receivers.behaviours[endpoint["url"]] = failing_first(1)
    await something_happens(merchant, "CHF")
    await webhooks.deliver()
    path = f"{ENDPOINTS}/{endpoint['id']}/deliveries"
    [pending] = ok(await merchant.api.get(path))["data"]
    [attempt] = pending["attempts"]
    assert attempt == {"at": attempt["at"], "status": 500, "error": None, "latency_ms": 0}
    [event_id] = {each.event_id for each in webhooks.receivers.received}
    assert pending == {
        "id": pending["id"],
        "object": "delivery",
        "endpoint_id": endpoint["id"],
        "event_id": event_id,
        "event_type": "account.opened",
        "status": "pending",
        "attempts": [attempt],
        "next_attempt_at": pending["next_attempt_at"],
        "created_at": pending["created_at"],
    }
    assert pending["next_attempt_at"] > attempt["at"]
    world.clock.advance(5)
    await webhooks.deliver()
    [delivered] = ok(await merchant.api.get(path))["data"]
    assert (delivered["status"], delivered["next_attempt_at"]) == ("delivered", None)
    assert [each["status"] for each in delivered["attempts"]] == [500, 200]
    assert delivered["id"] == pending["id"]


async def test_lists_have_pages_and_a_status(merchant: Person, webhooks: Webhooks) -> None:
    endpoint = await webhooks.endpoint(merchant)
    for currency in ("CHF", "GBP", "SEK"):
        await something_happens(merchant, currency)
    await webhooks.deliver()
    webhooks.receivers.behaviours[endpoint["url"]] = always(FAILED)
    await something_happens(merchant, "NOK")
    await webhooks.deliver()
    path = f"{ENDPOINTS}/{endpoint['id']}/deliveries"
    everything = ok(await merchant.api.get(path))["data"]
    assert [each["status"] for each in everything] == ["pending", "delivered", "delivered", "delivered"]
    first = ok(await merchant.api.get(path, status="delivered", limit="2"))
    assert first["data"] == everything[1:3]
    second = ok(await merchant.api.get(path, cursor=first["next_cursor"], limit="2"))
    assert (second["data"], second["has_more"]) == (everything[3:], False)
    for status in ("failed", "canceled"):
        assert ok(await merchant.api.get(path, status=status))["data"] == []
    refused(await merchant.api.get(path, status="gone"), 400, "validation_error")
    refused(await merchant.api.get(path, status="pending", cursor=first["next_cursor"]), 400, "cursor_filter_mismatch")


async def test_nobody_sees_or_repeats_the_deliveries_of_another(
    merchant: Person, another_merchant: Person, customer: Person, webhooks: Webhooks
) -> None:
    endpoint = await webhooks.endpoint(merchant)
    await something_happens(merchant, "CHF")
    await webhooks.deliver()
    [event_id] = webhooks.taken_by(endpoint)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    a_day = {"from": "2030-01-01T00:00:00Z", "to": "2030-02-01T00:00:00Z"}
    refused(await another_merchant.api.get(f"{path}/deliveries"), 404, "webhook_endpoint_not_found")
    refused(await another_merchant.api.post(f"{path}/replay", a_day), 404, "webhook_endpoint_not_found")
    refused(await another_merchant.api.post(f"/events/{event_id}/redeliver"), 404, "event_not_found")
    own = await webhooks.endpoint(another_merchant)
    for body in ({}, {"endpoint_id": own["id"]}):
        refused(await another_merchant.api.post(f"/events/{event_id}/redeliver", body), 404, "event_not_found")
    refused(
        await merchant.api.post(f"/events/{event_id}/redeliver", {"endpoint_id": own["id"]}),
        404,
        "webhook_endpoint_not_found",
    )
    refused(await customer.api.post(f"/events/{event_id}/redeliver"), 403, "role_forbidden")
    await webhooks.deliver()
    assert len(webhooks.receivers.received) == 1


async def test_an_event_is_delivered_once_more(merchant: Person, webhooks: Webhooks) -> None:
    """To every endpoint that wants it, or to one of them, whatever its filters; not while it waits."""
    wants, other = await webhooks.endpoint(merchant), await webhooks.endpoint(merchant, events=["payment.*"])
    await something_happens(merchant, "CHF")
    await webhooks.deliver()
    [event_id] = webhooks.taken_by(wants)
    again = await merchant.api.post(f"/events/{event_id}/redeliver")
    assert (again.status_code, again.json()) == (
        202,
        {"object": "redelivery", "event_id": event_id, "endpoint_ids": [wants["id"]]},
    )
    await merchant.api.post(f"/events/{event_id}/redeliver", {})
    to_other = await merchant.api.post(f"/events/{event_id}/redeliver", {"endpoint_id": other["id"]})
    assert to_other.json()["endpoint_ids"] == [other["id"]]
    await webhooks.deliver()
    assert webhooks.taken_by(wants) == [event_id] * 2
    assert webhooks.taken_by(other) == [event_id]
    assert len({each.body for each in webhooks.receivers.received}) == 1
    refused(await merchant.api.post("/events/evt_unknown/redeliver"), 404, "event_not_found")
    ok(await merchant.api.send("PATCH", f"{ENDPOINTS}/{other['id']}", {"enabled": False}))
    refused(
        await merchant.api.post(f"/events/{event_id}/redeliver", {"endpoint_id": other["id"]}),
        409,
        "webhook_endpoint_disabled",
    )


async def test_a_replay_delivers_the_events_of_a_time_range(merchant: Person, webhooks: Webhooks, world: World) -> None:
    """Those that the endpoint wants, of its owner, in the order of the feed, also from before its creation."""
    world.clock.advance(60)
    beginning = world.clock()
    for currency in ("CHF", "GBP", "SEK"):
        await something_happens(merchant, currency)
        world.clock.advance(60)
    endpoint = await webhooks.endpoint(merchant)
    await webhooks.deliver()
    assert webhooks.taken_by(endpoint) == []
    path = f"{ENDPOINTS}/{endpoint['id']}/replay"
    span = {"from": beginning.isoformat(), "to": (beginning + timedelta(seconds=61)).isoformat()}
    requested = await merchant.api.post(path, span)
    assert requested.status_code == 202
    body = requested.json()
    assert (body["object"], body["endpoint_id"]) == ("webhook_replay", endpoint["id"])
    await webhooks.deliver()
    types = [
        each["event_type"] for each in ok(await merchant.api.get(f"{ENDPOINTS}/{endpoint['id']}/deliveries"))["data"]
    ]
    assert types == ["account.opened"] * 2
    taken = webhooks.taken_by(endpoint)
    assert len(taken) == 2
    await merchant.api.post(path, span)
    await webhooks.deliver()
    assert webhooks.taken_by(endpoint) == taken * 2


async def test_a_replay_needs_a_range_and_has_a_limit(merchant: Person, webhooks: Webhooks) -> None:
    endpoint = await webhooks.endpoint(merchant)
    path = f"{ENDPOINTS}/{endpoint['id']}/replay"
    noon, one = "2030-01-01T12:00:00Z", "2030-01-01T13:00:00Z"
    for body, pointer in (
        ({}, "/from"),
        ({"from": noon}, "/to"),
        ({"from": one, "to": noon}, "/to"),
        ({"from": noon, "to": noon}, "/to"),
        ({"from": "yesterday", "to": noon}, "/from"),
        ({"from": "0001-01-01T00:00:00Z", "to": noon}, "/from"),
    ):
        problem = refused(await merchant.api.post(path, body), 400, "validation_error")
        assert pointer in [error["pointer"] for error in problem["errors"]], body
    for _ in range(4):
        assert (await merchant.api.post(path, {"from": noon, "to": one})).status_code == 202
    refused(await merchant.api.post(path, {"from": noon, "to": one}), 409, "replay_limit_reached")
    ok(await merchant.api.send("PATCH", f"{ENDPOINTS}/{endpoint['id']}", {"enabled": False}))
    refused(await merchant.api.post(path, {"from": noon, "to": one}), 409, "webhook_endpoint_disabled")


async def test_operators_have_events_of_everybody_delivered_to_their_endpoints(
    merchant: Person, operator: Person, webhooks: Webhooks
) -> None:
    own, everybodys = await webhooks.endpoint(merchant), await webhooks.endpoint(operator)
    await something_happens(merchant, "CHF")
    await webhooks.deliver()
    [event_id] = webhooks.taken_by(own)
    assert event_id in webhooks.taken_by(everybodys)
    again = await operator.api.post(f"/events/{event_id}/redeliver")
    assert again.json()["endpoint_ids"] == [everybodys["id"]]
    await webhooks.deliver()
    assert webhooks.taken_by(own) == [event_id]
    assert webhooks.taken_by(everybodys).count(event_id) == 2
