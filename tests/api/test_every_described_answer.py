"""The OpenAPI document describes no impossible response: every operation is driven into each of its responses."""

import re
from collections.abc import AsyncIterator

import pyotp
import pytest

from gateway.adapters.http.openapi_responses import codes_of
from gateway.adapters.http.operations import Idempotency, Operation
from gateway.adapters.http.problems import KINDS
from gateway.application.ports.events import EventFilter
from gateway.domain.scope import SCOPES_OF_ROLE
from gateway.domain.user import UserId
from support.api_client import (
    PASSWORD,
    Json,
    Person,
    World,
    created,
    fresh_email,
    fresh_key,
    ok,
    open_world,
)
from support.every_operation import EVERY_OPERATION, Everybody
from support.lives_of_payments import AsDescribed, meet_what_lives_of_payments_cause

ELSEWHERE = {
    "internal_error",
    "storage_unavailable",
    "overloaded",
    "request_timeout",
    "headers_too_large",
    "idempotency_in_progress",
    "rate_change_too_large",
    "rates_read_only",
    "rate_limited",
    "second_factor_missing",
}
"""Met in test_failures, test_conventions, test_rate_limits, test_large_bodies, test_second_factor and exchange: they
take a gateway in trouble, a client that hangs, one that asks too often or too much, or a gateway whose rates come from
a file or may not jump, or whose operators need a second factor."""


@pytest.fixture
async def scene() -> AsyncIterator[Everybody]:
    """The key "used" belongs to a request that each of them has made."""
    async with open_world(risk=AsDescribed()) as world:
        world.anyone.contract.seen.clear()
        scene = Everybody(
            world=world,
            customer=await world.customer(balance=1000),
            merchant=await world.merchant(),
            operator=await world.operator(),
        )
        for person in (scene.customer, scene.merchant):
            await person.api.post("/accounts", {"currency": "SEK"}, key="used")
        await scene.operator.api.post(f"/accounts/{scene.customer.account_id}/unfreeze", key="used")
        yield scene


async def test_every_described_answer_can_be_met(scene: Everybody) -> None:
    disabled = await scene.world.customer()
    ok(await scene.operator.api.post(f"/users/{disabled.id}/disable", {"reason": "A stolen laptop"}))
    viewer = await scene.world.member(scene.merchant, "viewer")
    for operation in EVERY_OPERATION:
        await meet_what_tokens_cause(scene, operation, disabled, viewer)
        await meet_what_the_form_causes(scene, operation)
    await meet_what_lives_of_payments_cause(scene.world, scene.operator)
    await meet_what_paying_causes(scene)
    await meet_what_accounts_cause(scene)
    await meet_what_lists_cause(scene)
    await meet_what_events_cause(scene)
    await meet_what_users_cause(scene)
    await meet_what_second_factors_cause(scene.world, disabled)

    refusals = {
        (operation.name, KINDS[code].status, code)
        for operation in EVERY_OPERATION
        for code in codes_of(operation)
        if code not in ELSEWHERE
    }
    successes = {(operation.name, operation.status, "") for operation in EVERY_OPERATION}
    never_met = sorted((refusals | successes) - scene.world.anyone.contract.seen)
    assert never_met == [], f"Nothing here or in tests/support/lives_of_payments.py causes these: {never_met}"


def path_with(operation: Operation, path_id: str = "x") -> str:
    """The path, with this id in place of every id and currency."""
    return re.sub(r"{\w+}", path_id, operation.path)


