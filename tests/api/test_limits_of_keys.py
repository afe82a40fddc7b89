"""API keys with a rate limit of their own: over several processes, beside the limit of their owner."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.adapters.http.rate_limiting import count_request
from gateway.adapters.memory.rate_budgets import MemoryRateBudgets
from gateway.application.gateway import Gateway
from gateway.application.rate_limits import keys as key_limits
from gateway.application.rate_limits.bucket import NANOSECONDS
from gateway.application.rate_limits.rate_limits import RateLimitSettings, rate_limits
from support.api_client import Api, Json, Person, World, created, fresh_key, ok, open_world, refused

OWNER_LIMIT = 60_000
SETTINGS = RateLimitSettings(requests=OWNER_LIMIT, registrations=0, logins=0, refreshes=0, processes_max=4)


class Clock:
    """Nanoseconds, which pass when a test says so."""

    def __init__(self) -> None:
        self.now = 10**15

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * NANOSECONDS)


@pytest.fixture
async def free() -> AsyncIterator[World]:
    """An application without limits."""
    async with open_world() as world:
        yield world


@asynccontextmanager
async def processes(
    like: World, clock: Clock, *, number: int = 1, settings: RateLimitSettings = SETTINGS
) -> AsyncGenerator[list[httpx.AsyncClient]]:
    """Applications on one database, whose gateways share nothing but the budgets in it."""
    budgets = MemoryRateBudgets(clock)

    def limited() -> Callable[[Gateway], Gateway]:
        limits = rate_limits(settings, budgets, clock)
        stack.push_async_callback(limits.close)
        return lambda gateway: replace(gateway, rate_limits=limits)

    async with AsyncExitStack() as stack:
        worlds = [await stack.enter_async_context(open_world(changed=limited(), like=like)) for _ in range(number)]
        yield [world.anyone.http for world in worlds]


async def a_machine(person: Person, **fields: Any) -> Api:
    key = created(await person.api.post("/api-keys", {"name": "Till", "scopes": ["accounts:read"], **fields}))
    return person.api.with_token(key["secret"])


def header_of(response: httpx.Response, name: str) -> str:
    found: str = response.headers[name]
    return found


async def test_four_processes_let_a_fifth_more_than_the_limit_of_a_key_through_and_others_go_on(free: World) -> None:
    """For 30 seconds, ten times the limit."""
    limit, seconds, clock = 120, 30, Clock()
    merchant, stranger = await free.merchant(), await free.merchant()
    flood = await a_machine(merchant, requests_per_minute=limit)
    others = [await a_machine(merchant), await a_machine(merchant, requests_per_minute=limit), merchant.api]
    others += [stranger.api, await a_machine(stranger, requests_per_minute=limit)]
    passed = 0
    async with processes(free, clock, number=4) as four:
        for number in range(10 * limit * seconds // 60):
            answer = await replace(flood, http=four[number % 4]).get("/accounts")
            assert header_of(answer, "ratelimit-policy") == f'"key";q={limit};w=60'
            if answer.status_code == 200:
                passed += 1
            else:
                refused(answer, 429, "rate_limited")
                assert 1 <= int(header_of(answer, "retry-after")) <= 60
                assert header_of(answer, "ratelimit").startswith('"key";r=0;t=')
            if number % 10 == 0:
                ok(await replace(others[number // 10 % len(others)], http=four[number // 10 % 4]).get("/accounts"))
            clock.wait(60 / (10 * limit))
    allowed = limit + seconds * limit / 60
    assert 0.9 * allowed <= passed <= 1.2 * allowed


async def test_a_refused_key_passes_when_it_waits_as_told(free: World) -> None:
    clock = Clock()
    machine = await a_machine(await free.customer(), requests_per_minute=2)
    async with processes(free, clock) as [http]:
        api = replace(machine, http=http)
        answers = [await api.get("/accounts") for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert [header_of(each, "ratelimit") for each in answers] == [
            f'"key";r={left};t={seconds}' for left, seconds in ((1, 30), (0, 60), (0, 60))
        ]
        clock.wait(int(header_of(answers[2], "retry-after")))
        ok(await api.get("/accounts"))


async def test_a_key_has_no_more_than_its_owner_and_uses_that_up(free: World) -> None:
    """A limit of a key cannot lift that of its owner."""
    customer = await free.customer()
    machine = await a_machine(customer, requests_per_minute=1_000)
    async with processes(free, Clock(), settings=replace(SETTINGS, requests=5)) as [http]:
        api = replace(machine, http=http)
        answers = [await api.get("/accounts") for _ in range(6)]
        assert [each.status_code for each in answers] == [200] * 5 + [429]
        assert {header_of(each, "ratelimit-policy") for each in answers} == {'"requests";q=5;w=60'}
        refused(await replace(customer.api, http=http).get("/accounts"), 429, "rate_limited")


async def test_a_key_has_its_limit_also_where_owners_have_none(free: World) -> None:
    customer = await free.customer()
    machine = await a_machine(customer, requests_per_minute=1)
    async with processes(free, Clock(), settings=replace(SETTINGS, requests=0)) as [http]:
        ok(await replace(machine, http=http).get("/accounts"))
        refused(await replace(machine, http=http).get("/accounts"), 429, "rate_limited")
        assert "ratelimit" not in (await replace(customer.api, http=http).get("/accounts")).headers


@pytest.mark.parametrize(("size", "counts"), [(4_000, 1), (4_097, 2), (8_193, 3), (60_000, 10)])
async def test_a_body_counts_for_the_key_as_for_its_owner(free: World, size: int, counts: int) -> None:
    """A body that counts for more than the limit takes all of it."""
    customer, merchant = await free.customer(balance=1_000), await free.merchant()
    machine = await a_machine(customer, scopes=["payments:write"], requests_per_minute=10)
    order: Json = {"merchant_id": merchant.id, "amount": 1, "currency": "USD"}
    body = httpx.Request("POST", "http://x", json=order).content.ljust(size)
    async with processes(free, Clock()) as [http]:
        api = replace(machine, http=http)
        answer = await api.send("POST", "/payments", content=body, key=fresh_key())
        created(answer)
        assert header_of(answer, "ratelimit").split(";")[1] == f"r={10 - counts}"


@pytest.mark.parametrize(
    ("given", "limit"), [({}, 3), ({"requests_per_minute": 5}, 5), ({"requests_per_minute": 0}, None)]
)
async def test_a_rotation_keeps_the_limit_changes_it_or_takes_it_away(
    free: World, given: Json, limit: int | None
) -> None:
    customer = await free.customer()
    body: Json = {"name": "Till", "scopes": ["accounts:read"], "requests_per_minute": 3}
    key = created(await customer.api.post("/api-keys", body))
    assert key["requests_per_minute"] == 3
    new = created(await customer.api.post(f"/api-keys/{key['id']}/rotate", {"old_key_seconds": 60, **given}))
    assert new["requests_per_minute"] == limit
    [shown, _] = ok(await customer.api.get("/api-keys"))["data"]
    assert (shown["id"], shown["requests_per_minute"]) == (new["id"], limit)
    async with processes(free, Clock()) as [http]:
        answer = await replace(customer.api.with_token(new["secret"]), http=http).get("/accounts")
    policy = f'"requests";q={OWNER_LIMIT};w=60' if limit is None else f'"key";q={limit};w=60'
    assert header_of(answer, "ratelimit-policy") == policy


@pytest.mark.parametrize("requests_per_minute", [0, -1, 1_000_001, 1.5, "60", True])
async def test_a_limit_that_is_none_is_refused(free: World, requests_per_minute: object) -> None:
    customer = await free.customer()
    body: Json = {"name": "Till", "scopes": ["accounts:read"], "requests_per_minute": requests_per_minute}
    problem = refused(await customer.api.post("/api-keys", body), 400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == ["/requests_per_minute"]


async def test_the_lane_takes_no_token_of_a_key_that_it_leaves_to_the_endpoint(free: World) -> None:
    """The lane closes what `count_request` returns, and the endpoint counts the request."""
    clock = Clock()
    machine = await a_machine(await free.customer(), requests_per_minute=1)
    caller = await free.gateway.access.authenticate(str(machine.token))
    limits = rate_limits(SETTINGS, MemoryRateBudgets(clock), clock)

    class Request:
        gateway = replace(free.gateway, rate_limits=limits)

    class Operation:
        roles = (caller.role,)

    request: Any = Request()
    request.caller = caller
    for _ in range(3):
        drawn = count_request(request, Operation())  # type: ignore[arg-type]  # all that it reads of an operation.
        assert drawn is not None
        drawn.close()
    assert limits.of_keys is not None
    assert await limits.of_keys.of(1).take(str(caller.session_id)) == 0


async def test_a_process_has_buckets_for_so_many_different_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten: its keys draw again."""
    monkeypatch.setattr(key_limits, "LIMITERS_MAX", 2)
    clock = Clock()
    of_keys = key_limits.KeyLimiters(MemoryRateBudgets(clock), clock, processes_max=1)
    first, second = of_keys.of(1), of_keys.of(2)
    assert of_keys.of(1) is first
    of_keys.of(3)
    assert of_keys.of(2) is second
    assert of_keys.of(1) is not first
