"""The audit log: who has done what, from where. It has no secrets, and strangers cannot fill it."""

import json
import logging
from collections.abc import Mapping

import pytest

from gateway import AuditAction, AuditFilter, Caller, FreezeAccount, Role, UserId
from gateway.application.access.sign_in_records import REFUSED_PER_MINUTE_MAX
from gateway.application.errors import RoleForbidden
from gateway.application.ports.sessions import SessionId
from gateway.domain.account import AccountId
from support.api_client import PASSWORD, Json, Person, World, created, fresh_key, ok, refused

REASON: Json = {"reason": "Their laptop was stolen"}


async def records(operator: Person, **where: str | int) -> list[Json]:
    found: list[Json] = ok(await operator.api.get("/audit", **{"limit": 100, **where}))["data"]
    return found


async def told(operator: Person, **where: str | int) -> list[tuple[str, str, Json, Json]]:
    """What records tell, the oldest first."""
    found = await records(operator, **where)
    return [(each["action"], each["object_id"], each["before"], each["after"]) for each in reversed(found)]


async def test_what_operators_do_is_recorded_with_the_request(world: World, operator: Person) -> None:
    customer, shop = await world.customer(), await world.merchant()
    frozen = await operator.api.post(f"/accounts/{customer.account_id}/freeze")
    ok(await operator.api.post(f"/accounts/{customer.account_id}/freeze"))
    for action in ("disable", "enable", "end-sessions"):
        ok(await operator.api.post(f"/users/{shop.id}/{action}", REASON))
    ok(await operator.api.send("PUT", f"/merchants/{shop.id}/fees", {"currency": "USD", "basis_points": 290}))
    ok(await operator.api.send("PUT", "/rates/EUR/USD", {"rate": "1.08"}))
    ok(await operator.api.send("PUT", "/rates/EUR/USD", {"rate": "1.09", "spread_basis_points": 5}))
    deposit = await operator.deposit(100, account_id=shop.account_id)
    reverse = f"/transactions/{deposit['transaction_id']}/reverse"
    reversal = created(await operator.api.post(reverse, {"reason": "Twice"}, key=fresh_key()))
    ok(await operator.api.post(f"/accounts/{shop.account_id}/close", {"reason": "A mistake"}))

    login, *deeds = await told(operator, actor=operator.id)
    assert (login[0], login[1], login[2], list(login[3])) == ("session.started", operator.id, {}, ["session_id"])
    assert deeds == [
        ("account.frozen", customer.account_id, {"status": "open"}, {"status": "frozen"}),
        ("user.disabled", shop.id, {"status": "active"}, {"status": "disabled", "accounts": 1}),
        ("user.enabled", shop.id, {"status": "disabled"}, {"status": "active", "accounts": 1}),
        ("sessions.ended", shop.id, {}, {}),
        (
            "fees.changed",
            shop.account_id,
            {"basis_points": 0, "fixed_minor": 0},
            {"basis_points": 290, "fixed_minor": 0},
        ),
        ("rate.changed", "EUR/USD", {}, {"rate": "1.08", "spread_basis_points": 0}),
        (
            "rate.changed",
            "EUR/USD",
            {"rate": "1.08", "spread_basis_points": 0},
            {"rate": "1.09", "spread_basis_points": 5},
        ),
        ("deposit.made", deposit["id"], {}, {"account_id": shop.account_id, "amount": 100, "currency": "USD"}),
        (
            "transaction.reversed",
            deposit["transaction_id"],
            {},
            {"reversed_by": reversal["id"], "amount": 100, "currency": "USD"},
        ),
        ("account.closed", shop.account_id, {"status": "open"}, {"status": "closed"}),
    ]
    [record] = await records(operator, action="account.frozen")
    assert record["actor"] == {"kind": "operator", "id": operator.id}
    assert (record["request_id"], record["address"]) == (frozen.headers["request-id"], "127.0.0.1")
    [disabled] = await records(operator, action="user.disabled", object_id=shop.id)
    assert disabled["reason"] == REASON["reason"]


