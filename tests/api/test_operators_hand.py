"""What operators do when something is wrong: users who are kept out, and accounts that are closed."""

from support.api_client import PASSWORD, Json, Person, World, created, fresh_key, ok, refused

REASON: Json = {"reason": "Their laptop was stolen"}


async def act(operator: Person, person: Person, action: str) -> Json:
    return ok(await operator.api.post(f"/users/{person.id}/{action}", REASON))


def order(merchant: Person, amount: int = 40, **more: object) -> Json:
    return {"merchant_id": merchant.id, "amount": amount, "currency": "USD", **more}


async def test_a_disabled_user_is_shown_with_their_accounts_and_told_so_at_the_login(
    world: World, operator: Person
) -> None:
    customer = await world.customer(balance=100)
    before = ok(await customer.api.get("/users/me"))
    disabled = await act(operator, customer, "disable")
    assert disabled["status"] == "disabled"
    assert [account["status"] for account in disabled["accounts"]] == ["suspended"]
    assert await act(operator, customer, "disable") == disabled
    login = {"email": customer.email, "password": PASSWORD}
    refused(await world.anyone.post("/users/login", login), 403, "user_disabled")
    refused(await world.anyone.post("/users/login", {**login, "password": "wrong horse"}), 401, "invalid_credentials")
    refused(await world.anyone.post("/users/refresh", {"refresh_token": customer.refresh_token}), 403, "user_disabled")
    # In this process at once, in others within two seconds.
    refused(await customer.api.get("/users/me"), 403, "user_disabled")
    enabled = await act(operator, customer, "enable")
    again = ok(await world.anyone.post("/users/login", login))
    assert again["user"] == enabled
    assert enabled == {
        **before,
        "accounts": [{**before["accounts"][0], "version": before["accounts"][0]["version"] + 2}],
    }


async def test_a_payment_to_a_disabled_merchant_is_refused_and_may_be_sent_again_later(
    world: World, operator: Person
) -> None:
    customer, shop = await world.customer(balance=100), await world.merchant()
    asked = created(await shop.api.post("/payments", {"amount": 5, "currency": "USD"}, key=fresh_key()))
    await act(operator, shop, "disable")
    key = fresh_key()
    for _ in range(2):
        problem = refused(await customer.api.post("/payments", order(shop), key=key), 403, "user_disabled")
        assert problem["retryable"]
    refused(await customer.api.post("/payments", order(shop, capture="manual"), key=fresh_key()), 403, "user_disabled")
    refused(await customer.api.post("/transactions", order(shop), key=fresh_key()), 403, "user_disabled")
    refused(await customer.api.post(f"/payments/{asked['id']}/confirm", {}, key=fresh_key()), 403, "user_disabled")
    money = {"account_id": shop.account_id, "amount": 1, "currency": "USD"}
    refused(await operator.api.post("/deposits", money, key=fresh_key()), 403, "user_disabled")
    assert await customer.available() == 100
    await act(operator, shop, "enable")
    assert created(await customer.api.post("/payments", order(shop), key=key))["status"] == "captured"
    assert ok(await customer.api.post(f"/payments/{asked['id']}/confirm", {}, key=fresh_key()))["status"] == "captured"


async def test_what_was_begun_before_a_customer_is_disabled_ends_whole(world: World, operator: Person) -> None:
    customer, shop = await world.customer(balance=100), await world.merchant()
    paid = await customer.pay(shop, 10)
    held = await customer.pay(shop, 30, capture="manual")
    released = await customer.pay(shop, 20, capture="manual")
    await act(operator, customer, "disable")
    captured = ok(await shop.api.post(f"/payments/{held['id']}/capture", {"amount": 25}, key=fresh_key()))
    assert (captured["status"], captured["amount_captured"]) == ("captured", 25)
    assert ok(await shop.api.post(f"/payments/{released['id']}/cancel", key=fresh_key()))["status"] == "canceled"
    created(await shop.api.post(f"/payments/{paid['id']}/refunds", {"amount": 4}, key=fresh_key()))
    account = ok(await operator.api.get(f"/accounts/{customer.account_id}"))
    assert account["balance"] == {"posted": 100 - 10 - 25 + 4, "held": 0, "available": 69, "incoming": 0}
    assert account["status"] == "suspended"


async def test_an_account_that_was_frozen_before_is_frozen_afterwards(world: World, operator: Person) -> None:
    customer, shop = await world.customer(balance=100), await world.merchant()
    held = await customer.pay(shop, 30, capture="manual")
    path = f"/accounts/{customer.account_id}"
    ok(await operator.api.post(f"{path}/freeze"))
    await act(operator, customer, "disable")
    assert ok(await operator.api.get(path))["status"] == "suspended_frozen"
    capture = await shop.api.post(f"/payments/{held['id']}/capture", {}, key=fresh_key())
    refused(capture, 403, "account_frozen")
    await act(operator, customer, "enable")
    assert ok(await operator.api.get(path))["status"] == "frozen"
    await act(operator, customer, "disable")
    assert ok(await operator.api.post(f"{path}/unfreeze"))["status"] == "suspended"
    await act(operator, customer, "enable")
    assert ok(await operator.api.get(path))["status"] == "open"


