"""Rate limits: 429, and how many requests are left."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest

from gateway.adapters.memory.rate_budgets import MemoryRateBudgets
from gateway.application.gateway import Gateway
from gateway.application.rate_limits.bucket import NANOSECONDS
from gateway.application.rate_limits.rate_limits import RateLimitSettings, rate_limits
from support.api_client import PASSWORD, World, created, fresh_email, fresh_key, ok, open_world, refused, registration
from support.every_operation import EVERY_OPERATION, Everybody, key_for, path_of

NONE = RateLimitSettings(requests=0, registrations=0, logins=0, refreshes=0)
LIMITED = [operation for operation in EVERY_OPERATION if operation.roles]


@asynccontextmanager
async def limited(
    settings: RateLimitSettings, like: World | None = None, monotonic: Callable[[], int] = time.monotonic_ns
) -> AsyncGenerator[World]:
    """An application with these limits; `like` is another one with the same users."""
    limits = rate_limits(settings, MemoryRateBudgets(monotonic), monotonic)

    def changed(gateway: Gateway) -> Gateway:
        return replace(gateway, rate_limits=limits)

    async with open_world(changed=changed, like=like) as world:
        yield world
    await limits.close()


@pytest.fixture
async def free() -> AsyncIterator[World]:
    """An application without limits."""
    async with open_world() as world:
        yield world


def policy_of(response: httpx.Response) -> str | None:
    found: str | None = response.headers.get("ratelimit-policy")
    return found


def rate_of(response: httpx.Response) -> str | None:
    found: str | None = response.headers.get("ratelimit")
    return found


async def test_without_limits_there_are_no_headers(free: World) -> None:
    customer = await free.customer()
    response = await customer.api.get("/users/me")
    assert (policy_of(response), rate_of(response)) == (None, None)


async def test_every_operation_for_users_is_refused_beyond_the_limit(free: World) -> None:
    everybody = Everybody(
        world=free, customer=await free.customer(), merchant=await free.merchant(), operator=await free.operator()
    )
    for operation in LIMITED:
        async with limited(replace(NONE, requests=1), like=free) as world:
            api = replace(everybody.who_may(operation), http=world.anyone.http)
            path, key = path_of(operation, "x" * 20), key_for(operation)
            body = None if operation.body is None else operation.example or {}
            if operation.name == "changePassword":
                body = {**operation.example, "current_password": "not mine"}
            first = await api.send(operation.method, path, body, key=key)
            assert first.status_code != 429
            assert policy_of(first) == '"requests";q=1;w=60'
            assert rate_of(first) == '"requests";r=0;t=60'
            second = await api.send(operation.method, path, body, key=key)
            refused(second, 429, "rate_limited")
            assert rate_of(second) == '"requests";r=0;t=60'
            assert 59 <= int(second.headers["retry-after"]) <= 60
    ok(await everybody.customer.api.get("/users/me"))


async def test_a_user_does_not_use_up_the_requests_of_another(free: World) -> None:
    ada, bob = await free.customer(), await free.customer()
    async with limited(replace(NONE, requests=2), like=free) as world:
        http = world.anyone.http
        for _ in range(2):
            ok(await replace(ada.api, http=http).get("/users/me"))
        refused(await replace(ada.api, http=http).get("/users/me"), 429, "rate_limited")
        ok(await replace(bob.api, http=http).get("/users/me"))


async def test_refused_payments_are_counted(free: World) -> None:
    """What a customer without money leaves behind is bounded by the limit."""
    merchant, poor = await free.merchant(), await free.customer()
    async with limited(replace(NONE, requests=20), like=free) as world:
        api = replace(poor.api, http=world.anyone.http)
        order = {"merchant_id": merchant.id, "amount": 100, "currency": "USD"}
        statuses = [(await api.post("/payments", order, key=fresh_key())).status_code for _ in range(100)]
    assert statuses == [402] * 20 + [429] * 80
    listed = ok(await poor.api.get("/payments?limit=100"))
    assert len(listed["data"]) == 20


async def test_a_batch_counts_its_items(free: World) -> None:
    merchant, customer = await free.merchant(), await free.customer(balance=1_000)
    async with limited(replace(NONE, requests=100), like=free) as world:
        api = replace(customer.api, http=world.anyone.http)

        def batch(size: int) -> dict[str, object]:
            order = {"merchant_id": merchant.id, "amount": 1, "currency": "USD"}
            return {"mode": "independent", "items": [{**order, "idempotency_key": fresh_key()} for _ in range(size)]}

        first = await api.post("/payments/batch", batch(60), key=fresh_key())
        assert (first.status_code, rate_of(first)) == (207, '"requests";r=40;t=36')
        refused(await api.post("/payments/batch", batch(60), key=fresh_key()), 429, "rate_limited")
        second = await api.post("/payments/batch", batch(30), key=fresh_key())
        assert second.status_code == 207


def padded(order: dict[str, object], size: int) -> bytes:
    """A body of `size` bytes; metadata has most of them."""
    values = {"metadata": {f"{number:02}": "x" * 490 for number in range((size - 300) // 500)}}
    body = json.dumps({**order, **values})
    return body.encode() + b" " * (size - len(body))


@pytest.mark.parametrize(
    ("size", "count"), [(4_095, 1), (4_096, 1), (4_097, 2), (8_192, 2), (8_193, 3), (20_000, 5), (65_536, 16)]
)
async def test_a_request_counts_once_for_each_started_4_kibibytes_of_its_body(
    free: World, size: int, count: int
) -> None:
    merchant, poor = await free.merchant(), await free.customer()
    order: dict[str, object] = {"merchant_id": merchant.id, "amount": 100, "currency": "USD"}
    body = padded(order, size) if size < 20_000 else padded(order, 20_000) + b" " * (size - 20_000)
    assert len(body) == size
    async with limited(replace(NONE, requests=100), like=free) as world:
        api = replace(poor.api, http=world.anyone.http)
        response = await api.send("POST", "/payments", content=body, key=fresh_key())
        refused(response, 402, "insufficient_funds")
        left = str(rate_of(response)).split(";")[1]
        assert left == f"r={100 - count}"


async def test_what_a_customer_without_money_has_stored_is_bounded_in_bytes(free: World) -> None:
    merchant, poor = await free.merchant(), await free.customer()
    body = padded({"merchant_id": merchant.id, "amount": 100, "currency": "USD"}, 20_000)
    async with limited(replace(NONE, requests=50), like=free) as world:
        api = replace(poor.api, http=world.anyone.http)
        answers = [await api.send("POST", "/payments", content=body, key=fresh_key()) for _ in range(20)]
    assert [answer.status_code for answer in answers] == [402] * 10 + [429] * 10
    assert len(ok(await poor.api.get("/payments?limit=100"))["data"]) == 10


async def test_a_body_that_counts_for_more_than_the_limit_passes_when_its_caller_waits_as_told(free: World) -> None:
    merchant, customer = await free.merchant(), await free.customer(balance=1_000)
    body = padded({"merchant_id": merchant.id, "amount": 100, "currency": "USD"}, 20_000)
    now = 10**15
    async with limited(replace(NONE, requests=3), like=free, monotonic=lambda: now) as world:
        api = replace(customer.api, http=world.anyone.http)
        ok(await api.get("/users/me"))
        first = await api.send("POST", "/payments", content=body, key="order-1")
        refused(first, 429, "rate_limited")
        now += int(first.headers["retry-after"]) * NANOSECONDS
        created(await api.send("POST", "/payments", content=body, key="order-1"))


async def test_a_batch_counts_for_its_items_or_for_its_bytes_whichever_is_more(free: World) -> None:
    merchant, customer = await free.merchant(), await free.customer(balance=1_000)
    order: dict[str, object] = {"merchant_id": merchant.id, "amount": 1, "currency": "USD"}
    metadata = {f"{number:02}": "x" * 490 for number in range(40)}
    async with limited(replace(NONE, requests=100), like=free) as world:
        api = replace(customer.api, http=world.anyone.http)
        left = 100
        for items, texts, counts in ((6, {}, 6), (2, metadata, 10), (1, {}, 1), (1, metadata, 5)):
            each = [{**order, "metadata": texts, "idempotency_key": fresh_key()} for _ in range(items)]
            answer = await api.post("/payments/batch", {"mode": "independent", "items": each}, key=fresh_key())
            left -= counts
            assert (answer.status_code, str(rate_of(answer)).split(";")[1]) == (207, f"r={left}")


@pytest.mark.parametrize("size", [99, 100, 101, 150])
async def test_a_batch_as_large_as_the_limit_or_larger_passes_when_its_caller_waits_as_told(
    free: World, size: int
) -> None:
    merchant, customer = await free.merchant(), await free.customer(balance=1_000)
    order = {"merchant_id": merchant.id, "amount": 1, "currency": "USD"}
    items = [{**order, "idempotency_key": fresh_key()} for _ in range(size)]
    now = 10**15
    async with limited(replace(NONE, requests=100), like=free, monotonic=lambda: now) as world:
        api = replace(customer.api, http=world.anyone.http)
        for _ in range(20):
            ok(await api.get("/users/me"))
        first = await api.post("/payments/batch", {"mode": "independent", "items": items}, key=fresh_key())
        refused(first, 429, "rate_limited")
        assert rate_of(first) == '"requests";r=79;t=13'
        now += int(first.headers["retry-after"]) * NANOSECONDS
        second = await api.post("/payments/batch", {"mode": "independent", "items": items}, key=fresh_key())
        assert second.status_code == 207


async def test_registrations_are_counted_by_address() -> None:
    async with limited(replace(NONE, registrations=3)) as world:
        for left in (2, 1, 0):
            response = await world.anyone.post("/users/register", registration())
            created(response)
            assert policy_of(response) == '"registrations";q=3;w=60'
            assert rate_of(response) == f'"registrations";r={left};t={(3 - left) * 20}'
        refused(await world.anyone.post("/users/register", registration()), 429, "rate_limited")
        body = {"email": fresh_email(), "password": PASSWORD}
        refused(await world.anyone.post("/users/login", body), 401, "invalid_credentials")


async def test_all_addresses_of_an_ipv6_network_share_a_limit() -> None:
    async with limited(replace(NONE, registrations=2)) as world:
        statuses: list[int] = []
        for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::3", "2001:db8:1:3::1"):
            transport = httpx.ASGITransport(cast("Any", world.app), client=(address, 50_000))
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
                response = await replace(world.anyone, http=http).post("/users/register", registration())
            statuses.append(response.status_code)
    assert statuses == [201, 201, 429, 201]


async def test_logins_and_refreshes_are_counted_by_address(free: World) -> None:
    customer = await free.customer()
    async with limited(replace(NONE, logins=2, refreshes=1), like=free) as world:
        body = {"email": customer.email, "password": PASSWORD}
        for _ in range(2):
            ok(await world.anyone.post("/users/login", body))
        refused(await world.anyone.post("/users/login", body), 429, "rate_limited")
        token = {"refresh_token": customer.refresh_token}
        new = ok(await world.anyone.post("/users/refresh", token))
        refused(await world.anyone.post("/users/refresh", {"refresh_token": new["refresh_token"]}), 429, "rate_limited")


async def test_health_and_public_keys_are_not_counted() -> None:
    async with limited(RateLimitSettings(requests=1, registrations=1, logins=1, refreshes=1)) as world:
        for path in ("/health/live", "/.well-known/jwks.json", "/openapi.json"):
            for _ in range(3):
                response = await world.anyone.get(path)
                assert (response.status_code, policy_of(response)) == (200, None)
