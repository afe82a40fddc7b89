"""A merchant sees its own part of the audit log, without what identifies operators; and operators tell why they act."""

from dataclasses import replace
from typing import Any, cast

import pytest

from gateway import TRUSTED, AuditFilter, InvalidInput, UserId
from support.api_client import PASSWORD, Json, Person, World, created, fresh_key, ok, refused

REASON = "The police have asked"


async def records(person: Person, **where: str | int) -> list[Json]:
    found: list[Json] = ok(await person.api.get("/audit", **{"limit": 100, **where}))["data"]
    return found


async def logged_in_again(person: Person) -> Person:
    answer = ok(await person.api.post("/users/login", {"email": person.email, "password": PASSWORD}))
    return replace(person, api=person.api.with_token(answer["access_token"]))


async def a_history(operator: Person, shop: Person) -> Json:
    """What a merchant and an operator do that concerns the merchant. Returns an API key of the merchant."""
    why: Json = {"reason": REASON}
    for action in ("freeze", "unfreeze"):
        ok(await operator.api.post(f"/accounts/{shop.account_id}/{action}", why))
    fees: Json = {"currency": "USD", "basis_points": 290, **why}
    ok(await operator.api.send("PUT", f"/merchants/{shop.id}/fees", fees))
    deposit = await operator.deposit(100, account_id=shop.account_id)
    created(await operator.api.post(f"/transactions/{deposit['transaction_id']}/reverse", why, key=fresh_key()))
    endpoint = created(await shop.api.post("/webhook-endpoints", {"url": "https://shop.example/", "events": ["*"]}))
    assert (await shop.api.send("DELETE", f"/webhook-endpoints/{endpoint['id']}")).status_code == 204
    key = created(
        await shop.api.post("/api-keys", {"name": "Till", "scopes": ["webhooks:write"], "requests_per_minute": 60})
    )
    machine = shop.api.with_token(key["secret"])
    created(await machine.post("/webhook-endpoints", {"url": "https://shop.example/", "events": ["*"]}))
    member = created(await shop.api.post("/members", {"email": "grace@example.com", "role": "viewer"}))["id"]
    ok(await shop.api.send("PATCH", f"/members/{member}", {"role": "support"}))
    assert (await shop.api.send("DELETE", f"/members/{member}")).status_code in {200, 204}
    customer = created(await shop.api.post("/customers", {"name": "Ada"}))
    ok(await shop.api.send("PATCH", f"/customers/{customer['id']}", {"email": "ada@example.com"}))
    created(await shop.api.post(f"/customers/{customer['id']}/invitations", {}))
    wrong: Json = {"email": shop.email, "password": "wrong horse"}
    refused(await shop.api.post("/users/login", wrong), 401, "invalid_credentials")
    for action in ("disable", "enable", "end-sessions"):
        ok(await operator.api.post(f"/users/{shop.id}/{action}", why))
    return key


EXPECTED = [
    ("user", "session.started"),
    ("operator", "account.frozen"),
    ("operator", "account.unfrozen"),
    ("operator", "fees.changed"),
    ("operator", "deposit.made"),
    ("operator", "transaction.reversed"),
    ("user", "endpoint.created"),
    ("user", "endpoint.deleted"),
    ("user", "api_key.created"),
    ("api_key", "endpoint.created"),
    ("user", "member.invited"),
    ("user", "member.changed"),
    ("user", "member.removed"),
    ("user", "customer.changed"),
    ("user", "customer.invited"),
    ("anonymous", "session.refused"),
    ("operator", "user.disabled"),
    ("operator", "user.enabled"),
    ("operator", "sessions.ended"),
]
"""Of the merchant, the oldest first. The merchant logs in again to read it."""


async def test_a_merchant_sees_what_concerns_it_and_nothing_of_others(world: World, operator: Person) -> None:
    shop, other = await world.merchant(), await world.merchant()
    key = await a_history(operator, shop)
    await a_history(operator, other)
    again = await logged_in_again(shop)
    seen = list(reversed(await records(again)))
    assert [(each["actor"]["kind"], each["action"]) for each in seen][:-1] == EXPECTED
    assert {each["owner_id"] for each in seen} == {shop.id}
    of_operator = [each for each in seen if each["actor"]["kind"] == "operator"]
    assert {each["actor"]["id"] for each in of_operator} == {"operators"}
    for hidden in ("address", "request_id", "reason"):
        assert {each[hidden] for each in of_operator} == {None}
    own = [each for each in seen if each["actor"]["kind"] != "operator"]
    assert {each["actor"]["id"] for each in own} == {shop.id, key["id"], "anonymous"}
    assert {each["address"] for each in own} == {"127.0.0.1"}
    [made] = [each for each in seen if each["action"] == "api_key.created"]
    assert made["after"]["requests_per_minute"] == 60
    assert await records(again, owner_id=shop.id) == await records(again)
    assert await records(again, owner_id=other.id) == []
    assert await records(again, action="account.frozen", object_id=other.account_id) == []


