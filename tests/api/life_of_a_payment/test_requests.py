"""Payments that a merchant requests and a customer confirms, with all refusals and codes."""

import pytest

from support.api_client import Json, Person, World, ok, refused
from support.payment_calls import ask, check_the_books, refuse, request, shown


@pytest.mark.parametrize(("capture", "status"), [("automatic", "captured"), ("manual", "authorized")])
async def test_a_customer_confirms_what_a_merchant_asks_for(
    world: World, customer: Person, merchant: Person, capture: str, status: str
) -> None:
    payment = await request(merchant, customer_id=customer.id, capture=capture)
    assert (payment["status"], payment["allowed_actions"]) == ("requires_confirmation", ["confirm", "cancel"])
    assert await customer.available() == 100_000
    stranger = await world.customer(balance=5000)
    await refuse(stranger, f"/payments/{payment['id']}/confirm", 404, "payment_not_found")
    confirmed = await ask(customer, f"/payments/{payment['id']}/confirm")
    assert (confirmed["status"], confirmed["version"]) == (status, 2)
    assert await customer.available() == 99_000
    await refuse(customer, f"/payments/{payment['id']}/confirm", 409, "payment_state_invalid")


async def test_a_request_that_names_nobody_is_for_whoever_has_its_id(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await request(merchant)
    assert payment["customer_id"] is None
    assert await shown(customer, payment) == payment
    assert ok(await customer.api.get("/payments"))["data"] == []
    confirmed = await ask(customer, f"/payments/{payment['id']}/confirm")
    assert confirmed["customer_id"] == customer.id
    stranger = await world.customer()
    refused(await stranger.api.get(f"/payments/{payment['id']}"), 404, "payment_not_found")


async def test_a_request_survives_a_confirmation_that_lacks_funds_and_is_then_confirmed(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await request(merchant, 100_001, customer_id=customer.id)
    path = f"/payments/{payment['id']}/confirm"
    world.clock.advance(1)
    first = await customer.api.post(path, key="first")
    assert refused(first, 402, "insufficient_funds")["payment_id"] == payment["id"]
    tried = await shown(merchant, payment)
    assert tried["updated_at"] > payment["updated_at"]
    changes = {"failure_code": "insufficient_funds", "version": 2, "updated_at": tried["updated_at"]}
    assert tried == {**payment, **changes}
    await customer.deposit(1)
    again = await customer.api.post(path, key="first")
    assert (again.status_code, again.content) == (402, first.content)
    confirmed = ok(await customer.api.post(path, key="second"))
    assert (confirmed["status"], confirmed["failure_code"], confirmed["version"]) == ("captured", None, 3)
    await check_the_books(world)


async def test_a_stranger_without_money_neither_binds_a_request_nor_is_shown_to_its_merchant(
    world: World, customer: Person, merchant: Person
) -> None:
    payment = await request(merchant)
    stranger = await world.customer()
    await refuse(stranger, f"/payments/{payment['id']}/confirm", 402, "insufficient_funds")
    tried = await shown(merchant, payment)
    assert (tried["customer_id"], tried["failure_code"], tried["version"]) == (None, "insufficient_funds", 2)
    assert tried["allowed_actions"] == ["confirm", "cancel"]
    assert ok(await stranger.api.get("/payments"))["data"] == []
    confirmed = await ask(customer, f"/payments/{payment['id']}/confirm")
    assert (confirmed["customer_id"], confirmed["failure_code"], confirmed["version"]) == (customer.id, None, 3)
    refused(await stranger.api.get(f"/payments/{payment['id']}"), 404, "payment_not_found")
    await check_the_books(world)


async def test_either_party_cancels_a_request(customer: Person, merchant: Person) -> None:
    for person in (customer, merchant):
        payment = await request(merchant, customer_id=customer.id)
        assert (await ask(person, f"/payments/{payment['id']}/cancel"))["status"] == "canceled"


async def test_a_request_expires(world: World, customer: Person, merchant: Person) -> None:
    payment = await request(merchant, customer_id=customer.id, expires_in_seconds=60)
    world.clock.advance(60)
    assert (await shown(merchant, payment))["status"] == "expired"
    await refuse(customer, f"/payments/{payment['id']}/confirm", 409, "payment_expired")


@pytest.mark.parametrize(
    ("who", "change", "pointer"),
    [
        ("customer", {"customer_id": "usr_x"}, "/customer_id"),
        ("customer", {"merchant_id": None}, "/merchant_id"),
        ("customer", {"expires_in_seconds": 60}, "/expires_in_seconds"),
        ("customer", {"capture": "manual", "expires_in_seconds": 59}, "/expires_in_seconds"),
        ("customer", {"capture": "manual", "expires_in_seconds": 2_678_401}, "/expires_in_seconds"),
        ("merchant", {}, "/merchant_id"),
    ],
)
async def test_each_role_has_its_form_of_a_payment(
    customer: Person, merchant: Person, who: str, change: Json, pointer: str
) -> None:
    body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD", **change}
    person = {"customer": customer, "merchant": merchant}[who]
    problem = await refuse(person, "/payments", 400, "validation_error", body)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
