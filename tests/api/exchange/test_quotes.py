"""Quotes, with all refusals and codes."""

import pytest

from support.api_client import Json, created, fresh_key, ok, refused
from support.bureau import Bureau, a_wish, set_rate


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
