"""Payments that wait for a review: an operator approves or declines them, or their time is over."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.application.expiry import Expiry
from gateway.domain.limits import REVIEW_SECONDS_DEFAULT
from gateway.ports import RiskLimits, risk_limit
from gateway.testing import assert_sound
from support.api_client import Json, Person, World, body_of, created, fresh_key, ok, open_world, refused

REASON: Json = {"reason": "The customer was called"}


@dataclass(frozen=True)
class Scene:
    """A customer with 100.00 USD, whose payments of more than 5.00 are reviewed, and two in an hour are allowed."""

    world: World
    customer: Person
    merchant: Person
    operator: Person

    async def pay(self, amount: int = 600, **more: object) -> Json:
        order = {"merchant_id": self.merchant.id, "amount": amount, "currency": "USD", **more}
        return created(await self.customer.api.post("/payments", order, key=fresh_key()))

    async def act(self, payment: Json, action: str, body: Json | None = None, *, by: Person | None = None) -> Json:
        api = (by or self.operator).api
        return ok(await api.post(f"/payments/{payment['id']}/{action}", body or REASON, key=fresh_key()))

    async def balances(self) -> tuple[int, int, int]:
        """What the customer may spend and has on hold, and what the merchant may spend."""
        account = ok(await self.customer.api.get(f"/accounts/{self.customer.account_id}"))["balance"]
        return account["available"], account["held"], await self.merchant.available()

    async def events(self, payment: Json) -> list[str]:
        """The types of its events, in their order."""
        found = ok(await self.merchant.api.get("/events", object_id=payment["id"]))["data"]
        return [event["type"] for event in reversed(found)]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    rules = RiskLimits(refuse=[risk_limit("count.1h=3")], review=[risk_limit("amount.customer.USD=500")])
    async with open_world(risk=rules) as world:
        operator = await world.operator()
        scene = Scene(world, await world.customer(balance=10_000), await world.merchant(), operator)
        fees = {"currency": "USD", "basis_points": 1000}
        ok(await operator.api.send("PUT", f"/merchants/{scene.merchant.id}/fees", fees))
        yield scene
        await assert_sound(world.gateway)


async def test_a_payment_beyond_a_limit_waits_and_its_money_is_held(scene: Scene) -> None:
    payment = await scene.pay()
    assert (payment["status"], payment["failure_code"]) == ("requires_review", "amount.customer.USD")
    assert payment["allowed_actions"] == ["approve", "decline", "cancel"]
    assert (payment["amount_capturable"], payment["amount_captured"], payment["fee_amount"]) == (0, 0, 0)
    assert await scene.balances() == (9_400, 600, 0)
    for reader in (scene.customer, scene.merchant, scene.operator):
        [listed] = ok(await reader.api.get("/payments", status="requires_review"))["data"]
        assert listed == payment
    assert await scene.events(payment) == ["payment.requires_review"]
    assert (await scene.pay(500))["status"] == "captured"


async def test_an_approved_payment_is_captured_with_its_fee(scene: Scene) -> None:
    approved = await scene.act(await scene.pay(), "approve")
    assert (approved["status"], approved["failure_code"], approved["expires_at"]) == ("captured", None, None)
    assert (approved["amount_captured"], approved["fee_amount"], approved["version"]) == (600, 60, 2)
    assert await scene.balances() == (9_400, 0, 540)
    assert await scene.events(approved) == ["payment.requires_review", "payment.captured"]
    ok(await scene.merchant.api.get("/transactions", payment_id=approved["id"]))
    refund = await scene.merchant.api.post(f"/payments/{approved['id']}/refunds", {"amount": 540}, key=fresh_key())
    created(refund)


async def test_an_approved_hold_is_captured_by_its_merchant(scene: Scene) -> None:
    payment = await scene.pay(capture="manual", expires_in_seconds=3_600)
    refused(
        await scene.merchant.api.post(f"/payments/{payment['id']}/capture", {}, key=fresh_key()),
        409,
        "payment_state_invalid",
    )
    approved = await scene.act(payment, "approve")
    assert (approved["status"], approved["expires_at"]) == ("authorized", payment["expires_at"])
    assert approved["amount_capturable"] == 600
    captured = await scene.act(payment, "capture", {"amount": 100}, by=scene.merchant)
    assert (captured["status"], captured["amount_captured"]) == ("captured", 100)
    assert await scene.balances() == (9_900, 0, 90)


async def test_a_declined_payment_is_canceled_and_gives_all_back(scene: Scene) -> None:
    payment = await scene.pay(reference="order-1")
    declined = await scene.act(payment, "decline")
    assert (declined["status"], declined["failure_code"]) == ("canceled", "review_declined")
    assert await scene.balances() == (10_000, 0, 0)
    assert await scene.events(payment) == ["payment.requires_review", "payment.canceled"]
    again = await scene.pay(reference="order-1")
    assert again["status"] == "requires_review"


async def test_a_merchant_may_cancel_what_waits_and_its_customer_may_not(scene: Scene) -> None:
    payment = await scene.pay()
    path = f"/payments/{payment['id']}/cancel"
    refused(await scene.customer.api.post(path, {}, key=fresh_key()), 403, "role_forbidden")
    canceled = ok(await scene.merchant.api.post(path, {}, key=fresh_key()))
    assert (canceled["status"], canceled["failure_code"]) == ("canceled", None)
    assert await scene.balances() == (10_000, 0, 0)


async def test_a_payment_is_decided_once(scene: Scene) -> None:
    for first, status in (("approve", "captured"), ("decline", "canceled")):
        payment = await scene.pay()
        path = f"/payments/{payment['id']}"
        decided = await scene.operator.api.post(f"{path}/{first}", REASON, key=f"once-{first}")
        assert ok(decided)["status"] == status
        replayed = await scene.operator.api.post(f"{path}/{first}", REASON, key=f"once-{first}")
        assert replayed.content == decided.content
        for action in ("approve", "decline"):
            late = await scene.operator.api.post(f"{path}/{action}", REASON, key=fresh_key())
            assert refused(late, 409, "payment_state_invalid")["current_status"] == status


async def test_the_time_of_a_review_is_over_for_everybody_and_is_written_once(scene: Scene) -> None:
    payment, operator = await scene.pay(), scene.operator
    scene.world.clock.advance(REVIEW_SECONDS_DEFAULT)
    operator = await scene.world.signed_in(operator.email)
    shown = ok(await operator.api.get(f"/payments/{payment['id']}"))
    assert (shown["status"], shown["failure_code"], shown["version"]) == ("expired", "review_expired", 1)
    for action in ("approve", "decline"):
        late = await operator.api.post(f"/payments/{payment['id']}/{action}", REASON, key=fresh_key())
        refused(late, 409, "payment_expired")
    expiry = Expiry(
        executor=scene.world.gateway.executor, reader=scene.world.gateway.storage.reader, clock=scene.world.clock
    )
    assert await expiry.run_once() == 1
    written = ok(await operator.api.get(f"/payments/{payment['id']}"))
    assert written == {**shown, "version": 2, "updated_at": written["updated_at"]}
    assert ok(await operator.api.get(f"/accounts/{scene.customer.account_id}"))["balance"]["held"] == 0


async def test_a_confirmation_may_wait_and_the_customer_is_bound(scene: Scene) -> None:
    body = {"amount": 600, "currency": "USD"}
    asked = created(await scene.merchant.api.post("/payments", body, key=fresh_key()))
    waiting = await scene.act(asked, "confirm", {"quote_id": None}, by=scene.customer)
    assert (waiting["status"], waiting["customer_id"], waiting["version"]) == ("requires_review", scene.customer.id, 2)
    approved = await scene.act(asked, "approve")
    assert (approved["status"], approved["version"]) == ("captured", 3)
    assert await scene.events(asked) == ["payment.created", "payment.requires_review", "payment.captured"]


async def test_what_must_be_at_once_is_refused_rather_than_reviewed(scene: Scene) -> None:
    order = {"merchant_id": scene.merchant.id, "amount": 600, "currency": "USD"}
    answer = await scene.customer.api.post("/transactions", order, key=fresh_key())
    assert refused(answer, 403, "limit_exceeded")["rule"] == "amount.customer.USD"
    rate: Json = {"rate": "0.5", "spread_basis_points": 0}
    ok(await scene.operator.api.send("PUT", "/rates/USD/EUR", rate))
    shop = await scene.world.merchant(currency="EUR")
    wish = {"from_currency": "USD", "to_currency": "EUR", "source_amount": 1_000}
    quote = created(await scene.customer.api.post("/quotes", wish))
    across = {"merchant_id": shop.id, "amount": 500, "currency": "EUR", "quote_id": quote["id"]}
    refused(await scene.customer.api.post("/payments", across, key=fresh_key()), 403, "limit_exceeded")
    assert await scene.balances() == (10_000, 0, 0)


async def test_a_payment_that_waits_counts_and_one_without_funds_fails(scene: Scene) -> None:
    lacking = await scene.customer.api.post(
        "/payments", {"merchant_id": scene.merchant.id, "amount": 10_001, "currency": "USD"}, key=fresh_key()
    )
    refused(lacking, 402, "insufficient_funds")
    payments = [await scene.pay() for _ in range(3)]
    await scene.act(payments[0], "decline")
    order = {"merchant_id": scene.merchant.id, "amount": 1, "currency": "USD"}
    answer = await scene.customer.api.post("/payments", order, key=fresh_key())
    assert refused(answer, 403, "limit_exceeded")["rule"] == "count.1h"


async def test_items_of_a_batch_wait_too(scene: Scene) -> None:
    item: Json = {"merchant_id": scene.merchant.id, "currency": "USD"}
    items = [{**item, "amount": amount, "idempotency_key": fresh_key()} for amount in (600, 1)]
    answer = await scene.customer.api.post("/payments/batch", {"mode": "atomic", "items": items}, key=fresh_key())
    assert [each["body"]["status"] for each in body_of(answer, 201)["results"]] == ["requires_review", "captured"]


async def test_who_has_decided_and_why_is_in_the_audit_log(scene: Scene) -> None:
    for action, status in (("approve", "captured"), ("decline", "canceled")):
        payment = await scene.act(await scene.pay(), action, {"reason": f"We {action} it"})
        [record, *_] = ok(await scene.operator.api.get("/audit", object_id=payment["id"]))["data"]
        assert record["action"] == f"payment.{action}d"
        assert record["actor"]["id"] == scene.operator.id
        assert record["reason"] == f"We {action} it"
        assert record["before"] == {"status": "requires_review", "rule": "amount.customer.USD"}
        assert record["after"] == {"status": status}


async def test_only_operators_decide_and_only_with_a_reason(scene: Scene) -> None:
    path = f"/payments/{(await scene.pay())['id']}"
    for action in ("approve", "decline"):
        for person in (scene.customer, scene.merchant):
            refused(await person.api.post(f"{path}/{action}", REASON, key=fresh_key()), 403, "role_forbidden")
        for body in ({}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "4111 1111 1111 1111"}):
            refused(await scene.operator.api.post(f"{path}/{action}", body, key=fresh_key()), 400, "validation_error")
    assert ok(await scene.operator.api.get(path))["status"] == "requires_review"
