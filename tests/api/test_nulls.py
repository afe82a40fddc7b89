"""Null means absent: for every optional field of every body, also in lists."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.adapters.http.operations import Operation
from support.api_client import Json, Person, body_of, created, fresh_key, ok, refused
from support.every_operation import EVERY_OPERATION, Everybody, key_for, path_of

WITH_BODIES = [operation for operation in EVERY_OPERATION if operation.body is not None]


def fields_of(kind: Any) -> Iterator[tuple[str, bool]]:
    """Each field of a body, and whether it is required."""
    return ((field.encode_name, field.required) for field in msgspec.structs.fields(kind))


@pytest.mark.parametrize("operation", WITH_BODIES, ids=lambda operation: operation.name)
async def test_null_is_not_given_for_every_field_of_every_body(
    quiet_everybody: Everybody, operation: Operation
) -> None:
    api, path = quiet_everybody.who_may(operation), path_of(operation)
    for name, required in fields_of(operation.body):
        if required:
            body = {**operation.example, name: None}
            answer = await api.send(operation.method, path, body, key=key_for(operation))
            errors = refused(answer, 400, "validation_error")["errors"]
            assert [(error["pointer"], error["code"]) for error in errors] == [(f"/{name}", "field_missing")]
    unknown = {**operation.example, "surprise": None}
    answer = await api.send(operation.method, path, unknown, key=key_for(operation))
    [error] = refused(answer, 400, "validation_error")["errors"]
    assert (error["pointer"], error["code"]) == ("/surprise", "field_unknown")


async def test_optional_fields_of_a_payment_may_be_null_and_it_is_the_same_request(
    customer: Person, merchant: Person
) -> None:
    body: Json = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}
    optional = dict.fromkeys(("capture", "metadata", "reference", "description", "expires_in_seconds"))
    key = fresh_key()
    paid = created(await customer.api.post("/payments", {**body, **optional, "quote_id": None}, key=key))
    assert (paid["status"], paid["metadata"], paid["capture"]) == ("captured", {}, "automatic")
    for name, value in (*optional.items(), ("customer_id", None)):
        again = await customer.api.post("/payments", {**body, name: value}, key=key)
        assert created(again)["id"] == paid["id"]
        assert again.headers["idempotency-replayed"] == "true"
    again = await customer.api.post("/payments", body, key=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert await merchant.available() == 10


async def test_optional_fields_of_items_may_be_null_and_it_is_the_same_batch(
    customer: Person, merchant: Person
) -> None:
    item: Json = {"idempotency_key": fresh_key(), "merchant_id": merchant.id, "amount": 10, "currency": "USD"}
    nulls = {"capture": None, "metadata": None, "description": None}
    key = fresh_key()
    first = await customer.api.post("/payments/batch", {"mode": "atomic", "items": [{**item, **nulls}]}, key=key)
    again = await customer.api.post("/payments/batch", {"mode": "atomic", "items": [item]}, key=key)
    assert created(first) == created(again)
    assert again.headers["idempotency-replayed"] == "true"
    alone = await customer.api.post(
        "/payments",
        {name: value for name, value in item.items() if name != "idempotency_key"},
        key=item["idempotency_key"],
    )
    assert alone.headers["idempotency-replayed"] == "true"


async def test_optional_fields_of_captures_and_refunds_may_be_null(customer: Person, merchant: Person) -> None:
    held = await customer.pay(merchant, 100, capture="manual")
    for action, body in (
        ("capture", {"amount": None, "final": None}),
        ("refunds", {"amount": None, "reason": None, "refund_fee": None}),
    ):
        path, key = f"/payments/{held['id']}/{action}", fresh_key()
        first = await merchant.api.post(path, body, key=key)
        assert first.status_code in {200, 201}
        again = await merchant.api.post(path, {}, key=key)
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")


async def test_optional_fields_elsewhere_may_be_null(everybody_new: Everybody) -> None:
    anyone, operator, merchant = everybody_new.world.anyone, everybody_new.operator, everybody_new.merchant
    body: Json = {"email": "null@example.com", "password": "correct horse battery", "role": "customer"}
    user = created(await anyone.post("/users/register", {**body, "currency": None, "name": None}))
    assert (user["accounts"][0]["currency"], user["name"]) == ("USD", None)
    fees: Json = {"currency": None, "basis_points": 290, "fixed_amount": None}
    answer = await operator.api.send("PUT", f"/merchants/{merchant.id}/fees", fees)
    assert (ok(answer)["currency"], ok(answer)["fixed_amount"]) == ("USD", 0)
    answer = await operator.api.send("PUT", "/rates/EUR/USD", {"rate": "1.1", "spread_basis_points": None})
    assert ok(answer)["spread_basis_points"] == 0


async def test_null_within_metadata_is_a_wrong_value_and_no_field(customer: Person, merchant: Person) -> None:
    body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD", "metadata": {"a/b": None}}
    [error] = refused(await customer.api.post("/payments", body, key=fresh_key()), 400, "validation_error")["errors"]
    assert (error["pointer"], error["code"]) == ("/metadata/a~1b", "type_mismatch")


async def test_a_null_in_the_place_of_an_item_is_no_item(customer: Person) -> None:
    content = json.dumps({"mode": "atomic", "items": [None]}).encode()
    answer = await customer.api.send("POST", "/payments/batch", content=content, key=fresh_key())
    assert body_of(answer, 400)["errors"][0]["pointer"] == "/items/0"
