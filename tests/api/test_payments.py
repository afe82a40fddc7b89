"""Payments that are captured at once."""

import pytest

from support.api_client import Json, Person, World, created, fresh_key, ok, refused


async def test_a_payment_moves_money_from_the_customer_to_the_merchant(customer: Person, merchant: Person) -> None:
    payment = await customer.pay(
        merchant, 1050, reference="order-1", description="Two coffees", metadata={"table": "4"}
    )
    assert await customer.available() == 100_000 - 1050
    assert await merchant.available() == 1050
    assert payment == {
        "id": payment["id"],
        "object": "payment",
        "status": "captured",
        "amount": 1050,
        "currency": "USD",
        "amount_capturable": 0,
        "amount_captured": 1050,
        "amount_refunded": 0,
        "fee_amount": 0,
        "net_amount": 1050,
        "capture": "automatic",
        "customer_id": customer.id,
        "merchant_id": merchant.id,
        "reference": "order-1",
        "description": "Two coffees",
        "metadata": {"table": "4"},
        "expires_at": None,
        "failure_code": None,
        "version": 1,
        "created_at": payment["created_at"],
        "updated_at": payment["created_at"],
        "allowed_actions": ["refund"],
        "quote_id": None,
    }
    assert payment["id"].startswith("pay_")
    assert payment["created_at"].endswith("Z")


async def test_both_parties_and_operators_see_a_payment(customer: Person, merchant: Person, operator: Person) -> None:
    payment = await customer.pay(merchant, 1050)
    for person in (customer, merchant, operator):
        assert ok(await person.api.get(f"/payments/{payment['id']}")) == payment
        assert ok(await person.api.get("/payments"))["data"] == [payment]


async def test_a_payment_of_others_is_not_found_just_like_none(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await customer.pay(merchant, 1050)
    for stranger in (await world.customer(), await world.merchant()):
        of_others = refused(await stranger.api.get(f"/payments/{payment['id']}"), 404, "payment_not_found")
        of_nobody = refused(await stranger.api.get("/payments/pay_none"), 404, "payment_not_found")
        assert of_others["detail"] == of_nobody["detail"]
        assert ok(await stranger.api.get("/payments"))["data"] == []


async def test_a_payment_beyond_the_balance_is_kept_as_failed(customer: Person, merchant: Person) -> None:
    key = fresh_key()
    body = {"merchant_id": merchant.id, "amount": 100_001, "currency": "USD"}
    problem = refused(await customer.api.post("/payments", body, key=key), 402, "insufficient_funds")
    assert problem["retryable"] is False
    assert await customer.available() == 100_000
    for person in (customer, merchant):
        [payment] = ok(await person.api.get("/payments", status="failed"))["data"]
        assert payment["id"] == problem["payment_id"]
        assert payment["failure_code"] == "insufficient_funds"
        assert payment["amount_captured"] == payment["net_amount"] == 0


async def test_a_customer_may_spend_all_they_have(customer: Person, merchant: Person) -> None:
    await customer.pay(merchant, 100_000)
    assert await customer.available() == 0
    assert await merchant.available() == 100_000


async def test_a_reference_names_one_payment_of_a_customer_to_a_merchant(
    world: World, customer: Person, merchant: Person
) -> None:
    await customer.pay(merchant, 10, reference="order-1")
    body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD", "reference": "order-1"}
    refused(await customer.api.post("/payments", body, key=fresh_key()), 409, "duplicate_reference")
    other_customer = await world.customer(balance=10)
    created(await other_customer.api.post("/payments", body, key=fresh_key()))
    stranger = await world.customer()
    refused(await stranger.api.post("/payments", body, key=fresh_key()), 402, "insufficient_funds")
    await customer.pay(await world.merchant(), 10, reference="order-1")
    assert await customer.available() == 100_000 - 20


async def test_an_order_that_lacked_funds_is_paid_under_its_reference_once_there_are_some(
    world: World, merchant: Person
) -> None:
    customer = await world.customer(balance=9)
    body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD", "reference": "order-1"}
    refused(await customer.api.post("/payments", body, key=fresh_key()), 402, "insufficient_funds")
    await customer.deposit(1)
    assert created(await customer.api.post("/payments", body, key=fresh_key()))["reference"] == "order-1"
    refused(await customer.api.post("/payments", body, key=fresh_key()), 409, "duplicate_reference")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"merchant_id": "usr_nobody"}, 404, "merchant_not_found"),
        ({"currency": "EUR"}, 422, "currency_mismatch"),
        ({"currency": "ZZZ"}, 422, "unknown_currency"),
        ({"currency": "XAU"}, 422, "unknown_currency"),
    ],
)
@pytest.mark.parametrize("path", ["/payments", "/transactions"])
async def test_a_payment_that_cannot_be_is_refused(
    customer: Person, merchant: Person, path: str, change: Json, status: int, code: str
) -> None:
    body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD", **change}
    refused(await customer.api.post(path, body, key=fresh_key()), status, code)
    assert await customer.available() == 100_000


@pytest.mark.parametrize("path", ["/payments", "/transactions"])
async def test_nobody_pays_themselves_nor_another_customer(world: World, customer: Person, path: str) -> None:
    body = {"merchant_id": customer.id, "amount": 10, "currency": "USD"}
    refused(await customer.api.post(path, body, key=fresh_key()), 422, "same_account")
    body["merchant_id"] = (await world.customer()).id
    refused(await customer.api.post(path, body, key=fresh_key()), 404, "merchant_not_found")


async def test_payments_are_found_by_each_filter(world: World, customer: Person, merchant: Person) -> None:
    first = await customer.pay(merchant, 10, reference="order-1")
    world.clock.advance(60)
    other = await world.merchant()
    second = await customer.pay(other, 20)
    too_much = {"merchant_id": other.id, "amount": 1_000_000, "currency": "USD"}
    failed = refused(await customer.api.post("/payments", too_much, key=fresh_key()), 402, "insufficient_funds")

    async def found(**filters: str) -> list[str]:
        return [payment["id"] for payment in ok(await customer.api.get("/payments", **filters))["data"]]

    assert await found() == [failed["payment_id"], second["id"], first["id"]]
    assert await found(status="captured") == [second["id"], first["id"]]
    assert await found(status="failed") == [failed["payment_id"]]
    assert await found(merchant_id=merchant.id) == [first["id"]]
    assert await found(customer_id=customer.id, reference="order-1") == [first["id"]]
    assert await found(customer_id=merchant.id) == []
    assert await found(currency="EUR") == []
    assert await found(created_before=second["created_at"]) == [first["id"]]
    assert await found(created_after=second["created_at"]) == [failed["payment_id"], second["id"]]
    assert await found(created_after=first["created_at"], created_before=second["created_at"]) == [first["id"]]
    refused(await customer.api.get("/payments", currency="ZZZ"), 422, "unknown_currency")


async def test_a_frozen_account_receives_but_does_not_pay(customer: Person, merchant: Person, operator: Person) -> None:
    ok(await operator.api.post(f"/accounts/{customer.account_id}/freeze"))
    body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}
    key = fresh_key()
    problem = refused(await customer.api.post("/payments", body, key=key), 403, "account_frozen")
    assert problem["retryable"] is True
    await operator.deposit(10, account_id=customer.account_id)
    assert ok(await customer.api.get("/payments"))["data"] == []

    ok(await operator.api.post(f"/accounts/{customer.account_id}/unfreeze"))
    answer = await customer.api.post("/payments", body, key=key)
    assert created(answer)["status"] == "captured"
    assert "idempotency-replayed" not in answer.headers
