"""Customers without passwords: what their merchant does with them, and what nobody else learns of them."""

import pytest

from gateway.adapters.memory import memory_storage
from gateway.application.ports.unit_of_work import TryAgain
from support.api_client import PASSWORD, Json, Person, World, created, fresh_email, fresh_key, ok, open_world, refused
from support.builders import Fault, Watch, watched


async def a_customer(merchant: Person, **body: object) -> Json:
    return created(await merchant.api.post("/customers", body))


async def test_a_merchant_creates_shows_and_changes_a_customer(world: World) -> None:
    shop = await world.merchant()
    body = {"name": "Ada", "email": " Ada@Example.com", "external_id": "c-1", "currency": "EUR"}
    ada = await a_customer(shop, **body)
    assert (ada["object"], ada["merchant_id"], ada["name"], ada["email"], ada["external_id"]) == (
        *("customer", shop.id, "Ada", "ada@example.com", "c-1"),
    )
    [account] = ada["accounts"]
    assert (account["owner_id"], account["currency"], account["kind"]) == (ada["id"], "EUR", "customer")
    assert ada["id"].startswith("usr_")
    assert ok(await shop.api.get(f"/customers/{ada['id']}")) == ada

    path = f"/customers/{ada['id']}"
    changed = ok(await shop.api.send("PATCH", path, {"name": "", "email": "countess@example.com"}))
    assert changed == {**ada, "name": None, "email": "countess@example.com"}
    assert ok(await shop.api.get(path)) == changed
    assert ok(await shop.api.send("PATCH", path, {})) == changed

    events = ok(await shop.api.get("/events", type="customer.*"))["data"]
    assert [(event["type"], event["sequence"]) for event in events] == [
        ("customer.updated", 2),
        ("customer.created", 1),
    ]
    assert [event["data"]["object"] for event in events] == [changed, ada]


async def test_an_external_id_is_unique_for_the_merchant_and_an_address_is_not(world: World) -> None:
    shop, other = await world.merchant(), await world.merchant()
    email = "twins@example.com"
    ada, bea = await a_customer(shop, external_id="1", email=email), await a_customer(shop, email=email)
    await a_customer(other, external_id="1", email=email)

    refused(await shop.api.post("/customers", {"external_id": "1"}), 409, "external_id_taken")
    path = f"/customers/{bea['id']}"
    refused(await shop.api.send("PATCH", path, {"external_id": "1"}), 409, "external_id_taken")
    ok(await shop.api.send("PATCH", f"/customers/{ada['id']}", {"external_id": ""}))
    assert ok(await shop.api.send("PATCH", path, {"external_id": "1"}))["external_id"] == "1"
    # The address of a user, and that of a customer, are free for all.
    created(
        await world.anyone.post("/users/register", {"email": email, "password": "a long password", "role": "customer"})
    )
    await a_customer(other, email=shop.email)


