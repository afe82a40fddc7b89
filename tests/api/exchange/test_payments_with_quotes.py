"""Payments, confirmations, refunds and batches across currencies, with all refusals and codes."""

import pytest

from support.api_client import Json, Person, body_of, created, fresh_key, ok, refused
from support.bureau import Bureau, set_rate


async def test_a_customer_pays_in_another_currency_than_the_merchant_gets(bureau: Bureau) -> None:
    quote = await bureau.quote()
    payment = await bureau.pay(quote, reference="order-1")
    assert (payment["status"], payment["amount"], payment["currency"]) == ("captured", 1_050, "USD")
    assert payment["quote_id"] == quote["id"]
    assert await bureau.customer.available() == 100_000 - 974
    assert await bureau.merchant.available() == 1_050
    used = ok(await bureau.customer.api.get(f"/quotes/{quote['id']}"))
    assert used == {**quote, "payment_id": payment["id"]}
    assert ok(await bureau.merchant.api.get(f"/payments/{payment['id']}")) == payment


async def test_each_party_sees_what_moved_on_their_account_in_its_currency(bureau: Bureau) -> None:
    payment = await bureau.pay(await bureau.quote())
    for person, entry in ((bureau.customer, ("debit", 974, "EUR")), (bureau.merchant, ("credit", 1_050, "USD"))):
        [newest, *_] = ok(await person.api.get("/transactions", type="payment"))["data"]
        assert (newest["payment_id"], newest["amount"], newest["currency"]) == (payment["id"], 1_050, "USD")
        [shown] = newest["entries"]
        assert (shown["direction"], shown["amount"], shown["currency"]) == entry
    [whole] = ok(await bureau.operator.api.get("/transactions", payment_id=payment["id"]))["data"]
    assert len(whole["entries"]) == 6


