"""What clients see of housekeeping, on every storage: keys that are free again, and events that are gone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.adapters.sql import migrate, open_sql_storage
from gateway.application.access.caller import Caller
from gateway.application.housekeeping import Housekeeper
from gateway.application.ports.deliveries import WEBHOOKS
from gateway.application.ports.events import EventFilter
from gateway.application.ports.sessions import SessionId
from gateway.application.verification.verify import verify
from gateway.domain.user import Role, UserId
from support.api_client import World, created, fresh_key, ok, open_world, refused

DAY = timedelta(days=1).total_seconds()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "postgres":
        found: str = request.getfixturevalue("postgres_url")
        return found
    return {"memory": "", "sqlite": f"sqlite:///{tmp_path}/ledger.db"}[request.param]


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    """An application on each kind of storage."""
    if not url:
        async with open_world() as opened:
            yield opened
        return
    await migrate(url)
    async with open_sql_storage(url) as storage, open_world(storage=storage) as opened:
        yield opened


async def keep_house(world: World) -> None:
    """Delete what is old now; the fan-out of webhooks has passed all events."""
    storage = world.gateway.storage
    position = await storage.event_cursors.position(WEBHOOKS)
    await storage.event_cursors.move(WEBHOOKS, expected=position, to=await storage.events.newest())
    assert await Housekeeper(storage=storage, clock=world.clock).run_once(asyncio.Event())


async def test_a_key_is_free_again_when_its_response_was_deleted(world: World) -> None:
    customer, merchant = await world.customer(balance=1_000), await world.merchant()
    plain = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}
    named = {**plain, "reference": "order-1"}
    keys = fresh_key(), fresh_key()
    first = created(await customer.api.post("/payments", plain, key=keys[0]))
    created(await customer.api.post("/payments", named, key=keys[1]))
    world.clock.advance(6.9 * DAY)
    await keep_house(world)
    customer = await world.signed_in(customer.email)
    again = await customer.api.post("/payments", plain, key=keys[0])
    assert (created(again), again.headers["idempotency-replayed"]) == (first, "true")
    world.clock.advance(0.2 * DAY)
    await keep_house(world)
    customer = await world.signed_in(customer.email)
    anew = await customer.api.post("/payments", plain, key=keys[0])
    assert created(anew)["id"] != first["id"]
    assert "idempotency-replayed" not in anew.headers
    refused(await customer.api.post("/payments", named, key=keys[1]), 409, "duplicate_reference")
    assert await customer.available() == 1_000 - 3 * 10


async def test_events_that_were_deleted_are_gone_and_readers_go_on_behind_them(world: World) -> None:
    customer, merchant = await world.customer(balance=1_000), await world.merchant()
    for _ in range(3):
        await customer.pay(merchant, 10)
    page = ok(await merchant.api.get("/events", limit=2))
    old = page["data"][0]
    stale_cursor = page["next_cursor"]
    world.clock.advance(91 * DAY)
    customer, merchant = await world.signed_in(customer.email), await world.signed_in(merchant.email)
    payments = [await customer.pay(merchant, 10) for _ in range(3)]
    await keep_house(world)

    [first, *_] = await world.gateway.events.read(after=0)
    assert first.object_id == payments[0]["id"]
    refused(await merchant.api.get(f"/events/{old['id']}"), 404, "event_not_found")
    refused(await merchant.api.post(f"/events/{old['id']}/redeliver"), 404, "event_not_found")
    newest_first = ok(await merchant.api.get("/events"))
    assert [event["data"]["object"]["id"] for event in newest_first["data"]] == [each["id"] for each in payments[::-1]]
    for after in ("", 1, old["position"]):
        forward = ok(await merchant.api.get("/events", after=after))
        assert (forward["data"], forward["has_more"]) == (newest_first["data"][::-1], False)
    before = ok(await merchant.api.get("/events", cursor=stale_cursor))
    assert (before["data"], before["has_more"]) == ([], False)

    operator = Caller(user_id=UserId("usr_operator"), role=Role.OPERATOR, session_id=SessionId("ses_1"))
    stream = await world.gateway.event_hub.open(operator, EventFilter(type="payment.*"), after=old["position"])
    resumed = [event.object_id for event in await stream.next(1.0)]
    stream.close()
    assert resumed == [each["id"] for each in payments]

    async with world.gateway.storage.audit() as audit:
        assert (await verify(audit)).named == []