async def test_what_users_do_is_recorded_and_payments_are_not(world: World, operator: Person) -> None:
    customer, shop = await world.customer(balance=100), await world.merchant()
    await customer.pay(shop, 40)
    created(
        await customer.api.post(
            "/payouts", {"account_id": customer.account_id, "amount": 1, "currency": "USD"}, key="p"
        )
    )
    body: Json = {"url": "https://shop.example/hooks/secret-path", "events": ["payment.*"]}
    endpoint = created(await shop.api.post("/webhook-endpoints", body))
    path = f"/webhook-endpoints/{endpoint['id']}"
    ok(await shop.api.send("PATCH", path, {"enabled": False, "url": "https://shop.example/other"}))
    ok(await shop.api.send("PATCH", path, {"enabled": False}))
    ok(await shop.api.post(f"{path}/rotate-secret"))
    assert (await shop.api.send("DELETE", path)).status_code == 204
    key = created(await shop.api.post("/api-keys", {"name": "Till 7", "scopes": ["webhooks:write"]}))
    machine = shop.api.with_token(key["secret"])
    made_by_key = created(await machine.post("/webhook-endpoints", body))
    rotated = created(await shop.api.post(f"/api-keys/{key['id']}/rotate", {}))
    assert (await shop.api.send("DELETE", f"/api-keys/{rotated['id']}")).status_code == 204
    change: Json = {"current_password": PASSWORD, "new_password": "a longer and better one"}
    assert (await customer.api.post("/users/me/password", change)).status_code == 204

    facts: Json = {"owner_id": shop.id, "events": "payment.*"}
    of_key: Json = {"owner_id": shop.id, "scopes": "webhooks:write"}
    assert (await told(operator, actor=shop.id))[1:] == [
        ("endpoint.created", endpoint["id"], {}, {**facts, "enabled": True}),
        ("endpoint.changed", endpoint["id"], {"enabled": True}, {"enabled": False, "url_changed": True}),
        ("endpoint.secret_rotated", endpoint["id"], {}, {}),
        ("endpoint.deleted", endpoint["id"], {}, {**facts, "enabled": False}),
        ("api_key.created", key["id"], {}, of_key),
        ("api_key.rotated", key["id"], {}, {**of_key, "new_key_id": rotated["id"]}),
        ("api_key.revoked", rotated["id"], {}, of_key),
    ]
    [by_key] = await records(operator, actor=key["id"])
    assert (by_key["action"], by_key["object_id"]) == ("endpoint.created", made_by_key["id"])
    assert by_key["actor"] == {"kind": "api_key", "id": key["id"]}
    actions = [action for action, *_ in await told(operator, actor=customer.id)]
    assert actions == ["session.started", "password.changed"]
    assert {each["actor"]["kind"] for each in await records(operator, actor=customer.id)} == {"user"}


async def test_refused_logins_are_recorded_as_they_double_and_within_a_bound(world: World, operator: Person) -> None:
    customer = await world.customer()
    wrong: Json = {"email": customer.email, "password": "wrong horse"}
    for _ in range(5):
        refused(await world.anyone.post("/users/login", wrong), 401, "invalid_credentials")
    seen = await records(operator, action="session.refused")
    assert [(each["object_id"], each["after"]["failures"]) for each in seen] == [(customer.id, n) for n in (4, 2, 1)]
    assert seen[0]["after"] == {"code": "invalid_credentials", "failures": 4, "left_out": 1}
    assert {each["actor"]["id"] for each in seen} == {"anonymous"}

    strangers = 45
    for number in range(strangers):
        nobody: Json = {"email": f"nobody-{number}@example.com", "password": "wrong horse"}
        refused(await world.anyone.post("/users/login", nobody), 401, "invalid_credentials")
    assert len(await records(operator, action="session.refused")) == 3 + strangers <= REFUSED_PER_MINUTE_MAX