async def meet_what_tokens_cause(scene: Everybody, operation: Operation, disabled: Person, viewer: Person) -> None:
    if not operation.roles:
        return
    gone = await scene.world.customer()
    await gone.api.post("/users/logout", {"refresh_token": gone.refresh_token})
    now = scene.world.clock.now
    expired = scene.world.gateway.tokens.issue(
        subject="usr_1", role="customer", token_id="1", now=now.replace(year=2000)
    )
    for token in (None, "nonsense", expired, gone.api.token, disabled.api.token):
        await scene.world.anyone.with_token(token).send(operation.method, path_with(operation))
    for person in (scene.customer, scene.merchant, scene.operator):
        await person.api.send(operation.method, path_with(operation), content=b"[]")
    wrong = next(iter(SCOPES_OF_ROLE[min(operation.roles)] - {operation.scope}))
    owner = UserId(scene.person(min(operation.roles)).id)
    key = await scene.world.gateway.api_keys.create(owner_id=owner, name="Till", scopes=[wrong])
    await scene.world.anyone.with_token(key.text).send(operation.method, path_with(operation))
    await scene.world.gateway.api_keys.revoke(key.key.id)
    await scene.world.anyone.with_token(key.text).send(operation.method, path_with(operation))
    for member in (scene.customer.api.acting_for(scene.operator.id), viewer.api):
        await member.send(operation.method, path_with(operation), content=b"[]")


async def meet_what_the_form_causes(scene: Everybody, operation: Operation) -> None:
    api, method, path = scene.who_may(operation), operation.method, path_with(operation)
    await api.send(method, path_with(operation, "%00"))
    await api.send(method, f"{path}?unknown=1", key=fresh_key())
    if operation.idempotency is not Idempotency.NONE:
        await api.send(method, path, operation.example or None)
        await api.send(method, path, operation.example or None, key="two words")
        await api.send(method, path, operation.example or None, key="used")
    if operation.body is not None:
        await api.send(method, path, content=b"[]", key=fresh_key())
        await api.send(method, path, content=b" " * ((operation.body_bytes_max or 65_536) + 1), key=fresh_key())
        await api.send(method, path, content=b"{}", headers={"content-type": "text/plain"}, key=fresh_key())


async def meet_what_paying_causes(scene: Everybody) -> None:
    customer, merchant, operator = scene.customer, scene.merchant, scene.operator
    await customer.pay(merchant, 1, reference="taken")
    body = {"merchant_id": merchant.id, "amount": 1, "currency": "USD"}

    async def pay(**change: object) -> None:
        for path in ("/payments", "/transactions"):
            if path == "/payments" or "reference" not in change:
                await customer.api.post(path, {**body, **change}, key=fresh_key())

    await pay()
    await pay(amount=1_000_000)
    await pay(merchant_id="usr_nobody")
    await pay(merchant_id=customer.id)
    await pay(currency="CHF")
    await pay(currency="ZZZ")
    await pay(reference="taken")
    await operator.api.post(f"/accounts/{customer.account_id}/freeze")
    await pay()
    await operator.api.post(f"/accounts/{customer.account_id}/unfreeze")
    for kind in ("payments", "transactions"):
        [newest, *_] = ok(await customer.api.get(f"/{kind}"))["data"]
        await customer.api.get(f"/{kind}/{newest['id']}")
        await customer.api.get(f"/{kind}/x")
    await scene.world.fill(merchant, room=0)
    await pay()


async def meet_what_accounts_cause(scene: Everybody) -> None:
    customer, operator = scene.customer, scene.operator
    for currency in ("CHF", "CHF", "ZZZ"):
        await customer.api.post("/accounts", {"currency": currency})
    await customer.api.get("/accounts/x")
    for action in ("freeze", "unfreeze"):
        await operator.api.post(f"/accounts/x/{action}")
    await operator.api.get("/ledger/invariants")
    for path in ("/health/live", "/health/ready", "/.well-known/jwks.json"):
        await scene.world.anyone.get(path)
    await customer.api.get(f"/accounts/{customer.account_id}")
    body: Json = {"account_id": customer.account_id, "amount": 1, "currency": "USD"}
    for change in ({}, {"account_id": "x"}, {"currency": "CHF"}, {"currency": "ZZZ"}):
        await customer.api.post("/deposits", {**body, **change}, key=fresh_key())
    await scene.world.fill(customer, room=0)
    await customer.api.post("/deposits", body, key=fresh_key())


