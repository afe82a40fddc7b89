"""Members of a merchant over HTTP: invited, acting with a role, changed and removed."""

import asyncio

import pytest

from gateway.adapters.memory import memory_storage
from gateway.adapters.memory.database import MemoryDatabase
from support.api_client import PASSWORD, Api, Person, World, created, fresh_email, fresh_key, ok, open_world, refused
from support.asgi import ask


async def invite(merchant: Person, email: str, role: str = "viewer") -> dict[str, str]:
    return created(await merchant.api.post("/members", {"email": email, "role": role}))


async def test_a_token_is_shown_once(world: World) -> None:
    merchant, key = await world.merchant(), fresh_key()
    body = {"email": fresh_email(), "role": "support"}
    first = created(await merchant.api.post("/members", body, key=key))
    again = await merchant.api.post("/members", body, key=key)
    assert first["invitation_token"].startswith("gi_")
    assert (again.status_code, again.json()["invitation_token"]) == (201, None)
    assert first["invitation_token"] not in again.text
    for shown in (await merchant.api.get("/members"), await merchant.api.get(f"/members/{first['id']}")):
        assert "token" not in shown.text
    events = ok(await merchant.api.get("/events", type="member.*"))["data"]
    assert [event["data"]["object"] for event in events] == [
        {name: value for name, value in first.items() if name != "invitation_token"}
    ]


async def test_the_answer_to_an_invitation_is_the_same_for_users_and_for_others(world: World) -> None:
    merchant, user = await world.merchant(), await world.customer()
    known, unknown = await invite(merchant, user.email), await invite(merchant, fresh_email())
    differing = {name for name in known if known[name] != unknown[name]}
    assert differing <= {"id", "email", "invitation_token", "created_at", "expires_at"}
    refused(await merchant.api.post("/members", {"email": user.email, "role": "viewer"}), 409, "member_exists")


async def test_a_user_accepts_with_their_own_sign_in_and_acts_for_the_merchant(world: World) -> None:
    merchant, user = await world.merchant(), await world.customer(balance=500)
    member = await invite(merchant, user.email.upper(), "support")
    stranger = await world.customer()
    body = {"token": member["invitation_token"]}
    refused(await stranger.api.post("/invitations/accept", body), 404, "invitation_not_found")
    accepted = ok(await user.api.post("/invitations/accept", body))
    assert (accepted["status"], accepted["user_id"]) == ("active", user.id)
    [membership] = ok(await user.api.get("/memberships"))["data"]
    assert (membership["merchant_id"], membership["role"]) == (merchant.id, "support")
    acting = user.api.acting_for(merchant.id)
    assert ok(await acting.get("/users/me"))["id"] == merchant.id
    assert ok(await user.api.get("/users/me"))["id"] == user.id
    payment = await user.pay(merchant, 200)
    assert created(await acting.post(f"/payments/{payment['id']}/refunds", {"amount": 50}, key=fresh_key()))
    refused(await user.api.post(f"/payments/{payment['id']}/refunds", {}, key=fresh_key()), 403, "role_forbidden")
    payout = {"account_id": merchant.account_id, "amount": 1, "currency": "USD"}
    refused(await acting.post("/payouts", payout, key=fresh_key()), 403, "role_forbidden")
    assert (await user.api.send("DELETE", f"/memberships/{membership['id']}")).status_code == 204
    refused(await acting.get("/users/me"), 403, "not_a_member")


async def test_a_new_user_has_no_accounts_and_is_nothing_but_a_member(world: World) -> None:
    merchant, email = await world.merchant(), fresh_email()
    token = (await invite(merchant, email))["invitation_token"]
    register = {"token": token, "password": PASSWORD, "name": "Grace"}
    refused(
        await world.anyone.post("/invitations/register", {**register, "password": "password"}), 400, "validation_error"
    )
    member = created(await world.anyone.post("/invitations/register", register))
    refused(await world.anyone.post("/invitations/register", register), 404, "invitation_not_found")
    user = await world.signed_in(email)
    assert (user.id, user.account_id) == (member["user_id"], "")
    shown = ok(await user.api.get("/users/me"))
    assert (shown["role"], shown["name"], shown["accounts"]) == ("customer", "Grace", [])
    assert ok(await user.api.acting_for(merchant.id).get("/accounts"))["data"][0]["owner_id"] == merchant.id


async def test_admins_manage_everybody_but_owners(world: World) -> None:
    merchant = await world.merchant()
    owner, admin = await world.member(merchant, "owner"), await world.member(merchant, "admin")
    members = {each["role"]: each for each in ok(await merchant.api.get("/members"))["data"] if each["user_id"]}
    assert members.keys() == {"owner", "admin"}
    by_user = {each["user_id"]: each["id"] for each in ok(await merchant.api.get("/members"))["data"]}
    for role, status in (("viewer", 201), ("admin", 201), ("owner", 403)):
        answer = await admin.api.post("/members", {"email": fresh_email(), "role": role})
        assert answer.status_code == status
    for path in (by_user[owner.id], by_user[admin.id]):
        answer = await admin.api.send("PATCH", f"/members/{path}", {"role": "owner"})
        refused(answer, 403, "role_forbidden")
    refused(await admin.api.send("DELETE", f"/members/{by_user[owner.id]}"), 403, "role_forbidden")
    for api in (owner.api, merchant.api, admin.api):
        path = f"/members/{by_user[merchant.id]}"
        refused(await api.send("DELETE", path), 409, "last_owner")
        refused(await api.send("PATCH", path, {"role": "viewer"}), 409, "last_owner")
    changed = ok(await owner.api.send("PATCH", f"/members/{by_user[admin.id]}", {"role": "viewer", "reason": "Left"}))
    assert changed["role"] == "viewer"
    refused(await admin.api.get("/members"), 403, "role_forbidden")


