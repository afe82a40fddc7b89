"""Exchange over HTTP: rates, quotes and payments across currencies, each with its refusals and codes."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.adapters.rates_file import FileRates
from gateway.application.gateway import Gateway
from support.api_client import Json, Person, World, body_of, created, fresh_key, ok, open_world, refused


@dataclass(frozen=True)
class Bureau:
    """A customer with 1,000 euros, a merchant who is paid in dollars, and a rate between them."""

    world: World
    customer: Person
    merchant: Person
    operator: Person

    async def quote(self, **wish: object) -> Json:
        """A quote of the customer's, for $10.50 unless told otherwise."""
        return created(await self.customer.api.post("/quotes", a_wish(**wish)))

    async def pay(self, quote: Json, **more: object) -> Json:
        return created(await self.customer.api.post("/payments", self.order(quote, **more), key=fresh_key()))

    async def refuse(self, status: int, code: str, order: Json) -> Json:
        return refused(await self.customer.api.post("/payments", order, key=fresh_key()), status, code)

    def order(self, quote: Json, **more: object) -> Json:
        return {
            "merchant_id": self.merchant.id,
            "amount": quote["target_amount"],
            "currency": quote["to_currency"],
            "quote_id": quote["id"],
            **more,
        }


def a_wish(**changes: object) -> Json:
    wish = {"from_currency": "EUR", "to_currency": "USD", "target_amount": 1_050, **changes}
    return {name: value for name, value in wish.items() if value is not None}


@pytest.fixture
async def bureau(world: World) -> AsyncIterator[Bureau]:
    """The books are checked in the end."""
    operator = await world.operator()
    await set_rate(operator, "EUR/USD", "1.0842", 50)
    yield Bureau(
        world=world,
        customer=await world.customer(currency="EUR", balance=100_000),
        merchant=await world.merchant(),
        operator=operator,
    )
    assert ok(await operator.api.get("/ledger/invariants"))["ok"] is True


async def set_rate(operator: Person, pair: str, rate: str, spread: int = 0) -> Json:
    body = {"rate": rate, "spread_basis_points": spread}
    return ok(await operator.api.send("PUT", f"/rates/{pair}", body))


async def test_an_operator_sets_rates_and_everybody_sees_them(bureau: Bureau) -> None:
    rate = await set_rate(bureau.operator, "USD/JPY", "149.500")
    assert rate == {
        "object": "rate",
        "from_currency": "USD",
        "to_currency": "JPY",
        "rate": "149.5",
        "spread_basis_points": 0,
        "updated_at": rate["updated_at"],
    }
    for person in (bureau.customer, bureau.merchant, bureau.operator):
        shown = ok(await person.api.get("/rates"))
        assert [(each["from_currency"], each["to_currency"]) for each in shown["data"]] == [
            ("EUR", "USD"),
            ("USD", "JPY"),
        ]
        assert (shown["object"], shown["has_more"], shown["next_cursor"]) == ("list", False, None)
        assert shown["data"][1] == rate
    refused(await bureau.world.anyone.get("/rates"), 401, "token_missing")


async def test_a_rate_is_for_operators_to_set(bureau: Bureau) -> None:
    for person in (bureau.customer, bureau.merchant):
        refused(await person.api.send("PUT", "/rates/EUR/USD", {"rate": "1"}), 403, "role_forbidden")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"rate": 1.0842}, "/rate"),
        ({"rate": 1}, "/rate"),
        ({"rate": "0"}, "/rate"),
        ({"rate": "-1"}, "/rate"),
        ({"rate": "1e3"}, "/rate"),
        ({"rate": "1.0000000000001"}, "/rate"),
        ({"rate": "0.0000000001"}, "/rate"),
        ({"rate": "1000000001"}, "/rate"),
        ({"spread_basis_points": 1}, "/rate"),
        ({"rate": "1", "spread_basis_points": -1}, "/spread_basis_points"),
        ({"rate": "1", "spread_basis_points": 10_001}, "/spread_basis_points"),
        ({"rate": "1", "spread_basis_points": 0.5}, "/spread_basis_points"),
        ({"rate": "1", "spread": 1}, "/spread"),
    ],
)
async def test_what_is_no_rate_is_refused(bureau: Bureau, body: Json, pointer: str) -> None:
    problem = refused(await bureau.operator.api.send("PUT", "/rates/EUR/USD", body), 400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("pair", "status", "code"),
    [
        ("EUR/EUR", 422, "same_currency"),
        ("EUR/XXX", 422, "unknown_currency"),
        ("eur/usd", 422, "unknown_currency"),
        ("EUR/USD/JPY", 404, "not_found"),
        ("EUR", 404, "not_found"),
        ("EUR/%00", 404, "not_found"),
    ],
)
async def test_a_rate_is_of_two_currencies(bureau: Bureau, pair: str, status: int, code: str) -> None:
    refused(await bureau.operator.api.send("PUT", f"/rates/{pair}", {"rate": "1"}), status, code)