async def test_no_more_refused_logins_are_recorded_in_a_minute_than_the_limit(
    world: World, operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.application.access.sign_in_records.REFUSED_PER_MINUTE_MAX", 3)
    for number in range(7):
        nobody: Json = {"email": f"nobody-{number}@example.com", "password": "wrong horse"}
        refused(await world.anyone.post("/users/login", nobody), 401, "invalid_credentials")
    assert len(await records(operator, action="session.refused")) == 3
    world.clock.advance(61)
    refused(
        await world.anyone.post("/users/login", {"email": "x@example.com", "password": "wrong"}),
        401,
        "invalid_credentials",
    )
    newest, *_ = await records(operator, action="session.refused")
    assert newest["after"]["left_out"] == 4
    assert newest["object_id"] == "unknown"


async def test_a_disabled_user_who_logs_in_with_the_right_password_is_recorded(world: World, operator: Person) -> None:
    customer = await world.customer()
    ok(await operator.api.post(f"/users/{customer.id}/disable", REASON))
    refused(
        await world.anyone.post("/users/login", {"email": customer.email, "password": PASSWORD}), 403, "user_disabled"
    )
    [record] = await records(operator, action="session.refused", object_id=customer.id)
    assert record["after"]["code"] == "user_disabled"


async def test_the_log_is_read_in_pages_with_filters(world: World, operator: Person) -> None:
    customer = await world.customer()
    for _ in range(3):
        for action in ("freeze", "unfreeze"):
            world.clock.advance(1)
            ok(await operator.api.post(f"/accounts/{customer.account_id}/{action}"))
    whole = await records(operator, object_id=customer.account_id)
    assert [each["action"] for each in whole] == ["account.unfrozen", "account.frozen"] * 3
    paged: list[Json] = []
    cursor: Mapping[str, str] = {}
    while True:
        page = ok(await operator.api.get("/audit", object_id=customer.account_id, limit=4, **cursor))
        paged += page["data"]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged == whole
    middle = whole[3]["created_at"]
    assert await records(operator, object_id=customer.account_id, created_after=middle) == whole[:4]
    assert await records(operator, object_id=customer.account_id, created_before=middle) == whole[4:]
    refused(await operator.api.get("/audit", action="nothing"), 400, "validation_error")
    refused(await customer.api.get("/audit"), 403, "role_forbidden")


async def test_python_reads_the_log_and_names_who_acts(world: World, operator: Person) -> None:
    gateway, customer = world.gateway, await world.customer()
    account_id = AccountId(customer.account_id)
    await gateway.execute(FreezeAccount(account_id=account_id))
    caller = await gateway.access.authenticate(str(operator.api.token))
    page = await gateway.audit.records(caller, AuditFilter(action=AuditAction.ACCOUNT_FROZEN), limit=1)
    assert [(each.origin.actor.id, each.note.object_id) for each in page.items] == [("system", account_id)]
    stranger = Caller(user_id=UserId(customer.id), role=Role.CUSTOMER, session_id=SessionId("ses_1"))
    with pytest.raises(RoleForbidden):
        await gateway.audit.records(stranger)
    merchant = Caller(user_id=UserId((await world.merchant()).id), role=Role.MERCHANT)
    with pytest.raises(RoleForbidden):
        await gateway.audit.begin_export(merchant)


async def test_no_secret_that_somebody_types_is_in_the_log_an_event_or_an_answer(
    world: World, operator: Person, caplog: pytest.LogCaptureFixture
) -> None:
    canary = "canary-7f3a9d"
    caplog.set_level(logging.DEBUG)
    answers: list[str] = []

    async def ask(person_or_api: object, path: str, body: Json, method: str = "POST", key: str | None = None) -> None:
        api = person_or_api.api if isinstance(person_or_api, Person) else world.anyone
        answers.append((await api.send(method, path, body, key=key)).text)

    customer, shop = await world.customer(balance=100), await world.merchant()
    await ask(None, "/users/login", {"email": f"{canary}@example.com", "password": f"{canary}-1"})
    await ask(None, "/users/login", {"email": customer.email, "password": f"{canary}-2"})
    await ask(customer, "/users/me/password", {"current_password": f"{canary}-3", "new_password": f"{canary}-4"})
    await ask(customer, "/users/me/password", {"current_password": PASSWORD, "new_password": f"{canary}-5"})
    await ask(None, "/users/login", {"email": customer.email, "password": f"{canary}-5"})
    await ask(None, "/users/refresh", {"refresh_token": f"rt_{canary}"})
    await ask(shop, "/accounts", {"currency": "EUR"}, key=f"{canary}-6")
    await ask(operator, f"/accounts/{shop.account_id}/freeze", {}, key=f"{canary}-7")
    endpoint = created(
        await shop.api.post("/webhook-endpoints", {"url": f"https://shop.example/{canary}-8", "events": ["*"]})
    )
    ok(await shop.api.post(f"/webhook-endpoints/{endpoint['id']}/rotate-secret"))
    await ask(operator, f"/users/{shop.id}/disable", REASON, key=f"{canary}-9")

    events = "".join(event.data.decode() for event in await world.gateway.events.read(limit=1_000))
    log = json.dumps(await records(operator))
    logs = caplog.text + "".join(str(vars(record)) for record in caplog.records if record.name.startswith("gateway"))
    for text in (events, log, logs, *answers):
        assert canary not in text
        assert endpoint["secret"] not in text
    assert "endpoint.secret_rotated" in log