async def test_a_developers_keys_may_no_more_than_the_developer(world: World) -> None:
    merchant = await world.merchant()
    developer = await world.member(merchant, "developer")
    key = created(await developer.api.post("/api-keys", {"name": "Till", "scopes": ["payments:read"]}))
    assert key["owner_id"] == merchant.id
    assert (await world.anyone.with_token(key["secret"]).get("/payments")).status_code == 200
    for scope in ("payments:write", "payouts:write", "refunds:write"):
        answer = await developer.api.post("/api-keys", {"name": "Till", "scopes": [scope]})
        refused(answer, 400, "validation_error")
        assert answer.json()["errors"][0]["code"] == "scope_not_allowed"
    paying = created(await merchant.api.post("/api-keys", {"name": "Till", "scopes": ["payouts:write"]}))
    refused(await developer.api.post(f"/api-keys/{paying['id']}/rotate"), 403, "role_forbidden")
    assert created(await developer.api.post(f"/api-keys/{key['id']}/rotate"))["secret"]
    assert (await developer.api.send("DELETE", f"/api-keys/{paying['id']}")).status_code == 204


async def test_the_audit_log_has_the_member_and_the_merchant(world: World) -> None:
    merchant, operator = await world.merchant(), await world.operator()
    developer = await world.member(merchant, "developer")
    key = created(await developer.api.post("/api-keys", {"name": "Till", "scopes": ["payments:read"]}))
    await developer.api.send("DELETE", f"/api-keys/{key['id']}")
    endpoint = created(await developer.api.post("/webhook-endpoints", {"url": "https://a.example/", "events": ["*"]}))
    await developer.api.send("DELETE", f"/webhook-endpoints/{endpoint['id']}")
    records = ok(await operator.api.get("/audit", actor=developer.id))["data"]
    acted = [each for each in records if each["action"].startswith(("api_key", "endpoint"))]
    assert [each["action"] for each in acted] == [
        "endpoint.deleted",
        "endpoint.created",
        "api_key.revoked",
        "api_key.created",
    ]
    assert {(each["actor"]["kind"], each["after"]["acts_for"]) for each in acted} == {("user", merchant.id)}
    own = ok(await operator.api.get("/audit", actor=merchant.id))["data"]
    assert all("acts_for" not in each["after"] for each in own)


async def test_a_malformed_or_repeated_header_is_refused(world: World) -> None:
    user = await world.customer()
    for value in ("", "x" * 65, "usr_\u00e9", "usr 1\t2"):
        answer = await user.api.send("GET", "/accounts", headers={"gateway-merchant": value.encode()})
        refused(answer, 400, "validation_error")
        assert answer.json()["errors"][0]["header"] == "Gateway-Merchant"


async def test_every_process_refuses_a_removed_and_a_disabled_member_within_two_seconds() -> None:
    database = MemoryDatabase()
    async with (
        open_world(storage=memory_storage(database)) as here,
        open_world(storage=memory_storage(database)) as elsewhere,
    ):
        merchant = await here.merchant()
        removed, disabled, demoted = [await here.member(merchant, "admin") for _ in range(3)]
        everybody = [
            (await there.signed_in(each.email)).api.acting_for(merchant.id)
            for each in (removed, disabled, demoted)
            for there in (here, elsewhere)
        ]
        for api in everybody:
            assert (await api.get("/members")).status_code == 200
        ids = {each["user_id"]: each["id"] for each in ok(await merchant.api.get("/members"))["data"]}
        assert (await merchant.api.send("DELETE", f"/members/{ids[removed.id]}")).status_code == 204
        ok(await merchant.api.send("PATCH", f"/members/{ids[demoted.id]}", {"role": "viewer"}))
        operator = await here.operator()
        ok(await operator.api.post(f"/users/{disabled.id}/disable", {"reason": "A stolen laptop"}))
        codes = []
        for seconds in (0, 2.001):
            for each in (here, elsewhere):
                each.clock.advance(seconds)
            codes = [await code(api) for api in everybody]
            # The process that removed and demoted them refuses at once.
            assert (codes[0], codes[4]) == ("not_a_member", "role_forbidden")
        assert codes == ["not_a_member"] * 2 + ["user_disabled"] * 2 + ["role_forbidden"] * 2


async def code(api: Api) -> str:
    return str((await api.get("/members")).json().get("code", ""))


async def test_a_stream_of_a_member_ends_when_they_are_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.adapters.http.event_stream.CHECK_SECONDS", 0.01)
    merchant = await world.merchant()
    member = await world.member(merchant, "viewer")
    headers = [
        (b"authorization", f"Bearer {member.api.token}".encode()),
        (b"gateway-merchant", merchant.id.encode()),
    ]
    reading = asyncio.create_task(ask(world.app, "GET", "/events/stream", headers=headers, hangs_after_chunks=True))
    [found] = [each for each in ok(await merchant.api.get("/members"))["data"] if each["user_id"] == member.id]
    assert (await merchant.api.send("DELETE", f"/members/{found['id']}")).status_code == 204
    async with asyncio.timeout(30):
        assert (await reading).body.endswith(b": not_a_member\n\n")
