"""Rules of risk over HTTP."""

from collections.abc import AsyncIterator

import pytest

from gateway.ports import RiskLimits, risk_limit
from support.api_client import Json, World, body_of, created, fresh_key, ok, open_world, refused


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A gateway that lets a customer pay 500 at once, and twice in an hour."""
    limits = RiskLimits(refuse=[risk_limit("amount.customer.USD=500"), risk_limit("count.1h=2")])
    async with open_world(risk=limits) as world:
        yield world


async def test_a_payment_beyond_a_limit_is_403_and_names_the_rule(world: World) -> None:
    customer, merchant = await world.customer(balance=10_000), await world.merchant()
    order: Json = {"merchant_id": merchant.id, "amount": 501, "currency": "USD"}
    for path in ("/payments", "/transactions"):
        answer = await customer.api.post(path, order, key="order-1")
        problem = refused(answer, 403, "limit_exceeded")
        assert problem["rule"] == "amount.customer.USD"
        assert problem["retryable"]
        assert "retry-after" not in answer.headers
    assert ok(await customer.api.get("/payments"))["data"] == []
    # The refusal is not stored under its key.
    created(await customer.api.post("/payments", {**order, "amount": 500}, key="order-1"))


async def test_a_limit_over_time_says_when_to_come_again(world: World) -> None:
    customer, merchant = await world.customer(balance=10_000), await world.merchant()
    asked = created(await merchant.api.post("/payments", {"amount": 5, "currency": "USD"}, key=fresh_key()))
    order: Json = {"merchant_id": merchant.id, "amount": 5, "currency": "USD"}
    await customer.pay(merchant, 5, capture="manual")
    created(await customer.api.post("/transactions", order, key=fresh_key()))
    confirm = f"/payments/{asked['id']}/confirm"
    problem: Json = {}
    for path, body in (("/payments", order), ("/transactions", order), (confirm, {})):
        answer = await customer.api.post(path, body, key="again")
        problem = refused(answer, 403, "limit_exceeded")
        assert problem["rule"] == "count.1h"
        assert 3_600 <= problem["retry_after_seconds"] <= 3_660
        assert answer.headers["retry-after"] == str(problem["retry_after_seconds"])
    assert ok(await customer.api.get(f"/payments/{asked['id']}"))["status"] == "requires_confirmation"
    world.clock.advance(problem["retry_after_seconds"])
    later = await world.signed_in(customer.email)
    assert ok(await later.api.post(confirm, {}, key="again"))["status"] == "captured"


async def test_items_of_a_batch_are_refused_one_by_one_and_abort_an_atomic_one(world: World) -> None:
    customer, merchant = await world.customer(balance=10_000), await world.merchant()

    def items() -> list[Json]:
        item: Json = {"merchant_id": merchant.id, "amount": 5, "currency": "USD"}
        return [{**item, "idempotency_key": fresh_key()} for _ in range(3)]

    atomic = await customer.api.post("/payments/batch", {"mode": "atomic", "items": items()}, key=fresh_key())
    assert refused(atomic, 422, "batch_aborted")["failed_item"]["code"] == "limit_exceeded"
    batch = {"mode": "independent", "items": items()}
    results = body_of(await customer.api.post("/payments/batch", batch, key="batch"), 207)["results"]
    assert [each["status"] for each in results] == [201, 201, 403]
    assert results[2]["body"]["rule"] == "count.1h"
    assert await merchant.available() == 10


async def test_an_operator_who_pays_for_a_customer_exceeds_no_limit_either(world: World) -> None:
    operator = await world.operator()
    customer, merchant = await world.customer(balance=10_000), await world.merchant()
    item: Json = {
        "idempotency_key": fresh_key(),
        "customer_id": customer.id,
        "merchant_id": merchant.id,
        "amount": 501,
        "currency": "USD",
    }
    batch = {"mode": "independent", "items": [item]}
    [result] = body_of(await operator.api.post("/payments/batch", batch, key=fresh_key()), 207)["results"]
    assert (result["status"], result["body"]["code"]) == (403, "limit_exceeded")
