"""API keys over HTTP: shown once, limited to their scopes, refused once they have ended."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from gateway.adapters.memory import memory_storage
from gateway.application.ports.batch_records import AnswerKey
from gateway.application.ports.unit_of_work import TryAgain, Wanted
from gateway.contracts.records import load
from gateway.domain.user import UserId
from support.api_client import Api, Json, Person, World, created, fresh_key, ok, open_world, refused
from support.builders import Fault, Watch, watched

BODY: Json = {"name": "Shop", "scopes": ["payments:read", "payments:write"]}


async def a_key(person: Person, *scopes: str) -> Json:
    return created(await person.api.post("/api-keys", {"name": "Till", "scopes": scopes or BODY["scopes"]}))


def machine(person: Person, key: Json) -> Api:
    return person.api.with_token(key["secret"])


async def test_a_key_is_shown_once(merchant: Person) -> None:
    key = created(await merchant.api.post("/api-keys", {**BODY, "expires_at": "2030-06-01T00:00:00+02:00"}))
    secret = key.pop("secret")
    assert secret.startswith("gk_test_" + key["id"].removeprefix("key_") + "_")
    assert secret.endswith(key["last_four"])
    assert key == {
        "id": key["id"],
        "object": "api_key",
        "owner_id": merchant.id,
        "name": "Shop",
        "scopes": ["payments:read", "payments:write"],
        "last_four": secret[-4:],
        "created_at": key["created_at"],
        "expires_at": "2030-05-31T22:00:00Z",
        "revoked_at": None,
        "replaced_by": None,
        "last_used_at": None,
        "requests_per_minute": None,
    }
    assert ok(await merchant.api.get(f"/api-keys/{key['id']}")) == key
    assert ok(await merchant.api.get("/api-keys"))["data"] == [key]


async def test_a_key_does_what_its_owner_may_within_its_scopes(
    world: World, customer: Person, merchant: Person
) -> None:
    api = machine(customer, await a_key(customer))
    body: Json = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}
    payment = created(await api.post("/payments", body, key=fresh_key()))
    assert payment["customer_id"] == customer.id
    assert ok(await api.get("/payments"))["data"] == [payment]
    missing = refused(await api.get("/transactions"), 403, "scope_missing")
    assert missing["required_scope"] == "transactions:read"
    refused(await api.post(f"/payments/{payment['id']}/refunds", {}, key=fresh_key()), 403, "role_forbidden")
    # The idempotency keys of an owner and of the owner's API keys are the same ones.
    again = await customer.api.post("/payments", body, key="shared")
    replayed = await api.post("/payments", body, key="shared")
    assert (replayed.content, replayed.headers["idempotency-replayed"]) == (again.content, "true")
    assert world.gateway.access.caller_at_once(str(api.token)) is not None


async def test_no_key_makes_shows_or_ends_keys_or_sessions(customer: Person) -> None:
    key = await a_key(customer, "payments:read", "accounts:read")
    api = machine(customer, key)
    for method, path in (
        ("POST", "/api-keys"),
        ("GET", "/api-keys"),
        ("GET", f"/api-keys/{key['id']}"),
        ("DELETE", f"/api-keys/{key['id']}"),
        ("POST", f"/api-keys/{key['id']}/rotate"),
        ("POST", "/users/logout"),
        ("POST", "/users/me/password"),
    ):
        assert refused(await api.send(method, path), 403, "scope_missing")["required_scope"] is None
    assert ok(await api.get("/users/me"))["id"] == customer.id


async def test_a_revoked_key_is_refused_at_once_and_stays_in_the_list(world: World, merchant: Person) -> None:
    key = await a_key(merchant)
    api = machine(merchant, key)
    ok(await api.get("/payments"))
    for _ in range(2):
        assert (await merchant.api.send("DELETE", f"/api-keys/{key['id']}")).status_code == 204
    answer = await api.get("/payments")
    refused(answer, 401, "api_key_invalid")
    assert answer.headers["www-authenticate"] == 'Bearer realm="gateway", error="invalid_token"'
    assert ok(await merchant.api.get(f"/api-keys/{key['id']}"))["revoked_at"] is not None
    world.clock.advance(600)
    refused(await api.get("/payments"), 401, "api_key_invalid")
    refused(await merchant.api.post(f"/api-keys/{key['id']}/rotate"), 409, "api_key_ended")


async def test_an_expired_key_is_refused(world: World, merchant: Person) -> None:
    expires_at = (world.clock() + timedelta(seconds=60)).isoformat()
    key = created(await merchant.api.post("/api-keys", {**BODY, "expires_at": expires_at}))
    ok(await machine(merchant, key).get("/payments"))
    world.clock.advance(60)
    refused(await machine(merchant, key).get("/payments"), 401, "api_key_invalid")


async def test_a_rotated_key_lives_on_for_the_chosen_time(world: World, merchant: Person) -> None:
    old = await a_key(merchant)
    answer = await merchant.api.post(f"/api-keys/{old['id']}/rotate", {"old_key_seconds": 60})
    new = created(answer)
    assert (new["name"], new["scopes"]) == (old["name"], old["scopes"])
    assert ok(await merchant.api.get(f"/api-keys/{old['id']}"))["replaced_by"] == new["id"]
    for key in (old, new):
        ok(await machine(merchant, key).get("/payments"))
    world.clock.advance(60)
    refused(await machine(merchant, old).get("/payments"), 401, "api_key_invalid")
    ok(await machine(merchant, new).get("/payments"))
    newest = created(await merchant.api.post(f"/api-keys/{new['id']}/rotate"))
    refused(await machine(merchant, new).get("/payments"), 401, "api_key_invalid")
    ok(await machine(merchant, newest).get("/payments"))


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"scopes": []}, "/scopes", "value_invalid"),
        ({"scopes": ["payments:read"] * 2}, "/scopes", "value_invalid"),
        ({"scopes": ["payments:all"]}, "/scopes", "scope_unknown"),
        ({"scopes": ["refunds:write"]}, "/scopes", "scope_not_allowed"),
        ({"scopes": "payments:read"}, "/scopes", "type_mismatch"),
        ({"name": ""}, "/name", "value_invalid"),
        ({"name": "x" * 101}, "/name", "value_invalid"),
        ({"name": "4111 1111 1111 1111"}, "/name", "card_number"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at", "value_invalid"),
        ({"expires_at": "2050-01-01T00:00:00Z"}, "/expires_at", "value_invalid"),
        ({"expires_at": "2050-01-01"}, "/expires_at", "value_invalid"),
        ({"secret": "x"}, "/secret", "field_unknown"),
    ],
)
async def test_what_is_wrong_with_a_key_is_said(customer: Person, change: Json, pointer: str, code: str) -> None:
    problem = refused(await customer.api.post("/api-keys", {**BODY, **change}), 400, "validation_error")
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [(pointer, code)]


@pytest.mark.parametrize("seconds", [-1, 86_401, 1.5, "60", True])
async def test_a_rotation_within_a_day_is_refused_for_any_other_time(merchant: Person, seconds: object) -> None:
    key = await a_key(merchant)
    refused(
        await merchant.api.post(f"/api-keys/{key['id']}/rotate", {"old_key_seconds": seconds}), 400, "validation_error"
    )


@pytest.mark.parametrize("action", ["create", "rotate"])
async def test_a_replay_makes_no_second_key_and_does_not_show_the_secret_again(
    world: World, merchant: Person, action: str
) -> None:
    path, body = "/api-keys", BODY
    if action == "rotate":
        path, body = f"/api-keys/{(await a_key(merchant))['id']}/rotate", {}
    before = len(ok(await merchant.api.get("/api-keys"))["data"])
    first = created(await merchant.api.post(path, body, key="k"))
    answer = await merchant.api.post(path, body, key="k")
    assert answer.headers["idempotency-replayed"] == "true"
    assert created(answer) == {**first, "secret": None}
    assert len(ok(await merchant.api.get("/api-keys"))["data"]) == before + 1
    # Nothing that is stored has it.
    stored = await load(world.gateway.storage, Wanted(answers=[AnswerKey(UserId(merchant.id), "k")]))
    [found] = stored.answers
    secret = first["secret"][-40:].encode()
    assert secret not in found.body
    assert all(secret not in event.data for event in await world.gateway.events.read(limit=1_000))


async def test_a_key_is_shown_to_the_request_that_made_it_also_if_the_acknowledgement_of_the_commit_was_lost() -> None:
    watch = Watch()
    async with open_world(storage=watched(memory_storage(), watch)) as world:
        merchant = await world.merchant()
        for key in (None, "k"):
            watch.spoil([Fault(after=TryAgain("The connection was lost."))])
            made = created(await merchant.api.post("/api-keys", BODY, key=key))
            assert not watch.faults
            ok(await machine(merchant, made).get("/payments"))
        assert len(ok(await merchant.api.get("/api-keys"))["data"]) == 2


async def test_requests_with_one_idempotency_key_at_once_make_one_key(merchant: Person) -> None:
    answers = await asyncio.gather(*(merchant.api.post("/api-keys", BODY, key="k") for _ in range(4)))
    keys = [created(answer) for answer in answers]
    assert len({key["id"] for key in keys}) == 1
    assert sum(key["secret"] is not None for key in keys) == 1


async def test_a_merchant_sees_the_events_about_their_keys(merchant: Person) -> None:
    key = await a_key(merchant)
    await merchant.api.send("DELETE", f"/api-keys/{key['id']}")
    events = ok(await merchant.api.get("/events", type="api_key.*"))["data"]
    assert [event["type"] for event in events] == ["api_key.revoked", "api_key.created"]
    assert "secret" not in msgspec.json.encode(events).decode()
