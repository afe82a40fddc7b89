"""Items of a batch that are refused for their content: each in its place, as alone, on every storage."""

from collections.abc import AsyncIterator

import pytest

from gateway.application.ports.storage import Storage
from support.api_client import Json, Person, World, body_of, created, fresh_key, open_world, refused

CARD = "4111 1111 1111 1111"
REFUSED: list[tuple[Json, str, Json]] = [
    ({"description": f"Card {CARD}"}, "validation_error", {"/description": "card_number"}),
    ({"metadata": {"card": CARD, "b": "x"}}, "validation_error", {"/metadata/card": "card_number"}),
    (
        {"metadata": {CARD: "a"}, "description": CARD},
        "validation_error",
        {"/description": "card_number", "/metadata": "card_number"},
    ),
    ({"description": "NUL \x00"}, "validation_error", {"/description": "text_invalid"}),
    ({"reference": "a\x00"}, "validation_error", {"/reference": "text_invalid"}),
    ({"merchant_id": "usr_\x00"}, "validation_error", {"/merchant_id": "text_invalid"}),
    ({"expires_in_seconds": 60}, "validation_error", {"/expires_in_seconds": "value_invalid"}),
    ({"quote_id": "quo_1", "capture": "manual"}, "validation_error", {"/capture": "value_invalid"}),
    ({"currency": "ZZZ"}, "unknown_currency", {}),
]
"""Changes of a payment, with the code of the refusal, and its errors by pointer."""


@pytest.fixture
async def world(storage: Storage) -> AsyncIterator[World]:
    """An application on each storage."""
    async with open_world(storage=storage) as world:
        yield world


@pytest.fixture
async def customer(world: World) -> Person:
    """A customer with 1,000.00 USD."""
    return await world.customer(balance=100_000)


@pytest.fixture
async def merchant(world: World) -> Person:
    """A merchant with an empty account in USD."""
    return await world.merchant()


def a_payment(merchant: Person, **more: object) -> Json:
    return {"merchant_id": merchant.id, "amount": 10, "currency": "USD", **more}


def as_item(payment: Json) -> Json:
    return {**payment, "idempotency_key": fresh_key()}


def alone(item: Json) -> Json:
    return {name: value for name, value in item.items() if name != "idempotency_key"}


async def send(person: Person, items: list[Json], *, key: str | None = None) -> Json:
    answer = await person.api.post("/payments/batch", {"mode": "independent", "items": items}, key=key or fresh_key())
    return body_of(answer, 207)


def without_instance(problem: Json) -> Json:
    """A problem without the members that name its request."""
    return {name: value for name, value in problem.items() if name not in {"instance", "request_id"}}


@pytest.mark.parametrize(("change", "code", "errors"), REFUSED)
async def test_an_item_is_refused_for_its_content_as_alone_and_the_others_are_paid(
    customer: Person, merchant: Person, change: Json, code: str, errors: Json
) -> None:
    bad = as_item(a_payment(merchant, **change))
    items = [as_item(a_payment(merchant)), bad, as_item(a_payment(merchant))]
    batch = await send(customer, items)
    assert [result["status"] for result in batch["results"]] == [201, 400 if errors else 422, 201]
    problem = batch["results"][1]["body"]
    assert problem["code"] == code
    assert {error["pointer"]: error["code"] for error in problem.get("errors", [])} == errors
    single = await customer.api.post("/payments", alone(bad), key=bad["idempotency_key"])
    assert without_instance(problem) == without_instance(refused(single, batch["results"][1]["status"], code))
    assert await merchant.available() == 20


async def test_a_refused_item_may_be_corrected_under_its_key_and_that_of_the_batch(
    customer: Person, merchant: Person
) -> None:
    good = as_item(a_payment(merchant))
    bad = [as_item(a_payment(merchant, **change)) for change, _, _ in REFUSED]
    first = await send(customer, [good, *bad], key="batch-1")
    corrected = [{**as_item(a_payment(merchant)), "idempotency_key": item["idempotency_key"]} for item in bad]
    created(await customer.api.post("/payments", alone(corrected[0]), key=corrected[0]["idempotency_key"]))
    second = await send(customer, [good, *corrected], key="batch-1")
    assert [result["status"] for result in second["results"]] == [201] * (1 + len(bad))
    assert second["results"][0] == first["results"][0]
    assert await merchant.available() == 10 * (1 + len(bad))


async def test_the_key_of_a_refused_item_is_not_looked_at(customer: Person, merchant: Person) -> None:
    """Alone, too, an invalid payment is 400, whatever its key was used for."""
    paid = as_item(a_payment(merchant))
    bad = {**paid, "description": CARD}
    batch = await send(customer, [paid, bad, {**bad, "idempotency_key": "batch-1"}], key="batch-1")
    assert [result["status"] for result in batch["results"]] == [201, 400, 400]
    again = await send(customer, [bad])
    assert again["results"][0]["status"] == 400


async def test_an_atomic_batch_is_refused_with_the_errors_of_all_its_items(customer: Person, merchant: Person) -> None:
    good = as_item(a_payment(merchant))
    bad = [as_item(a_payment(merchant, **change)) for change, code, _ in REFUSED if code == "validation_error"]
    answer = await customer.api.post("/payments/batch", {"mode": "atomic", "items": [good, *bad]}, key="batch-1")
    problem = refused(answer, 400, "validation_error")
    assert {error["pointer"]: error["code"] for error in problem["errors"]} == {
        f"/items/{index}{pointer}": code
        for index, (_, _, errors) in enumerate(REFUSED, 1)
        for pointer, code in errors.items()
    }
    assert await merchant.available() == 0
    corrected = {"mode": "atomic", "items": [good, {**bad[0], "description": "Card"}]}
    created(await customer.api.post("/payments/batch", corrected, key="batch-1"))
    assert await merchant.available() == 20


async def test_an_unknown_currency_aborts_an_atomic_batch(customer: Person, merchant: Person) -> None:
    items = [as_item(a_payment(merchant)), as_item(a_payment(merchant, currency="ZZZ"))]
    answer = await customer.api.post("/payments/batch", {"mode": "atomic", "items": items}, key="batch-1")
    problem = refused(answer, 422, "batch_aborted")
    assert (problem["failed_item"]["index"], problem["failed_item"]["code"]) == (1, "unknown_currency")
    items[1]["currency"] = "USD"
    created(await customer.api.post("/payments/batch", {"mode": "atomic", "items": items}, key="batch-1"))


@pytest.mark.parametrize("mode", ["independent", "atomic"])
async def test_a_wrong_form_refuses_the_whole_and_all_errors_are_listed(
    customer: Person, merchant: Person, mode: str
) -> None:
    items = [as_item(a_payment(merchant, description=CARD)), as_item(a_payment(merchant, customer_id="usr_1"))]
    answer = await customer.api.post("/payments/batch", {"mode": mode, "items": items}, key=fresh_key())
    problem = refused(answer, 400, "validation_error")
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [
        ("/items/0/description", "card_number"),
        ("/items/1/customer_id", "field_unknown"),
    ]
    assert await merchant.available() == 0
