"""Refunds and fees, with all refusals and codes."""

import asyncio

from support.api_client import Person, World, created, fresh_key, ok, refused
from support.payment_calls import ask, check_the_books, hold, refuse, shown


async def test_captured_money_goes_back_in_parts_and_whole(world: World, customer: Person, merchant: Person) -> None:
    payment = await customer.pay(merchant, 1000)
    path = f"/payments/{payment['id']}/refunds"
    part = created(await merchant.api.post(path, {"amount": 400, "reason": "One was cold"}, key=fresh_key()))
    assert part == {
        "id": part["id"],
        "object": "refund",
        "payment_id": payment["id"],
        "transaction_id": part["transaction_id"],
        "amount": 400,
        "currency": "USD",
        "fee_refunded": 0,
        "status": "succeeded",
        "reason": "One was cold",
        "created_at": part["created_at"],
    }
    refusal = await refuse(merchant, path, 422, "refund_amount_exceeds_remaining", {"amount": 601})
    assert refusal["remaining"] == 600
    rest = created(await merchant.api.post(path, {}, key=fresh_key()))
    assert rest["amount"] == 600
    for person in (customer, merchant):
        assert ok(await person.api.get(path))["data"] == [rest, part]
        assert ok(await person.api.get(f"/refunds/{part['id']}")) == part
        after = await shown(person, payment)
        assert (after["amount_refunded"], after["net_amount"], after["allowed_actions"]) == (1000, 0, [])
    stranger = await world.customer()
    refused(await stranger.api.get(path), 404, "payment_not_found")
    refused(await stranger.api.get(f"/refunds/{part['id']}"), 404, "refund_not_found")
    assert await customer.available() == 100_000


async def test_a_payment_has_at_most_a_hundred_refunds(customer: Person, merchant: Person) -> None:
    path = f"/payments/{(await customer.pay(merchant, 1000))['id']}/refunds"
    for _ in range(100):
        created(await merchant.api.post(path, {"amount": 1}, key=fresh_key()))
    await refuse(merchant, path, 409, "refund_limit_reached", {"amount": 1})


async def test_a_frozen_merchant_receives_but_does_not_refund(
    customer: Person, merchant: Person, operator: Person
) -> None:
    ok(await operator.api.post(f"/accounts/{merchant.account_id}/freeze"))
    payment = await customer.pay(merchant, 1000)
    await refuse(merchant, f"/payments/{payment['id']}/refunds", 403, "account_frozen", {})
    ok(await operator.api.post(f"/accounts/{merchant.account_id}/unfreeze"))
    created(await merchant.api.post(f"/payments/{payment['id']}/refunds", {}, key=fresh_key()))
    assert await customer.available() == 100_000


async def test_a_merchant_who_has_paid_out_cannot_refund(customer: Person, merchant: Person) -> None:
    payment = await customer.pay(merchant, 1000)
    body = {"account_id": merchant.account_id, "amount": 1, "currency": "USD", "reference": "rent"}
    payout = created(await merchant.api.post("/payouts", body, key=fresh_key()))
    assert (payout["object"], payout["amount"], payout["reference"]) == ("payout", 1, "rent")
    await refuse(merchant, f"/payments/{payment['id']}/refunds", 402, "merchant_insufficient_funds", {})
    await refuse(merchant, "/payouts", 402, "insufficient_funds", {**body, "amount": 1000})
    await refuse(customer, "/payouts", 404, "account_not_found", body)


async def test_a_hold_is_not_refunded(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    refusal = await refuse(merchant, f"/payments/{payment['id']}/refunds", 409, "payment_not_refundable", {})
    assert refusal["allowed_actions"] == ["capture", "cancel"]


async def test_fees_are_set_by_operators_and_shown_on_payments(
    customer: Person, merchant: Person, operator: Person
) -> None:
    path = f"/merchants/{merchant.id}/fees"
    body = {"currency": "USD", "basis_points": 290, "fixed_amount": 30}
    fees = ok(await operator.api.send("PUT", path, body))
    assert fees == {"object": "fee_schedule", "merchant_id": merchant.id, **body}
    assert ok(await merchant.api.get(path))["data"] == [fees]
    payment = await customer.pay(merchant, 1000)
    assert (payment["fee_amount"], payment["net_amount"]) == (59, 941)
    assert await merchant.available() == 941
    refund = {"refund_fee": True}
    made = created(await merchant.api.post(f"/payments/{payment['id']}/refunds", refund, key=fresh_key()))
    assert made["fee_refunded"] == 59
    assert (await customer.available(), await merchant.available()) == (100_000, 0)
    [newest, oldest] = ok(await merchant.api.get("/transactions"))["data"]
    assert [(entry["direction"], entry["amount"]) for entry in newest["entries"]] == [("credit", 59), ("debit", 1000)]
    assert (newest["type"], newest["amount"]) == ("refund", 1000)
    assert [(entry["direction"], entry["amount"]) for entry in oldest["entries"]] == [("credit", 1000), ("debit", 59)]


async def test_a_refund_gives_no_more_of_the_fee_back_than_itself(
    world: World, customer: Person, merchant: Person, operator: Person
) -> None:
    payment = await hold(customer, merchant, 20)
    path = f"/payments/{payment['id']}"
    await ask(merchant, f"{path}/capture", {"amount": 10, "final": False})
    created(await merchant.api.post(f"{path}/refunds", {"amount": 9, "refund_fee": True}, key=fresh_key()))
    fees = {"currency": "USD", "basis_points": 10_000}
    ok(await operator.api.send("PUT", f"/merchants/{merchant.id}/fees", fees))
    assert (await ask(merchant, f"{path}/capture", {}))["fee_amount"] == 10
    shares = []
    for amount in (1, 10):
        body = {"amount": amount, "refund_fee": True}
        shares.append(created(await merchant.api.post(f"{path}/refunds", body, key=fresh_key()))["fee_refunded"])
    assert shares == [1, 9]
    assert (await shown(merchant, payment))["fee_amount"] == 0
    assert (await customer.available(), await merchant.available()) == (100_000, 0)
    await check_the_books(world)


async def test_nobody_sees_the_fees_of_others(world: World, merchant: Person, operator: Person) -> None:
    other = await world.merchant()
    refused(await other.api.get(f"/merchants/{merchant.id}/fees"), 404, "merchant_not_found")
    refused(await operator.api.get("/merchants/usr_x/fees"), 404, "merchant_not_found")


async def test_the_same_key_captures_and_refunds_once(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    for path, body in (("capture", {"amount": 300}), ("refunds", {"amount": 100})):
        first = await merchant.api.post(f"/payments/{payment['id']}/{path}", body, key=f"once-{path}")
        again = await merchant.api.post(f"/payments/{payment['id']}/{path}", body, key=f"once-{path}")
        assert first.content == again.content
        assert again.headers["idempotency-replayed"] == "true"
    assert await merchant.available() == 200


async def test_parallel_refunds_never_give_back_more_than_was_captured(customer: Person, merchant: Person) -> None:
    payment = await customer.pay(merchant, 1000)
    path = f"/payments/{payment['id']}/refunds"
    answers = await asyncio.gather(*(merchant.api.post(path, {"amount": 101}, key=fresh_key()) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] * 9 + [422] * 11
    assert await customer.available() == 99_000 + 909
