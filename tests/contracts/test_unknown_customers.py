"""A payment by somebody who is no customer is refused as such, on every storage, and the refusal is stored."""

from collections.abc import AsyncIterator

import pytest

from gateway.application.ports.storage import Storage
from support.api_client import Json, Person, World, body_of, fresh_key, open_world, refused


@pytest.fixture
async def world(storage: Storage) -> AsyncIterator[World]:
    """An application on each storage."""
    async with open_world(storage=storage) as world:
        yield world


def an_item(customer_id: str, merchant: Person, currency: str = "USD") -> Json:
    return {
        "idempotency_key": fresh_key(),
        "customer_id": customer_id,
        "merchant_id": merchant.id,
        "amount": 10,
        "currency": currency,
    }


def outcomes(batch: Json) -> list[tuple[int, str]]:
    return [(result["status"], result["body"].get("code", "")) for result in batch["results"]]


async def test_an_operator_who_names_no_customer_is_told_so(world: World) -> None:
    operator, merchant, other = await world.operator(), await world.merchant(), await world.merchant()
    customer, european = await world.customer(balance=100), await world.customer(currency="EUR")
    items = [
        an_item(person, merchant)
        for person in (customer.id, "usr_nobody", other.id, operator.id, european.id, "system")
    ]
    body = {"mode": "independent", "items": items}
    first = await operator.api.post("/payments/batch", body, key="batch-1")
    assert outcomes(body_of(first, 207)) == [
        (201, ""),
        (404, "user_not_found"),
        (404, "user_not_found"),
        (404, "user_not_found"),
        (422, "currency_mismatch"),
        (404, "user_not_found"),
    ]
    again = await operator.api.post("/payments/batch", body, key="batch-2")
    assert again.json()["results"] == first.json()["results"]
    assert await merchant.available() == 10
    aborted = await operator.api.post("/payments/batch", {"mode": "atomic", "items": items[:2]}, key="batch-3")
    assert refused(aborted, 422, "batch_aborted")["failed_item"]["code"] == "user_not_found"


async def test_a_merchants_request_names_an_unknown_customer_in_the_same_words(world: World) -> None:
    operator, merchant = await world.operator(), await world.merchant()
    body = {"mode": "independent", "items": [an_item("usr_nobody", merchant)]}
    [result] = body_of(await operator.api.post("/payments/batch", body, key=fresh_key()), 207)["results"]
    request = {"amount": 10, "currency": "USD", "customer_id": "usr_nobody"}
    alone = refused(await merchant.api.post("/payments", request, key=fresh_key()), 404, "user_not_found")
    assert (result["body"]["code"], result["body"]["detail"]) == (alone["code"], alone["detail"])
