"""Holds: captures, cancellation and expiry, with all refusals and codes."""

import pytest

from gateway.application.expiry import Expiry
from support.api_client import Person, World, ok, refused
from support.payment_calls import ask, balance, check_the_books, hold, refuse, request, shown


async def test_a_hold_promises_money_to_the_merchant(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant, expires_in_seconds=3600)
    assert (payment["status"], payment["capture"], payment["version"]) == ("authorized", "manual", 1)
    assert (payment["amount_capturable"], payment["amount_captured"], payment["net_amount"]) == (1000, 0, 0)
    assert payment["allowed_actions"] == ["capture", "cancel"]
    assert payment["expires_at"] > payment["created_at"]
    assert await balance(customer) == {"posted": 100_000, "held": 1000, "available": 99_000, "incoming": 0}
    assert await balance(merchant) == {"posted": 0, "held": 0, "available": 0, "incoming": 1000}


@pytest.mark.parametrize("capture", ["automatic", "manual"])
async def test_a_payment_beyond_the_balance_has_failed_and_stays_so(
    world: World, customer: Person, merchant: Person, capture: str
) -> None:
    body = {"merchant_id": merchant.id, "amount": 100_001, "currency": "USD", "capture": capture}
    first = await customer.api.post("/payments", body, key="too-much")
    refusal = refused(first, 402, "insufficient_funds")
    failed = ok(await customer.api.get(f"/payments/{refusal['payment_id']}"))
    assert (failed["status"], failed["failure_code"], failed["version"]) == ("failed", "insufficient_funds", 1)
    assert (failed["amount_capturable"], failed["allowed_actions"]) == (0, [])
    await customer.deposit(100_000)
    again = await customer.api.post("/payments", body, key="too-much")
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    assert (await customer.available(), await merchant.available()) == (200_000, 0)
    await check_the_books(world)


