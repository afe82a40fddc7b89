"""Transactions, the short form of a payment, and the invariants of the ledger."""

from support.api_client import Person, World, created, fresh_key, ok, refused


async def test_the_short_form_pays_at_once(customer: Person, merchant: Person) -> None:
    body = {"merchant_id": merchant.id, "amount": 1050, "currency": "USD", "description": "Two coffees"}
    transaction = created(await customer.api.post("/transactions", body, key=fresh_key()))
    assert transaction == {
        "id": transaction["id"],
        "object": "transaction",
        "type": "payment",
        "status": "posted",
        "amount": 1050,
        "currency": "USD",
        "payment_id": transaction["payment_id"],
        "customer_id": customer.id,
        "merchant_id": merchant.id,
        "description": "Two coffees",
        "reverses": None,
        "reversed_by": None,
        "created_at": transaction["created_at"],
        "entries": [
            {
                "account_id": customer.account_id,
                "direction": "debit",
                "amount": 1050,
                "currency": "USD",
                "balance_after": {"posted": 98_950, "held": 0, "available": 98_950},
            }
        ],
    }
    assert transaction["id"].startswith("txn_")
    payment = ok(await customer.api.get(f"/payments/{transaction['payment_id']}"))
    assert (payment["status"], payment["amount"], payment["description"]) == ("captured", 1050, "Two coffees")
    assert ok(await customer.api.get(f"/transactions/{transaction['id']}")) == transaction


async def test_the_short_form_refuses_what_the_customer_cannot_pay(customer: Person, merchant: Person) -> None:
    body = {"merchant_id": merchant.id, "amount": 100_001, "currency": "USD"}
    refused(await customer.api.post("/transactions", body, key=fresh_key()), 402, "insufficient_funds")
    assert [entry["type"] for entry in ok(await customer.api.get("/transactions"))["data"]] == ["deposit"]


async def test_a_caller_sees_only_the_entries_on_their_own_accounts_and_an_operator_all(
    world: World, customer: Person, merchant: Person, operator: Person
) -> None:
    payment = await customer.pay(merchant, 1050)
    [of_customer, _] = ok(await customer.api.get("/transactions"))["data"]
    [of_merchant] = ok(await merchant.api.get("/transactions"))["data"]
    assert of_customer["id"] == of_merchant["id"]
    [debit], [credit] = of_customer["entries"], of_merchant["entries"]
    assert (debit["account_id"], debit["direction"]) == (customer.account_id, "debit")
    assert (credit["account_id"], credit["direction"]) == (merchant.account_id, "credit")
    path = f"/transactions/{of_customer['id']}"
    assert ok(await operator.api.get(path))["entries"] == [debit, credit]
    assert ok(await merchant.api.get(path)) == of_merchant
    assert of_merchant["payment_id"] == payment["id"]

    stranger = await world.customer()
    of_others = refused(await stranger.api.get(path), 404, "transaction_not_found")
    of_nobody = refused(await stranger.api.get("/transactions/txn_none"), 404, "transaction_not_found")
    assert of_others["detail"] == of_nobody["detail"]
    assert ok(await stranger.api.get("/transactions"))["data"] == []


async def test_transactions_are_found_by_each_filter(world: World, customer: Person, merchant: Person) -> None:
    [deposit] = ok(await customer.api.get("/transactions"))["data"]
    world.clock.advance(60)
    payment = await customer.pay(merchant, 10)
    [paid, _] = ok(await customer.api.get("/transactions"))["data"]

    async def found(**filters: str) -> list[str]:
        return [entry["id"] for entry in ok(await customer.api.get("/transactions", **filters))["data"]]

    assert await found(type="deposit") == [deposit["id"]]
    assert await found(type="payment") == [paid["id"]]
    assert await found(payment_id=payment["id"]) == [paid["id"]]
    assert await found(account_id=customer.account_id) == [paid["id"], deposit["id"]]
    assert await found(account_id="acc_none") == []
    assert await found(created_after=paid["created_at"]) == [paid["id"]]
    assert await found(created_before=paid["created_at"]) == [deposit["id"]]


async def test_the_four_endpoints_of_the_original_sample_work_as_they_did(world: World) -> None:
    person = {"password": "correct horse battery"}
    customer = {**person, "email": "ada@example.com", "role": "customer"}
    merchant = {**person, "email": "shop@example.com", "role": "merchant"}
    customer_account = created(await world.anyone.post("/users/register", customer))["accounts"][0]["id"]
    merchant_id = created(await world.anyone.post("/users/register", merchant))["id"]
    login = {"email": "ada@example.com", **person}
    token = ok(await world.anyone.post("/users/login", login))["access_token"]
    ada = world.anyone.with_token(token)
    funds = {"account_id": customer_account, "amount": 5000, "currency": "USD"}
    created(await ada.post("/deposits", funds, key=fresh_key()))
    order = {"merchant_id": merchant_id, "amount": 1050, "currency": "USD"}
    paid = created(await ada.post("/transactions/", order, key=fresh_key()))
    listed = ok(await ada.get("/transactions/"))
    assert [entry["type"] for entry in listed["data"]] == ["payment", "deposit"]
    assert listed["data"][0] == paid


async def test_the_books_balance_whatever_happened(customer: Person, merchant: Person, operator: Person) -> None:
    created(await customer.api.post("/accounts", {"currency": "EUR"}))
    await customer.pay(merchant, 1050)
    await customer.pay(merchant, 50)
    too_much = {"merchant_id": merchant.id, "amount": 1_000_000, "currency": "USD"}
    refused(await customer.api.post("/payments", too_much, key=fresh_key()), 402, "insufficient_funds")
    report = ok(await operator.api.get("/ledger/invariants"))
    assert report["object"] == "ledger_invariants"
    assert report["ok"] is True
    euros, dollars = report["currencies"]
    assert (euros["currency"], euros["debits_posted"], euros["accounts_checked"]) == ("EUR", 0, 4)
    assert dollars == {
        "currency": "USD",
        "accounts_checked": 5,
        "debits_posted": 100_000 + 1100,
        "credits_posted": 100_000 + 1100,
        "debits_pending": 0,
        "credits_pending": 0,
        "overdrawn_accounts": 0,
        "ok": True,
    }
    assert report["accounts_checked"] == 9