async def test_a_quote_says_what_a_payment_costs(bureau: Bureau) -> None:
    quote = await bureau.quote()
    assert quote == {
        "id": quote["id"],
        "object": "quote",
        "customer_id": bureau.customer.id,
        "from_currency": "EUR",
        "to_currency": "USD",
        "rate": "1.0842",
        "source_amount": 974,
        "target_amount": 1_050,
        "spread": 5,
        "spread_basis_points": 50,
        "created_at": "2030-01-02T12:30:15.123456Z",
        "expires_at": "2030-01-02T12:31:15.123456Z",
        "payment_id": None,
    }
    assert quote["id"].startswith("quo_")
    other = await bureau.quote(target_amount=None, source_amount=974)
    assert (other["source_amount"], other["target_amount"], other["spread"]) == (974, 1_050, 5)


async def test_a_quote_is_shown_to_its_customer_and_to_operators(bureau: Bureau) -> None:
    quote = await bureau.quote()
    for person in (bureau.customer, bureau.operator):
        assert ok(await person.api.get(f"/quotes/{quote['id']}")) == quote
    for person in (bureau.merchant, await bureau.world.customer()):
        refused(await person.api.get(f"/quotes/{quote['id']}"), 404, "quote_not_found")
    refused(await bureau.customer.api.get("/quotes/quo_x"), 404, "quote_not_found")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"source_amount": 1}, "/target_amount"),
        ({"target_amount": None}, "/source_amount"),
        ({"target_amount": 0}, "/target_amount"),
        ({"target_amount": 1.5}, "/target_amount"),
        ({"target_amount": 1_000_000_000_000}, "/target_amount"),
        ({"from_currency": "eur"}, "/from_currency"),
        ({"to_currency": None}, "/to_currency"),
        ({"rate": "1"}, "/rate"),
    ],
)
async def test_a_quote_asks_for_one_amount_of_two_currencies(bureau: Bureau, changes: Json, pointer: str) -> None:
    problem = refused(await bureau.customer.api.post("/quotes", a_wish(**changes)), 400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"from_currency": "USD", "to_currency": "EUR"}, 404, "rate_not_found"),
        ({"to_currency": "JPY"}, 404, "rate_not_found"),
        ({"to_currency": "XXX"}, 422, "unknown_currency"),
        ({"to_currency": "EUR"}, 422, "same_currency"),
        ({"target_amount": None, "source_amount": 1}, 422, "amount_too_small"),
        ({"target_amount": None, "source_amount": 999_999_999_999}, 422, "amount_too_large"),
    ],
)
async def test_a_quote_that_cannot_be_made_is_refused(bureau: Bureau, changes: Json, status: int, code: str) -> None:
    refused(await bureau.customer.api.post("/quotes", a_wish(**changes)), status, code)


async def test_quotes_are_for_customers(bureau: Bureau) -> None:
    for person in (bureau.merchant, bureau.operator):
        refused(await person.api.post("/quotes", a_wish()), 403, "role_forbidden")


async def test_the_same_key_gives_the_same_quote_whatever_the_rate_is_now(bureau: Bureau) -> None:
    key = fresh_key()
    first = await bureau.customer.api.post("/quotes", a_wish(), key=key)
    await set_rate(bureau.operator, "EUR/USD", "2")
    again = await bureau.customer.api.post("/quotes", a_wish(), key=key)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    other = await bureau.customer.api.post("/quotes", a_wish(target_amount=1), key=key)
    refused(other, 422, "idempotency_key_reused")


async def test_a_missing_rate_is_not_the_last_word_for_a_key(bureau: Bureau) -> None:
    key, wish = fresh_key(), a_wish(to_currency="JPY")
    problem = refused(await bureau.customer.api.post("/quotes", wish, key=key), 404, "rate_not_found")
    assert problem["retryable"] is True
    await set_rate(bureau.operator, "EUR/JPY", "160")
    created(await bureau.customer.api.post("/quotes", wish, key=key))


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
    problem = refused(await bureau.customer.api.post("/payments/batch", body, key=fresh_key()), 400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == ["/items/0/capture"]


async def test_rates_from_a_file_are_quoted_and_not_set(tmp_path: Path) -> None:
    file = tmp_path / "rates.json"
    file.write_text(json.dumps([{"from_currency": "EUR", "to_currency": "USD", "rate": "1.5"}]))

    def with_file(gateway: Gateway) -> Gateway:
        return replace(gateway, quotes=replace(gateway.quotes, rates=FileRates(file)))

    async with open_world(changed=with_file) as world:
        customer, operator = await world.customer(currency="EUR"), await world.operator()
        [rate] = ok(await customer.api.get("/rates"))["data"]
        assert (rate["rate"], rate["spread_basis_points"]) == ("1.5", 0)
        assert created(await customer.api.post("/quotes", a_wish()))["source_amount"] == 700
        refused(await operator.api.send("PUT", "/rates/EUR/USD", {"rate": "1"}), 409, "rates_read_only")