async def test_customers_are_listed_newest_first_and_found_by_external_id_and_by_address(world: World) -> None:
    shop = await world.merchant()
    made = [await a_customer(shop, external_id=f"c-{number}", email="one@example.com") for number in range(5)]
    newest_first = made[::-1]
    page = ok(await shop.api.get("/customers", limit=3))
    assert page["data"] == newest_first[:3]
    rest = ok(await shop.api.get("/customers", limit=3, cursor=page["next_cursor"]))
    assert (rest["data"], rest["has_more"]) == (newest_first[3:], False)
    assert ok(await shop.api.get("/customers", external_id="c-2"))["data"] == [made[2]]
    assert ok(await shop.api.get("/customers", external_id="c-9"))["data"] == []
    found = ok(await shop.api.get("/customers", email="ONE@example.com", limit=2))
    assert found["data"] == newest_first[:2]
    again = await shop.api.get("/customers", email="two@example.com", limit=2, cursor=found["next_cursor"])
    refused(again, 400, "cursor_filter_mismatch")
    refused(await shop.api.get("/customers", email="nobody"), 400, "validation_error")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "4111 1111 1111 1111"}, "/name"),
        ({"email": "nobody"}, "/email"),
        ({"external_id": ""}, "/external_id"),
        ({"external_id": "x" * 201}, "/external_id"),
        ({"external_id": "a\x00b"}, "/external_id"),
        ({"password": "a long password"}, "/password"),
    ],
)
async def test_what_is_not_valid_is_refused_with_its_pointer(world: World, body: Json, pointer: str) -> None:
    shop = await world.merchant()
    problem = refused(await shop.api.post("/customers", body), 400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_a_request_is_replayed(world: World) -> None:
    shop, key = await world.merchant(), fresh_key()
    first = await shop.api.post("/customers", {"external_id": "1"}, key=key)
    again = await shop.api.post("/customers", {"external_id": "1"}, key=key)
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    refused(await shop.api.post("/customers", {"external_id": "2"}, key=key), 422, "idempotency_key_reused")


async def test_nobody_signs_in_as_a_customer_without_a_password(world: World) -> None:
    shop = await world.merchant()
    ada = await a_customer(shop, email="ada@example.com")
    body = {"email": "ada@example.com", "password": "correct horse battery"}
    refused(await world.anyone.post("/users/login", body), 401, "invalid_credentials")
    operator = await world.operator()
    refused(await operator.api.post(f"/users/{ada['id']}/disable", {"reason": "x"}), 404, "user_not_found")


async def charge(merchant: Person, customer_id: str, amount: int, **more: object) -> Json:
    body = {"customer_id": customer_id, "amount": amount, "currency": "USD", **more}
    return created(await merchant.api.post("/payments", body, key=fresh_key()))


async def test_the_merchant_pays_on_behalf_of_its_customer(world: World) -> None:
    shop, operator = await world.merchant(), await world.operator()
    ada = await a_customer(shop)
    account_id = ada["accounts"][0]["id"]
    deposit = await operator.deposit(1_000, account_id=account_id)

    paid = await charge(shop, ada["id"], 300, reference="order-1")
    assert (paid["status"], paid["customer_id"], paid["merchant_id"]) == ("captured", ada["id"], shop.id)
    held = await charge(shop, ada["id"], 500, capture="manual", expires_in_seconds=3600)
    assert held["status"] == "authorized"
    captured = ok(
        await shop.api.post(f"/payments/{held['id']}/capture", {"amount": 200, "final": False}, key=fresh_key())
    )
    assert captured["status"] == "partially_captured"
    ok(await shop.api.post(f"/payments/{held['id']}/cancel", key=fresh_key()))
    created(await shop.api.post(f"/payments/{paid['id']}/refunds", {"amount": 100}, key=fresh_key()))

    short = {"customer_id": ada["id"], "amount": 601, "currency": "USD"}
    refused(await shop.api.post("/payments", short, key=fresh_key()), 402, "insufficient_funds")
    in_euros = {**short, "currency": "EUR"}
    refused(await shop.api.post("/payments", in_euros, key=fresh_key()), 422, "currency_mismatch")
    again = {**short, "amount": 1, "reference": "order-1"}
    refused(await shop.api.post("/payments", again, key=fresh_key()), 409, "duplicate_reference")
    lasting = {**short, "amount": 1, "expires_in_seconds": 3600}
    problem = refused(await shop.api.post("/payments", lasting, key=fresh_key()), 400, "validation_error")
    assert problem["errors"][0]["pointer"] == "/expires_in_seconds"

    [account] = ok(await shop.api.get(f"/customers/{ada['id']}"))["accounts"]
    assert account["balance"] == {"posted": 600, "held": 0, "available": 600, "incoming": 0}
    assert ok(await shop.api.get(f"/accounts/{account_id}")) == account
    payments = ok(await shop.api.get("/payments", customer_id=ada["id"]))["data"]
    assert [payment["status"] for payment in payments] == ["failed", "captured", "captured"]
    moved = ok(await shop.api.get("/transactions", account_id=account_id))["data"]
    assert [each["type"] for each in moved] == ["refund", "release", "capture", "hold", "payment", "deposit"]
    assert [each["account_id"] for each in moved[-1]["entries"]] == [account_id]
    [funded] = ok(await shop.api.get("/events", type="deposit.*"))["data"]
    assert funded["data"]["object"] == deposit


async def test_other_customers_are_asked_as_before(world: World) -> None:
    shop, customer = await world.merchant(), await world.customer(balance=1_000)
    asked = await charge(shop, customer.id, 300, expires_in_seconds=3600)
    assert asked["status"] == "requires_confirmation"
    paid = ok(await customer.api.post(f"/payments/{asked['id']}/confirm", key=fresh_key()))
    assert paid["status"] == "captured"


async def test_a_batch_has_payments_of_managed_customers_and_requests(world: World) -> None:
    shop, operator, customer = await world.merchant(), await world.operator(), await world.customer()
    ada = await a_customer(shop)
    await operator.deposit(1_000, account_id=ada["accounts"][0]["id"])
    items = [
        {"idempotency_key": fresh_key(), "customer_id": customer_id, "amount": amount, "currency": "USD"}
        for customer_id, amount in ((ada["id"], 700), (customer.id, 5), (ada["id"], 400), (ada["id"], 300), ("x", 1))
    ]
    batch = await shop.api.post("/payments/batch", {"mode": "independent", "items": items}, key=fresh_key())
    assert batch.status_code == 207
    results = batch.json()["results"]
    assert [result["status"] for result in results] == [201, 201, 402, 201, 404]
    assert [result["body"].get("status") for result in results[:2]] == ["captured", "requires_confirmation"]


async def test_an_account_that_is_opened_for_a_managed_customer_is_managed_too(world: World) -> None:
    shop, other = await world.merchant(), await world.merchant(currency="EUR")
    ada = await a_customer(shop)
    await world.gateway.accounts.open_customer(ada["id"], "EUR")
    accounts = ok(await shop.api.get(f"/customers/{ada['id']}"))["accounts"]
    assert [account["currency"] for account in accounts] == ["EUR", "USD"]
    body = {"customer_id": ada["id"], "amount": 1, "currency": "EUR"}
    refused(await other.api.post("/payments", body, key=fresh_key()), 404, "user_not_found")


async def test_an_invited_customer_signs_in_and_the_merchant_pays_on_their_behalf_no_more(world: World) -> None:
    shop, operator = await world.merchant(), await world.operator()
    ada = await a_customer(shop, name="Ada", email="ada@shop.example.com")
    account_id = ada["accounts"][0]["id"]
    await operator.deposit(1_000, account_id=account_id)
    path, key = f"/customers/{ada['id']}", fresh_key()
    first = created(await shop.api.post(f"{path}/invitations", key=key))
    again = created(await shop.api.post(f"{path}/invitations", key=key))
    assert (again["token"], again["expires_at"]) == (None, first["expires_at"])
    invited = created(await shop.api.post(f"{path}/invitations", {"valid_seconds": 60}))
    assert invited["token"] != first["token"]

    joins = {"token": invited["token"], "email": "Ada@example.com", "password": "a long passphrase"}
    accept = "/customers/accept-invitation"
    for wrong in (first["token"], invited["token"][:-1], invited["token"] + "x", "x", path):
        refused(await world.anyone.post(accept, {**joins, "token": wrong}), 404, "invitation_invalid")
    refused(await world.anyone.post(accept, {**joins, "password": "password"}), 400, "validation_error")
    refused(await world.anyone.post(accept, {**joins, "email": shop.email}), 409, "email_taken")
    user = created(await world.anyone.post(accept, joins))
    assert (user["id"], user["email"], user["name"], user["role"]) == (ada["id"], "ada@example.com", "Ada", "customer")
    refused(await world.anyone.post(accept, joins), 404, "invitation_invalid")

    person = await world.signed_in("ada@example.com", "a long passphrase")
    assert (person.id, person.account_id) == (ada["id"], account_id)
    assert await person.available() == 1_000
    await person.pay(await world.merchant(), 100)
    asked = await charge(shop, ada["id"], 100)
    assert asked["status"] == "requires_confirmation"
    refused(await shop.api.get(f"/accounts/{account_id}"), 404, "account_not_found")
    noted = ok(await shop.api.get(path))
    assert (noted["email"], noted["accounts"], noted["joined_at"] is None) == ("ada@shop.example.com", [], False)
    refused(await shop.api.send("PATCH", path, {"name": "Bea"}), 409, "customer_joined")
    refused(await shop.api.post(f"{path}/invitations"), 409, "customer_joined")

    records = ok(await operator.api.get("/audit", object_id=ada["id"]))["data"]
    assert [(each["action"], each["actor"]["id"]) for each in records] == [
        ("session.started", ada["id"]),
        ("customer.joined", ada["id"]),
        ("customer.invited", shop.id),
        ("customer.invited", shop.id),
    ]
    assert ok(await shop.api.get("/audit", object_id=ada["id"]))["data"] == records[1:]
    stored = await world.gateway.storage.customers.customer(user["id"])
    seen = f"{records}{stored}{ok(await shop.api.get('/events'))}"
    assert not any(invited["token"].rpartition("_")[2] in each for each in (seen, repr(noted)))


async def joined(world: World, shop: Person, customer: Json) -> Person:
    """The customer, as a user of their own."""
    token = created(await shop.api.post(f"/customers/{customer['id']}/invitations"))["token"]
    body = {"token": token, "email": fresh_email(), "password": PASSWORD}
    return await world.signed_in(created(await world.anyone.post("/customers/accept-invitation", body))["email"])


async def test_a_token_is_shown_to_its_request_also_if_the_acknowledgement_of_the_commit_was_lost() -> None:
    watch = Watch()
    async with open_world(storage=watched(memory_storage(), watch)) as world:
        shop = await world.merchant()
        path = f"/customers/{(await a_customer(shop))['id']}/invitations"
        tokens: list[str] = []
        for key in (None, "k"):
            watch.spoil([Fault(after=TryAgain("The connection was lost."))])
            tokens.append(created(await shop.api.post(path, key=key))["token"])
            assert not watch.faults
        assert None not in tokens
        body = {"token": tokens[-1], "email": fresh_email(), "password": PASSWORD}
        created(await world.anyone.post("/customers/accept-invitation", body))


async def test_a_reversal_is_not_for_the_merchant_who_managed_the_customer_before(world: World) -> None:
    shop, operator = await world.merchant(), await world.operator()
    ada, bea = await a_customer(shop), await a_customer(shop)
    deposits = [await operator.deposit(500, account_id=each["accounts"][0]["id"]) for each in (ada, bea)]
    person = await joined(world, shop, ada)
    of_ada, of_bea = [
        created(
            await operator.api.post(
                f"/transactions/{deposit['transaction_id']}/reverse", {"reason": "A mistake"}, key=fresh_key()
            )
        )
        for deposit in deposits
    ]
    assert (of_ada["customer_id"], of_ada["merchant_id"]) == (ada["id"], None)
    assert (of_bea["customer_id"], of_bea["merchant_id"]) == (bea["id"], shop.id)
    refused(await shop.api.get(f"/transactions/{of_ada['id']}"), 404, "transaction_not_found")
    assert [each["id"] for each in ok(await shop.api.get("/transactions", type="reversal"))["data"]] == [of_bea["id"]]
    assert [each["id"] for each in ok(await person.api.get("/transactions", type="reversal"))["data"]] == [of_ada["id"]]
    for reader, deposit in ((shop, deposits[1]), (person, deposits[0])):
        [event] = ok(await reader.api.get("/events", type="transaction.reversed"))["data"]
        assert event["data"]["object"]["id"] == deposit["transaction_id"]
    records = ok(await shop.api.get("/audit", action="transaction.reversed"))["data"]
    assert [each["object_id"] for each in records] == [deposits[1]["transaction_id"]]