async def test_a_capture_takes_all_that_is_held(world: World, customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    taken = await ask(merchant, f"/payments/{payment['id']}/capture", {})
    assert (taken["status"], taken["amount_captured"], taken["amount_capturable"]) == ("captured", 1000, 0)
    assert taken["allowed_actions"] == ["refund"]
    assert await shown(customer, payment) == taken
    assert (await customer.available(), await merchant.available()) == (99_000, 1000)
    refusal = await refuse(merchant, f"/payments/{payment['id']}/capture", 409, "payment_state_invalid", {})
    assert (refusal["current_status"], refusal["allowed_actions"]) == ("captured", ["refund"])
    await check_the_books(world)


async def test_a_final_capture_of_a_part_gives_the_rest_back(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    taken = await ask(merchant, f"/payments/{payment['id']}/capture", {"amount": 300})
    assert (taken["status"], taken["amount"], taken["amount_captured"]) == ("captured", 1000, 300)
    assert (await balance(customer))["held"] == 0
    assert (await customer.available(), await merchant.available()) == (99_700, 300)


async def test_a_hold_is_captured_in_parts(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    path = f"/payments/{payment['id']}/capture"
    part = await ask(merchant, path, {"amount": 300, "final": False})
    assert (part["status"], part["amount_capturable"]) == ("partially_captured", 700)
    assert part["allowed_actions"] == ["capture", "cancel", "refund"]
    refusal = await refuse(merchant, path, 422, "capture_amount_exceeds_authorized", {"amount": 701, "final": False})
    assert refusal["remaining"] == 700
    whole = await ask(merchant, path, {"amount": 700, "final": False})
    assert (whole["status"], whole["amount_captured"], whole["version"]) == ("captured", 1000, 3)


async def test_a_hold_has_at_most_fifty_captures(customer: Person, merchant: Person) -> None:
    path = f"/payments/{(await hold(customer, merchant))['id']}"
    for _ in range(50):
        await ask(merchant, f"{path}/capture", {"amount": 1, "final": False})
    await refuse(merchant, f"{path}/capture", 409, "capture_limit_reached", {})
    assert (await ask(merchant, f"{path}/cancel"))["amount_captured"] == 50


async def test_nobody_takes_or_cancels_what_is_held_for_another(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await hold(customer, merchant)
    stranger = await world.merchant()
    for action in ("capture", "cancel", "refunds"):
        await refuse(stranger, f"/payments/{payment['id']}/{action}", 404, "payment_not_found", {})


async def test_a_frozen_customers_money_is_released_but_not_captured(
    customer: Person, merchant: Person, operator: Person
) -> None:
    payment, other = await hold(customer, merchant), await hold(customer, merchant)
    requested = await request(merchant, customer_id=customer.id)
    ok(await operator.api.post(f"/accounts/{customer.account_id}/freeze"))
    await ask(merchant, f"/payments/{other['id']}/cancel")
    path = f"/payments/{payment['id']}/capture"
    refused(await merchant.api.post(path, {}, key="later"), 403, "account_frozen")
    await refuse(customer, f"/payments/{requested['id']}/confirm", 403, "account_frozen")
    assert await shown(merchant, requested) == requested
    ok(await operator.api.post(f"/accounts/{customer.account_id}/unfreeze"))
    assert ok(await merchant.api.post(path, {}, key="later"))["status"] == "captured"
    assert (await ask(customer, f"/payments/{requested['id']}/confirm"))["status"] == "captured"


async def test_a_merchant_cancels_a_hold(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    await refuse(customer, f"/payments/{payment['id']}/cancel", 403, "role_forbidden")
    canceled = await ask(merchant, f"/payments/{payment['id']}/cancel")
    assert (canceled["status"], canceled["allowed_actions"]) == ("canceled", [])
    assert await customer.available() == 100_000
    refusal = await refuse(merchant, f"/payments/{payment['id']}/cancel", 409, "payment_state_invalid")
    assert refusal["current_status"] == "canceled"


async def test_canceling_after_a_part_was_captured_keeps_the_part(customer: Person, merchant: Person) -> None:
    payment = await hold(customer, merchant)
    await ask(merchant, f"/payments/{payment['id']}/capture", {"amount": 300, "final": False})
    canceled = await ask(merchant, f"/payments/{payment['id']}/cancel")
    assert (canceled["status"], canceled["amount_captured"]) == ("captured", 300)
    assert (await customer.available(), await merchant.available()) == (99_700, 300)


async def test_a_hold_expires_at_its_time_for_whoever_reads_or_acts(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await hold(customer, merchant, expires_in_seconds=60)
    partly = await hold(customer, merchant, expires_in_seconds=60)
    await ask(merchant, f"/payments/{partly['id']}/capture", {"amount": 300, "final": False})
    world.clock.advance(60)
    read = await shown(customer, payment)
    assert (read["status"], read["amount_capturable"], read["allowed_actions"]) == ("expired", 0, [])
    assert (await shown(customer, partly))["status"] == "captured"
    for action, body in (("capture", {}), ("cancel", None)):
        refusal = await refuse(merchant, f"/payments/{payment['id']}/{action}", 409, "payment_expired", body)
        assert (refusal["current_status"], refusal["allowed_actions"]) == ("expired", [])
        await refuse(merchant, f"/payments/{partly['id']}/{action}", 409, "payment_state_invalid", body)

    async def found(status: str) -> list[str]:
        return [each["id"] for each in ok(await merchant.api.get("/payments", status=status))["data"]]

    assert await found("expired") == [payment["id"]]
    assert await found("captured") == [partly["id"]]
    assert await found("authorized") == await found("partially_captured") == []


async def test_the_worker_writes_down_what_was_true_before(world: World, customer: Person, merchant: Person) -> None:
    whole, partly = await hold(customer, merchant), await hold(customer, merchant)
    requested = await request(merchant, customer_id=customer.id)
    await ask(merchant, f"/payments/{partly['id']}/capture", {"amount": 300, "final": False})
    world.clock.advance(7 * 24 * 3600)
    customer, merchant = await world.signed_in(customer.email), await world.signed_in(merchant.email)
    before = [await shown(merchant, payment) for payment in (whole, partly, requested)]
    assert [payment["status"] for payment in before] == ["expired", "captured", "expired"]
    expiry = Expiry(executor=world.gateway.executor, reader=world.gateway.storage.reader, clock=world.clock)
    assert [await expiry.run_once(), await expiry.run_once()] == [3, 0]
    for payment in before:
        written = {"version": payment["version"] + 1, "updated_at": payment["expires_at"]}
        assert await shown(merchant, payment) == {**payment, **written}
    assert await balance(customer) == {"posted": 99_700, "held": 0, "available": 99_700, "incoming": 0}
    await check_the_books(world)


@pytest.mark.parametrize("status", ["captured", "canceled", "expired", "failed"])
async def test_a_final_state_is_final(world: World, customer: Person, merchant: Person, status: str) -> None:
    if status == "failed":
        body = {"merchant_id": merchant.id, "amount": 100_001, "currency": "USD"}
        payment = {"id": (await refuse(customer, "/payments", 402, "insufficient_funds", body))["payment_id"]}
    else:
        payment = await request(merchant, customer_id=customer.id, expires_in_seconds=60)
    path = f"/payments/{payment['id']}"
    if status == "expired":
        world.clock.advance(60)
    elif status == "canceled":
        await ask(customer, f"{path}/cancel")
    elif status == "captured":
        await ask(customer, f"{path}/confirm")
    final = await shown(customer, payment)
    assert final["status"] == status
    code = "payment_expired" if status == "expired" else "payment_state_invalid"
    for person, action in ((customer, "confirm"), (merchant, "capture"), (merchant, "cancel"), (customer, "cancel")):
        refusal = await refuse(person, f"{path}/{action}", 409, code, {})
        assert (refusal["current_status"], refusal["allowed_actions"]) == (status, final["allowed_actions"])
    if status != "captured":
        refusal = await refuse(merchant, f"{path}/refunds", 409, "payment_not_refundable", {})
        assert (refusal["current_status"], refusal["allowed_actions"]) == (status, [])
    assert await shown(customer, payment) == final
    await check_the_books(world)