async def test_a_disabled_user_opens_no_account(world: World, operator: Person) -> None:
    customer = await world.customer()
    await act(operator, customer, "disable")
    refused(await customer.api.post("/accounts", {"currency": "EUR"}), 403, "user_disabled")


async def test_ended_sessions_are_refused_and_the_user_logs_in_again(world: World, operator: Person) -> None:
    customer = await world.customer()
    other = await world.signed_in(customer.email)
    shown = await act(operator, customer, "end-sessions")
    assert shown["status"] == "active"
    for person in (customer, other):
        refused(await person.api.get("/users/me"), 401, "token_revoked")
        refused(
            await world.anyone.post("/users/refresh", {"refresh_token": person.refresh_token}), 401, "token_revoked"
        )
    ok(await (await world.signed_in(customer.email)).api.get("/users/me"))


async def test_a_disabled_member_is_refused_at_once_and_acts_again_when_enabled(world: World, operator: Person) -> None:
    shop = await world.merchant()
    member = await world.member(shop, "admin")
    ok(await member.api.get("/payments"))
    await act(operator, member, "disable")
    refused(await member.api.get("/payments"), 403, "user_disabled")
    await act(operator, member, "enable")
    again = (await world.signed_in(member.email)).api.acting_for(shop.id)
    await act(operator, shop, "disable")
    refused(await again.get("/payments"), 403, "user_disabled")
    await act(operator, shop, "enable")
    ok(await again.get("/payments"))


async def test_nobody_disables_who_does_not_exist_or_without_a_reason(world: World, operator: Person) -> None:
    for action in ("disable", "enable", "end-sessions"):
        refused(await operator.api.post(f"/users/usr_nobody/{action}", REASON), 404, "user_not_found")
        for body in (None, {}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "4111 1111 1111 1111"}):
            customer = await world.customer()
            answer = await operator.api.post(f"/users/{customer.id}/{action}", body)
            assert answer.status_code in {400, 415}
            ok(await customer.api.get("/users/me"))


async def test_an_empty_account_is_closed_for_ever(world: World, operator: Person) -> None:
    customer, shop = await world.customer(balance=100), await world.merchant()
    path = f"/accounts/{shop.account_id}/close"
    payment = await customer.pay(shop, 40)
    problem = refused(await shop.api.post(path), 409, "account_not_empty")
    assert (problem["posted"], problem["held"], problem["incoming"]) == (40, 0, 0)
    money = {"account_id": shop.account_id, "amount": 40, "currency": "USD"}
    created(await shop.api.post("/payouts", money, key=fresh_key()))
    closed = ok(await shop.api.post(path, {"reason": "We sell nothing any more"}))
    assert closed["status"] == "closed"
    assert ok(await shop.api.post(path)) == closed
    assert ok(await operator.api.post(path)) == closed
    refused(await customer.api.post("/payments", order(shop), key=fresh_key()), 409, "account_closed")
    refused(await operator.api.post("/deposits", money, key=fresh_key()), 409, "account_closed")
    refused(await shop.api.post("/payouts", money, key=fresh_key()), 409, "account_closed")
    refund = await shop.api.post(f"/payments/{payment['id']}/refunds", {"amount": 1}, key=fresh_key())
    refused(refund, 409, "account_closed")
    refused(await shop.api.post("/accounts", {"currency": "USD"}), 409, "account_exists")
    for action in ("freeze", "unfreeze"):
        assert ok(await operator.api.post(f"/accounts/{shop.account_id}/{action}")) == closed
    for action in ("disable", "enable"):
        assert (await act(operator, shop, action))["accounts"] == [closed]


async def test_an_account_with_money_promised_to_it_or_held_on_it_is_not_closed(world: World) -> None:
    customer, shop = await world.customer(balance=40), await world.merchant()
    await customer.pay(shop, 40, capture="manual")
    promised = refused(await shop.api.post(f"/accounts/{shop.account_id}/close"), 409, "account_not_empty")
    held = refused(await customer.api.post(f"/accounts/{customer.account_id}/close"), 409, "account_not_empty")
    assert (promised["incoming"], held["held"]) == (40, 40)


async def test_an_account_is_closed_by_its_owner_or_an_operator_alone(world: World, operator: Person) -> None:
    customer, other = await world.customer(), await world.customer()
    path = f"/accounts/{customer.account_id}/close"
    refused(await other.api.post(path), 404, "account_not_found")
    ok(await operator.api.post(f"/accounts/{customer.account_id}/freeze"))
    refused(await customer.api.post(path), 403, "account_frozen")
    assert ok(await operator.api.post(path))["status"] == "closed"
    accounts = ok(await operator.api.get("/accounts", owner_id="system", limit=1))["data"]
    refused(await operator.api.post(f"/accounts/{accounts[0]['id']}/close"), 404, "account_not_found")
