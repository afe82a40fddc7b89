"""Events over HTTP: lists in both directions, single events, and what parties may see."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.application.ports.events import EventFilter
from gateway.application.views.events import event_view_json
from gateway.domain.limits import EVENTS_DAYS_DEFAULT
from support.api_client import Json, Person, World, ok, open_world, refused
from support.asgi import ask

PAYMENTS = 7
SECOND = timedelta(seconds=1)
EVERYTHING = EventFilter()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


@pytest.fixture
async def customer(world: World) -> Person:
    return await world.customer(balance=10_000)


@pytest.fixture
async def merchant(world: World) -> Person:
    return await world.merchant()


@pytest.fixture
async def payments(customer: Person, merchant: Person) -> list[Json]:
    return [await customer.pay(merchant, number + 1) for number in range(PAYMENTS)]


async def test_an_event_has_what_get_answered_to_the_byte(world: World, merchant: Person, payments: list[Json]) -> None:
    for payment in payments:
        [event] = ok(await merchant.api.get("/events", object_id=payment["id"]))["data"]
        shown = await merchant.api.get(f"/events/{event['id']}")
        assert ok(shown) == event
        data = (await merchant.api.get(f"/payments/{payment['id']}")).content
        assert shown.content.endswith(b'"data":{"object":' + data + b"}}")
        [found] = [each for each in await world.gateway.events.read(limit=1_000) if each.id == event["id"]]
        assert shown.content == event_view_json(found)
        assert list(event) == ["id", "object", "type", "position", "sequence", "created_at", "data"]
        assert (event["object"], event["type"], event["sequence"]) == ("event", "payment.captured", 1)


@pytest.mark.usefixtures("payments")
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_partition_the_list_from_newest_to_oldest(merchant: Person, limit: int) -> None:
    everything = ok(await merchant.api.get("/events", limit=100))
    assert not everything["has_more"]
    assert everything["last_position"] is None
    page = ok(await merchant.api.get("/events", limit=limit, type="payment.*"))
    found = page["data"]
    while page["has_more"]:
        page = ok(await merchant.api.get("/events", limit=limit, cursor=page["next_cursor"]))
        assert len(page["data"]) <= limit
        found += page["data"]
    assert found == [event for event in everything["data"] if event["type"] == "payment.captured"]
    assert len(found) == PAYMENTS
    positions = [event["position"] for event in found]
    assert positions == sorted(set(positions), reverse=True)


@pytest.mark.usefixtures("payments")
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_going_on_from_the_last_position_finds_each_event_once_oldest_first(
    customer: Person, merchant: Person, limit: int
) -> None:
    found: list[Json] = []
    page = ok(await merchant.api.get("/events", limit=limit, after=""))
    found += page["data"]
    while page["has_more"]:
        page = ok(await merchant.api.get("/events", limit=limit, after=page["last_position"]))
        assert page["next_cursor"] is None
        found += page["data"]
    newest_first = ok(await merchant.api.get("/events", limit=100))["data"]
    assert found == newest_first[::-1]
    await customer.pay(merchant, 99)
    page = ok(await merchant.api.get("/events", limit=limit, after=page["last_position"]))
    assert [event["data"]["object"]["amount"] for event in page["data"]] == [99]


@pytest.mark.usefixtures("payments")
async def test_parties_see_their_events_and_operators_all(world: World, customer: Person, merchant: Person) -> None:
    stranger, operator = await world.customer(), await world.operator()
    everything = {event["id"]: event for event in ok(await operator.api.get("/events", limit=100))["data"]}
    assert len(everything) == len(await world.gateway.events.read(limit=1_000))
    seen = {
        person.id: {event["id"] for event in ok(await person.api.get("/events", limit=100))["data"]}
        for person in (customer, merchant, stranger)
    }
    captured = {event["id"] for event in everything.values() if event["type"] == "payment.captured"}
    assert captured <= seen[customer.id]
    assert captured <= seen[merchant.id]
    assert {everything[each]["type"] for each in seen[stranger.id]} == {"account.opened"}
    for event_id, event in everything.items():
        for person in (customer, merchant, stranger):
            response = await person.api.get(f"/events/{event_id}")
            if event_id in seen[person.id]:
                assert ok(response) == event
            else:
                refused(response, 404, "event_not_found")
        assert ok(await operator.api.get(f"/events/{event_id}")) == event


async def test_an_unknown_event_is_not_found(merchant: Person) -> None:
    refused(await merchant.api.get("/events/evt_unknown"), 404, "event_not_found")


@pytest.mark.usefixtures("payments")
async def test_filters_limit_the_list(world: World, merchant: Person) -> None:
    for type_filter, count in {"payment.*": 7, "payment.captured": 7, "account.*": 1, "refund.*": 0, "*": 8}.items():
        assert len(ok(await merchant.api.get("/events", type=type_filter, limit=100))["data"]) == count
        assert len(ok(await merchant.api.get("/events", type=type_filter, limit=100, after=""))["data"]) == count
    now = world.clock.now
    later = (now + SECOND).isoformat()
    assert len(ok(await merchant.api.get("/events", created_before=later))["data"]) == PAYMENTS + 1
    assert ok(await merchant.api.get("/events", created_after=later))["data"] == []


async def test_a_filter_that_selects_nothing_is_refused(merchant: Person) -> None:
    for wrong in ("payment.paid", "payments.*", "payment", "%2A%2A"):
        problem = refused(await merchant.api.get("/events", type=wrong), 400, "validation_error")
        assert [error["pointer"] for error in problem["errors"]] == ["/type"]


async def test_what_is_no_position_is_refused(merchant: Person) -> None:
    for wrong in ("-1", "1.0", "1e3", "x", "9" * 19, "5\n", "\n"):
        problem = refused(await merchant.api.get("/events", after=wrong), 400, "validation_error")
        assert [error["pointer"] for error in problem["errors"]] == ["/after"]


@pytest.mark.usefixtures("payments")
async def test_a_cursor_belongs_to_one_direction_list_and_filter(merchant: Person) -> None:
    cursor = ok(await merchant.api.get("/events", limit=1))["next_cursor"]
    refused(await merchant.api.get("/events", cursor=cursor, after=""), 400, "validation_error")
    refused(await merchant.api.get("/events", cursor=cursor, type="payment.*"), 400, "cursor_filter_mismatch")
    refused(await merchant.api.get("/payments", cursor=cursor), 400, "cursor_invalid")


@pytest.mark.usefixtures("payments")
async def test_events_beyond_the_retention_are_not_shown(world: World, customer: Person, merchant: Person) -> None:
    old = ok(await merchant.api.get("/events", limit=1))["data"][0]
    world.clock.now += EVENTS_DAYS_DEFAULT * 24 * 3_600 * SECOND + SECOND
    customer, merchant = await world.signed_in(customer.email), await world.signed_in(merchant.email)
    assert ok(await merchant.api.get("/events"))["data"] == []
    refused(await merchant.api.get(f"/events/{old['id']}"), 404, "event_not_found")
    await customer.pay(merchant, 5)
    assert [event["data"]["object"]["amount"] for event in ok(await merchant.api.get("/events"))["data"]] == [5]
    assert len(ok(await merchant.api.get("/events", after=""))["data"]) == 1


async def test_a_stream_begins_where_it_is_told_to(world: World, customer: Person, merchant: Person) -> None:
    await customer.pay(merchant, 1)
    position = ok(await merchant.api.get("/events", limit=1))["data"][0]["position"]
    authorization = (b"authorization", f"Bearer {merchant.api.token}".encode())
    for wrong in (b"x", b"-1", b"1 2", b"1.5", str(position + 1).encode(), b"9" * 30):
        headers = [authorization, (b"last-event-id", wrong)]
        for method in ("GET", "HEAD"):
            answer = await ask(world.app, method, "/events/stream", headers=headers, disconnects_after_chunks=True)
            assert answer.status == 400
    for right in (b"", b"\t ", f" {position}\t".encode()):
        headers = [authorization, (b"last-event-id", right)]
        assert (await ask(world.app, "HEAD", "/events/stream", headers=headers)).status == 200
    head = await ask(world.app, "HEAD", "/events/stream", headers=[authorization])
    assert (head.status, head.headers[b"content-type"], head.body) == (200, b"text/event-stream", b"")


async def test_streams_are_counted(world: World, merchant: Person) -> None:
    hub = world.gateway.event_hub
    caller = await world.gateway.access.authenticate(str(merchant.api.token))
    for _ in range(11):  # They leave none open.
        assert (await merchant.api.send("HEAD", "/events/stream")).status_code == 200
    open_streams = [await hub.open(caller, EVERYTHING, after=None) for _ in range(10)]
    problem = refused(await merchant.api.get("/events/stream"), 429, "rate_limited")
    assert problem["retry_after_seconds"] >= 1
    for stream in open_streams:
        stream.close()
        stream.close()
    response = await merchant.api.get("/events/stream")
    assert response.status_code == 200
    assert response.text.startswith(": open\nretry: 1000\n\n")
    assert response.headers["cache-control"] == "no-store"
