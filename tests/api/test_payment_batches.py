"""Batches of payments: independent or atomic, always in one database transaction."""

from typing import Any

import pytest

from support.api_client import Json, Person, World, body_of, created, fresh_key, ok, refused


def an_item(merchant: Person, amount: int = 10, **more: object) -> Json:
    return {"idempotency_key": fresh_key(), "merchant_id": merchant.id, "amount": amount, "currency": "USD", **more}


def a_batch(mode: str, items: list[Json]) -> Json:
    return {"mode": mode, "items": items}


def statuses(batch: Json) -> list[int]:
    return [result["status"] for result in batch["results"]]


async def send(person: Person, mode: str, items: list[Json], *, key: str | None = None) -> Any:
    return await person.api.post("/payments/batch", a_batch(mode, items), key=key or fresh_key())


async def test_each_item_has_its_own_fate(customer: Person, merchant: Person) -> None:
    items = [
        an_item(merchant, 60_000),
        an_item(merchant, 60_000),
        an_item(merchant, 10, currency="ZZZ"),
        an_item(merchant, 10, capture="manual", expires_in_seconds=60),
        an_item(merchant, 10, merchant_id="usr_nobody"),
    ]
    batch = body_of(await send(customer, "independent", items), 207)
    assert statuses(batch) == [201, 402, 422, 201, 404]
    assert [result["body"].get("code") for result in batch["results"]] == [
        None,
        "insufficient_funds",
        "unknown_currency",
        None,
        "merchant_not_found",
    ]
    assert await customer.available() == 100_000 - 60_000 - 10
    [failed] = ok(await customer.api.get("/payments", status="failed"))["data"]
    assert failed["id"] == batch["results"][1]["body"]["payment_id"]


async def test_all_items_are_paid_or_none(customer: Person, merchant: Person) -> None:
    good = [an_item(merchant, 10) for _ in range(3)]
    batch = created(await send(customer, "atomic", good))
    assert statuses(batch) == [201] * 3
    assert await merchant.available() == 30
    items = [*(an_item(merchant, 10, reference=f"order-{n}") for n in range(3)), an_item(merchant, 100_000)]
    problem = refused(await send(customer, "atomic", items), 422, "batch_aborted")
    assert problem["failed_item"] == {
        "index": 3,
        "idempotency_key": items[3]["idempotency_key"],
        "status": 402,
        "code": "insufficient_funds",
        "detail": problem["failed_item"]["detail"],
    }
    assert await merchant.available() == 30
    assert ok(await customer.api.get("/payments", status="failed"))["data"] == []
    for item in items[:3]:
        body = {name: item[name] for name in item if name != "idempotency_key"}
        answer = await customer.api.post("/payments", body, key=item["idempotency_key"])
        assert created(answer)["reference"] == item["reference"]
        assert "idempotency-replayed" not in answer.headers


async def test_later_items_see_what_earlier_ones_did(customer: Person, merchant: Person) -> None:
    items = [an_item(merchant, 1, reference="order-1"), an_item(merchant, 2, reference="order-1")]
    assert statuses(body_of(await send(customer, "independent", items), 207)) == [201, 409]
    again = [an_item(merchant, 1, reference="order-2"), an_item(merchant, 2, reference="order-2")]
    problem = refused(await send(customer, "atomic", again), 422, "batch_aborted")
    assert (problem["failed_item"]["index"], problem["failed_item"]["code"]) == (1, "duplicate_reference")


@pytest.mark.parametrize("mode", ["independent", "atomic"])
async def test_the_same_batch_again_gives_the_same_answer(customer: Person, merchant: Person, mode: str) -> None:
    items = [an_item(merchant, 10), an_item(merchant, 200_000 if mode == "independent" else 20)]
    first = await send(customer, mode, items, key=f"batch-{mode}")
    again = await send(customer, mode, items, key=f"batch-{mode}")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    refused(await send(customer, mode, items[:1], key=f"batch-{mode}"), 422, "idempotency_key_reused")
    assert await merchant.available() == (10 if mode == "independent" else 30)


async def test_an_aborted_batch_stays_aborted_under_its_key(customer: Person, merchant: Person) -> None:
    items = [an_item(merchant, 10), an_item(merchant, 200_000)]
    first = await send(customer, "atomic", items, key="batch-1")
    await customer.deposit(500_000)
    again = await send(customer, "atomic", items, key="batch-1")
    assert first.content == again.content
    assert created(await send(customer, "atomic", items))["mode"] == "atomic"


@pytest.mark.parametrize("mode", ["independent", "atomic"])
async def test_an_items_key_pays_once_in_whatever_batch(customer: Person, merchant: Person, mode: str) -> None:
    item = an_item(merchant, 10)
    body = {name: item[name] for name in item if name != "idempotency_key"}
    alone = await customer.api.post("/payments", body, key=item["idempotency_key"])
    batch = (await send(customer, mode, [item, an_item(merchant, 5)])).json()
    assert batch["results"][0] == {"status": 201, "body": alone.json()}
    assert await merchant.available() == 15
    other = {**item, "amount": 11}
    answer = await send(customer, mode, [other])
    if mode == "atomic":
        assert refused(answer, 422, "batch_aborted")["failed_item"]["code"] == "idempotency_key_reused"
    else:
        assert body_of(answer, 207)["results"][0]["body"]["code"] == "idempotency_key_reused"
    assert await merchant.available() == 15


async def test_a_thousand_with_a_bad_last_one(customer: Person, merchant: Person) -> None:
    items = [*(an_item(merchant, 1) for _ in range(999)), an_item(merchant, 100_000)]
    problem = refused(await send(customer, "atomic", items), 422, "batch_aborted")
    assert problem["failed_item"]["index"] == 999
    assert await customer.available() == 100_000
    batch = body_of(await send(customer, "independent", items), 207)
    assert statuses(batch) == [201] * 999 + [402]
    assert await customer.available() == 100_000 - 999
    assert await merchant.available() == 999


async def test_operators_pay_for_the_customers_they_name(
    world: World, customer: Person, merchant: Person, operator: Person
) -> None:
    other = await world.customer(balance=50)
    items = [an_item(merchant, 10, customer_id=person.id) for person in (customer, other)]
    created(await send(operator, "atomic", items))
    assert (await customer.available(), await other.available()) == (99_990, 40)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"customer_id": "usr_x"}, "/items/1/customer_id"),
        ({"merchant_id": None}, "/items/1/merchant_id"),
        ({"amount": 0}, "/items/1/amount"),
        ({"idempotency_key": "two words"}, "/items/1/idempotency_key"),
        ({"idempotency_key": "order-1\n"}, "/items/1/idempotency_key"),
        ({"surprise": 1}, "/items/1/surprise"),
    ],
)
async def test_an_item_of_the_wrong_form_refuses_the_whole(
    customer: Person, merchant: Person, change: Json, pointer: str
) -> None:
    items = [an_item(merchant), an_item(merchant, **change) if "amount" not in change else an_item(merchant, 0)]
    problem = refused(await send(customer, "independent", items), 400, "validation_error")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert await customer.available() == 100_000


async def test_a_batch_has_one_to_a_thousand_items(customer: Person, merchant: Person) -> None:
    for items in ([], [an_item(merchant, 1) for _ in range(1001)]):
        refused(await send(customer, "independent", items), 400, "validation_error")


async def test_operators_say_who_pays(merchant: Person, operator: Person) -> None:
    problem = refused(await send(operator, "atomic", [an_item(merchant)]), 400, "validation_error")
    assert problem["errors"][0]["pointer"] == "/items/0/customer_id"