async def test_operators_see_all_of_it_with_reasons(world: World, operator: Person) -> None:
    shop = await world.merchant()
    await a_history(operator, shop)
    seen = list(reversed(await records(operator, owner_id=shop.id)))
    assert [(each["actor"]["kind"], each["action"]) for each in seen] == EXPECTED
    of_operator = [each for each in seen if each["actor"]["kind"] == "operator"]
    assert {each["actor"]["id"] for each in of_operator} == {operator.id}
    assert {each["action"] for each in of_operator if each["reason"] != REASON} == {"deposit.made"}
    ok(await operator.api.send("PUT", "/rates/EUR/USD", {"rate": "1.08", "reason": REASON}))
    [rate] = await records(operator, action="rate.changed")
    assert (rate["reason"], rate["owner_id"]) == (REASON, None)


async def test_who_asks_for_an_operator_by_their_id_learns_nothing(world: World, operator: Person) -> None:
    """Nor does who asks for the API key of an operator."""
    shop = await world.merchant()
    await a_history(operator, shop)
    key = created(await operator.api.post("/api-keys", {"name": "Bank", "scopes": ["payouts:write"]}))
    body: Json = {"account_id": shop.account_id, "amount": 5, "currency": "USD"}
    created(await operator.api.with_token(key["secret"]).post("/deposits", body, key=fresh_key()))
    again = await logged_in_again(shop)
    for actor in (operator.id, key["id"], "operators", "usr_nobody"):
        page = ok(await again.api.get("/audit", actor=actor, limit=1))
        assert (page["data"], page["has_more"], page["next_cursor"]) == ([], False, None)
    [by_key, *_] = await records(again, action="deposit.made")
    assert by_key["actor"] == {"kind": "operator", "id": "operators"}
    assert {each["actor"]["id"] for each in await records(again, actor=shop.id)} == {shop.id}
    assert len(await records(again, actor="anonymous")) == 1


@pytest.mark.parametrize("reason", ["", "x" * 501, "card 4111 1111 1111 1111"])
async def test_a_reason_that_is_none_is_refused(world: World, operator: Person, reason: str) -> None:
    shop = await world.merchant()
    for method, path, body in (
        ("POST", f"/accounts/{shop.account_id}/freeze", {}),
        ("POST", f"/accounts/{shop.account_id}/unfreeze", {}),
        ("PUT", f"/merchants/{shop.id}/fees", {"basis_points": 5}),
        ("PUT", "/rates/EUR/USD", {"rate": "1.08"}),
    ):
        problem = refused(await operator.api.send(method, path, {**body, "reason": reason}), 400, "validation_error")
        assert [error["pointer"] for error in problem["errors"]] == ["/reason"]


async def test_a_freeze_without_a_reason_is_the_request_that_it_was(world: World, operator: Person) -> None:
    """Keys of before an update stay good: no body and an empty object are the same request."""
    shop = await world.merchant()
    path, key = f"/accounts/{shop.account_id}/freeze", fresh_key()
    first = await operator.api.post(path, key=key)
    again = await operator.api.post(path, {}, key=key)
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    refused(await operator.api.post(path, {"reason": REASON}, key=key), 422, "idempotency_key_reused")


async def test_an_export_is_recorded_before_it_begins(world: World, operator: Person) -> None:
    shop = await world.merchant()
    where = AuditFilter(owner_id=UserId(shop.id))
    caller = await world.gateway.access.authenticate(str(operator.api.token))
    by_operator = await world.gateway.audit.begin_export(caller)
    by_program = await world.gateway.audit.begin_export(TRUSTED, where)
    assert (by_operator.origin.actor.id, by_program.origin.actor.kind.value) == (operator.id, "operator")
    seen = await records(operator, action="audit.exported")
    assert [each["after"] for each in seen] == [{"owner_id": where.owner_id}, {}]
    assert {(each["object_id"], each["owner_id"]) for each in seen} == {("audit", None)}
    page = await world.gateway.audit.records(TRUSTED, before=by_operator.id, limit=100)
    assert {record.note.owner_id for record in page.items} == {shop.id, operator.id}


async def test_an_export_records_known_ids_alone(world: World, operator: Person) -> None:
    """Ids of keys and customers without records are known, too, and so are the names in place of ids."""
    shop = await world.merchant()
    key = created(await shop.api.post("/api-keys", {"name": "Till", "scopes": ["payments:write"]}))
    customer = created(await shop.api.post("/customers", {"name": "Ada", "email": "ada@example.com"}))
    ok(await operator.api.post(f"/accounts/{shop.account_id}/freeze"))
    audit = world.gateway.audit
    known: tuple[dict[str, Any], ...] = (
        {"actor": key["id"], "owner_id": UserId(customer["id"])},
        {"object_id": shop.account_id},
        {"actor": "cli", "object_id": "unknown"},
    )
    for given in known:
        record = await audit.begin_export(TRUSTED, AuditFilter(**given))
        assert dict(record.note.after) == given
    for name in ("actor", "object_id", "owner_id"):
        for nobody in (shop.email, "ada@example.com", "usr_typo"):
            with pytest.raises(InvalidInput) as refusal:
                await audit.begin_export(TRUSTED, AuditFilter(**cast("Any", {name: nobody})))
            assert [each.field for each in refusal.value.errors] == [name]
    seen = await records(operator, action="audit.exported")
    assert len(seen) == len(known)
    assert "@" not in repr(seen)