async def meet_what_lists_cause(scene: Everybody) -> None:
    for path, other in (
        ("/accounts", "currency=USD"),
        ("/payments", "currency=USD"),
        ("/transactions", "type=payment"),
        ("/events", "type=payment.*"),
    ):
        page = ok(await scene.customer.api.get(path, limit=1))
        for query in (f"cursor={page['next_cursor']}&{other}", "cursor=x", "currency=ZZZ"):
            await scene.customer.api.send("GET", f"{path}?{query}")
    page = ok(await scene.operator.api.get("/audit", limit=1))
    for query in (f"cursor={page['next_cursor']}&actor=system", "cursor=x"):
        await scene.operator.api.send("GET", f"/audit?{query}")
    await scene.merchant.api.get("/webhook-endpoints", cursor="x")


async def meet_what_events_cause(scene: Everybody) -> None:
    merchant, gateway = scene.merchant, scene.world.gateway
    [newest, *_] = ok(await merchant.api.get("/events"))["data"]
    await merchant.api.get(f"/events/{newest['id']}")
    await merchant.api.get("/events/x")
    await merchant.api.get("/events/stream")
    caller = await gateway.access.authenticate(str(merchant.api.token))
    streams = [await gateway.event_hub.open(caller, EventFilter(), after=None) for _ in range(10)]
    await merchant.api.get("/events/stream")
    for stream in streams:
        stream.close()


async def meet_what_users_cause(scene: Everybody) -> None:
    world, anyone = scene.world, scene.world.anyone
    person = await world.customer()
    body: Json = {"email": person.email, "password": PASSWORD, "role": "customer"}
    for change in ({}, {"email": fresh_email(), "currency": "ZZZ"}):
        await anyone.post("/users/register", {**body, **change})
    await person.api.get("/users/me")
    nobody = world.gateway.tokens.issue(subject="usr_0", role="customer", token_id="1", now=world.clock.now)
    password: Json = {"current_password": PASSWORD, "new_password": "a longer and better one"}
    await anyone.with_token(nobody).get("/users/me")
    await anyone.with_token(nobody).post("/users/me/password", password)
    for _ in range(6):
        await person.api.post("/users/me/password", {**password, "current_password": "wrong horse"})
        await anyone.post("/users/login", {"email": scene.merchant.email, "password": "wrong horse"})
    world.clock.advance(60)
    await person.api.post("/users/me/password", password)
    late = await world.signed_in(scene.operator.email)
    refresh = {"refresh_token": late.refresh_token}
    tokens = ok(await anyone.post("/users/refresh", refresh))
    await anyone.post("/users/refresh", {"refresh_token": "x"})
    await anyone.post("/users/refresh", {"refresh_token": person.refresh_token})
    world.clock.advance(31 * 24 * 3600)
    await anyone.post("/users/refresh", {"refresh_token": tokens["refresh_token"]})


async def meet_what_second_factors_cause(world: World, disabled: Person) -> None:
    anyone, person, path = world.anyone, await world.customer(), "/users/second-factor"
    who: Json = {"email": person.email, "password": PASSWORD}
    out: Json = {"email": disabled.email, "password": PASSWORD}
    for suffix, wrong in (("", {}), ("/confirm", {"code": "000000"}), ("/disable", {"code": "000000"})):
        for body in ({**who, "password": "wrong horse"}, out):
            await anyone.post(f"{path}{suffix}", {**body, **wrong})
    secret = created(await anyone.post(path, who))["secret"]
    await anyone.post(f"{path}/confirm", {**who, "code": "x"})
    code = pyotp.TOTP(secret).at(world.clock())
    codes = ok(await anyone.post(f"{path}/confirm", {**who, "code": code}))["recovery_codes"]
    await anyone.post(path, who)
    for fields in (who, {**who, "code": "x"}):
        await anyone.post("/users/login", fields)
    for given in ("x", codes[0]):
        await anyone.post(f"{path}/disable", {**who, "code": given})