async def test_a_quote_is_used_once(bureau: Bureau) -> None:
    quote, key = await bureau.quote(), fresh_key()
    first = await bureau.customer.api.post("/payments", bureau.order(quote), key=key)
    again = await bureau.customer.api.post("/payments", bureau.order(quote), key=key)
    assert (first.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    await bureau.refuse(409, "quote_used", bureau.order(quote))
    bureau.world.clock.advance(60)
    again = await bureau.customer.api.post("/payments", bureau.order(quote), key=key)
    assert (again.status_code, again.content) == (201, first.content)
    assert await bureau.merchant.available() == 1_050


async def test_a_quote_is_over_the_moment_its_time_is(bureau: Bureau) -> None:
    quote = await bureau.quote()
    bureau.world.clock.advance(60)
    await bureau.refuse(409, "quote_expired", bureau.order(quote))


async def test_somebody_elses_quote_is_none(bureau: Bureau) -> None:
    quote = await bureau.quote()
    stranger = await bureau.world.customer(currency="EUR", balance=1_000)
    for order in (bureau.order(quote), bureau.order(quote, quote_id="quo_x")):
        refused(await stranger.api.post("/payments", order, key=fresh_key()), 404, "quote_not_found")


async def test_a_payment_is_over_what_its_quote_is_for(bureau: Bureau) -> None:
    quote = await bureau.quote()
    problem = await bureau.refuse(422, "quote_amount_mismatch", bureau.order(quote, amount=1_049))
    assert problem["target_amount"] == 1_050
    await bureau.merchant.api.post("/accounts", {"currency": "EUR"})
    await bureau.refuse(422, "currency_mismatch", bureau.order(quote, currency="EUR"))
    await bureau.pay(quote)


async def test_without_a_quote_currencies_must_match(bureau: Bureau) -> None:
    await bureau.refuse(422, "currency_mismatch", bureau.order(await bureau.quote(), quote_id=None))


async def test_a_payment_with_a_quote_is_captured_at_once(bureau: Bureau) -> None:
    problem = await bureau.refuse(400, "validation_error", bureau.order(await bureau.quote(), capture="manual"))
    assert [error["pointer"] for error in problem["errors"]] == ["/capture"]


async def test_a_quote_survives_a_payment_that_failed(bureau: Bureau) -> None:
    quote = await bureau.quote(target_amount=110_000)
    problem = await bureau.refuse(402, "insufficient_funds", bureau.order(quote))
    failed = ok(await bureau.customer.api.get(f"/payments/{problem['payment_id']}"))
    assert (failed["status"], failed["quote_id"]) == ("failed", None)
    await bureau.customer.deposit(10_000, "EUR")
    await bureau.pay(quote)


async def test_a_merchant_gives_no_quote(bureau: Bureau) -> None:
    body = {"amount": 10, "currency": "USD", "quote_id": "quo_x"}
    problem = refused(await bureau.merchant.api.post("/payments", body, key=fresh_key()), 400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == ["/quote_id"]


async def test_a_request_is_confirmed_with_a_quote(bureau: Bureau) -> None:
    body = {"amount": 1_050, "currency": "USD"}
    asked = created(await bureau.merchant.api.post("/payments", body, key=fresh_key()))
    path, quote, key = f"/payments/{asked['id']}/confirm", await bureau.quote(), fresh_key()
    refused(await bureau.customer.api.post(path, key=fresh_key()), 422, "currency_mismatch")
    refused(await bureau.customer.api.post(path, {"quote_id": "x"}, key=fresh_key()), 404, "quote_not_found")
    first = await bureau.customer.api.post(path, {"quote_id": quote["id"]}, key=key)
    assert (ok(first)["status"], ok(first)["quote_id"]) == ("captured", quote["id"])
    again = await bureau.customer.api.post(path, {"quote_id": quote["id"]}, key=key)
    assert (again.status_code, again.content) == (200, first.content)
    assert await bureau.customer.available() == 100_000 - 974


async def test_a_request_to_be_held_is_not_confirmed_with_a_quote(bureau: Bureau) -> None:
    body = {"amount": 1_050, "currency": "USD", "capture": "manual"}
    asked = created(await bureau.merchant.api.post("/payments", body, key=fresh_key()))
    confirmation = {"quote_id": (await bureau.quote())["id"]}
    answer = await bureau.customer.api.post(f"/payments/{asked['id']}/confirm", confirmation, key=fresh_key())
    problem = refused(answer, 400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == ["/quote_id"]


async def test_a_confirmation_needs_no_body(customer: Person, merchant: Person) -> None:
    bodies: list[Json | None] = [None, {}]
    for body in bodies:
        asked = created(await merchant.api.post("/payments", {"amount": 10, "currency": "USD"}, key=fresh_key()))
        ok(await customer.api.post(f"/payments/{asked['id']}/confirm", body, key=fresh_key()))
    asked = created(await merchant.api.post("/payments", {"amount": 10, "currency": "USD"}, key=fresh_key()))
    path, key = f"/payments/{asked['id']}/confirm", fresh_key()
    first = await customer.api.post(path, key=key)
    again = await customer.api.post(path, {}, key=key)
    assert (again.status_code, again.content) == (200, first.content)


async def test_a_refund_goes_back_at_the_rate_of_the_payment(bureau: Bureau) -> None:
    payment = await bureau.pay(await bureau.quote())
    await set_rate(bureau.operator, "EUR/USD", "3")
    path = f"/payments/{payment['id']}/refunds"
    refund = created(await bureau.merchant.api.post(path, {"amount": 525}, key=fresh_key()))
    assert (refund["amount"], refund["currency"]) == (525, "USD")
    assert await bureau.customer.available() == 100_000 - 487
    [newest, *_] = ok(await bureau.customer.api.get("/transactions", type="refund"))["data"]
    assert (newest["amount"], newest["currency"]) == (525, "USD")
    [entry] = newest["entries"]
    assert (entry["direction"], entry["amount"], entry["currency"]) == ("credit", 487, "EUR")
    created(await bureau.merchant.api.post(path, {}, key=fresh_key()))
    assert await bureau.customer.available() == 100_000
    assert await bureau.merchant.available() == 0


@pytest.mark.parametrize("mode", ["independent", "atomic"])
async def test_items_of_a_batch_may_have_quotes(bureau: Bureau, mode: str) -> None:
    quotes = [await bureau.quote() for _ in range(3)]
    items = [{**bureau.order(quote), "idempotency_key": fresh_key()} for quote in quotes]
    answer = await bureau.customer.api.post("/payments/batch", {"mode": mode, "items": items}, key=fresh_key())
    batch = body_of(answer, 207 if mode == "independent" else 201)
    assert [result["body"]["quote_id"] for result in batch["results"]] == [quote["id"] for quote in quotes]
    assert await bureau.merchant.available() == 3 * 1_050


async def test_of_two_items_with_the_same_quote_the_second_is_refused(bureau: Bureau) -> None:
    quote = await bureau.quote()
    items = [{**bureau.order(quote), "idempotency_key": fresh_key()} for _ in range(2)]
    body = {"mode": "atomic", "items": items}
    problem = refused(await bureau.customer.api.post("/payments/batch", body, key=fresh_key()), 422, "batch_aborted")
    assert (problem["failed_item"]["index"], problem["failed_item"]["code"]) == (1, "quote_used")
    body = {"mode": "independent", "items": items}
    batch = body_of(await bureau.customer.api.post("/payments/batch", body, key=fresh_key()), 207)
    assert [result["status"] for result in batch["results"]] == [201, 409]
    assert batch["results"][1]["body"]["code"] == "quote_used"
    assert await bureau.merchant.available() == 1_050


async def test_an_item_with_a_quote_cannot_be_held(bureau: Bureau) -> None:
    item = {**bureau.order(await bureau.quote(), capture="manual"), "idempotency_key": fresh_key()}
    body = {"mode": "independent", "items": [item]}
    [result] = body_of(await bureau.customer.api.post("/payments/batch", body, key=fresh_key()), 207)["results"]
    assert (result["status"], result["body"]["code"]) == (400, "validation_error")
    assert [error["pointer"] for error in result["body"]["errors"]] == ["/capture"]
