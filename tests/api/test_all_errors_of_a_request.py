"""The refusal of an invalid request lists all errors, each with a pointer."""

import json
import re
from typing import Any

import pytest

from gateway.adapters.http.field_errors import ERRORS_MAX
from gateway.adapters.http.operations import Operation
from support.api_client import Json, Person, fresh_key, ok, refused
from support.every_operation import EVERY_OPERATION, Everybody, key_for, path_of

PYTHONS_WORDS = re.compile(
    r"`|\bint\b|\bstr\b|\bbool\b|\bgot\b|Expected|\bobject missing\b|\bnull\b|schema", re.IGNORECASE
)


def listed(problem: Json) -> dict[str, str]:
    """The code of each error, by its pointer."""
    errors = problem["errors"]
    assert len({error["pointer"] for error in errors}) == len(errors)
    for error in errors:
        assert error["detail"].endswith(".")
        assert not PYTHONS_WORDS.search(error["detail"]), error
    return {error["pointer"]: error["code"] for error in errors}


async def errors_of(person: Person, path: str, body: object) -> dict[str, str]:
    return listed(refused(await person.api.post(path, body, key=fresh_key()), 400, "validation_error"))


async def test_all_errors_of_a_payment_are_listed(quiet_customer: Person) -> None:
    body: Json = {
        "merchant_id": "",
        "amount": "10",
        "capture": "later",
        "expires_in_seconds": 1,
        "reference": "r" * 65,
        "description": 5,
        "metadata": {"k" * 41: "v", "a/b": 1, "long": "v" * 501},
        "quote_id": [],
        "surprise": True,
        "~": None,
    }
    assert await errors_of(quiet_customer, "/payments", body) == {
        "/merchant_id": "value_invalid",
        "/amount": "type_mismatch",
        "/currency": "field_missing",
        "/capture": "value_invalid",
        "/expires_in_seconds": "value_invalid",
        "/reference": "value_invalid",
        "/description": "type_mismatch",
        f"/metadata/{'k' * 41}": "value_invalid",
        "/metadata/a~1b": "type_mismatch",
        "/metadata/long": "value_invalid",
        "/quote_id": "type_mismatch",
        "/surprise": "field_unknown",
        "/~0": "field_unknown",
    }


async def test_all_errors_of_a_batch_are_listed_with_the_items_they_are_in(quiet_customer: Person) -> None:
    good = {"idempotency_key": "a", "merchant_id": "usr_x", "amount": 10, "currency": "USD"}
    items: list[Any] = [{**good, "amount": 0}, good, {"amount": 1.0, "currency": "usd"}, 7]
    assert await errors_of(quiet_customer, "/payments/batch", {"mode": "some", "items": items}) == {
        "/mode": "value_invalid",
        "/items/0/amount": "value_invalid",
        "/items/2/amount": "type_mismatch",
        "/items/2/currency": "value_invalid",
        "/items/2/idempotency_key": "field_missing",
        "/items/3": "type_mismatch",
    }


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("10", "This must be a whole number."),
        (1.0, "This must be a whole number."),
        (True, "This must be a whole number."),
        ([], "This must be a whole number."),
        (0, "This must be at least 1."),
        (10**12, "This may be up to 999999999999."),
        (10**40, "This may be up to 999999999999."),
        (-(10**40), "This must be at least 1."),
    ],
)
async def test_what_is_wrong_with_an_amount_is_said_in_our_words(
    quiet_customer: Person, value: object, detail: str
) -> None:
    body = {"merchant_id": "usr_x", "amount": value, "currency": "USD"}
    [error] = refused(await quiet_customer.api.post("/payments", body, key=fresh_key()), 400, "validation_error")[
        "errors"
    ]
    assert (error["pointer"], error["detail"]) == ("/amount", detail)


@pytest.mark.parametrize(
    "operation", [entry for entry in EVERY_OPERATION if entry.body is not None], ids=lambda operation: operation.name
)
async def test_a_body_in_which_everything_is_wrong_names_every_field(
    quiet_everybody: Everybody, operation: Operation
) -> None:
    api, path = quiet_everybody.who_may(operation), path_of(operation)
    fields = operation.body.__struct_encode_fields__  # type: ignore[union-attr]  # the operation has one.
    answer = await api.send(
        operation.method, path, {**{name: {} for name in fields}, "surprise": 1}, key=key_for(operation)
    )
    found = listed(refused(answer, 400, "validation_error"))
    valid_as_an_object = {"metadata"}
    assert found == {
        **{f"/{name}": "type_mismatch" for name in fields if name not in valid_as_an_object},
        "/surprise": "field_unknown",
    }
    answer = await api.send(operation.method, path, [], key=key_for(operation))
    assert listed(refused(answer, 400, "validation_error")) == {"": "type_mismatch"}
    required = [name for name in fields if name in operation.example]
    if not operation.body_optional:
        answer = await api.send(operation.method, path, {}, key=key_for(operation))
        missing = listed(refused(answer, 400, "validation_error"))
        assert set(missing.values()) == {"field_missing"}
        assert missing.keys() <= {f"/{name}" for name in required}


async def test_all_errors_of_a_query_are_listed(quiet_customer: Person) -> None:
    query = "limit=many&status=lost&currency=usd&created_after=today&created_before=2026-01-01&sort=asc&reference="
    answer = await quiet_customer.api.send("GET", f"/payments?{query}")
    assert listed(refused(answer, 400, "validation_error")) == {
        "/limit": "type_mismatch",
        "/status": "value_invalid",
        "/currency": "value_invalid",
        "/created_after": "value_invalid",
        "/created_before": "value_invalid",
        "/sort": "field_unknown",
        "/reference": "value_invalid",
    }


async def test_every_repeated_parameter_is_listed(quiet_customer: Person) -> None:
    answer = await quiet_customer.api.send("GET", "/payments?limit=1&limit=2&status=failed&currency=USD&currency=USD")
    assert listed(refused(answer, 400, "validation_error")) == {
        "/limit": "parameter_repeated",
        "/currency": "parameter_repeated",
    }


async def test_times_at_the_ends_of_the_calendar_are_listed_by_name(quiet_customer: Person) -> None:
    query = "created_after=0001-01-01T00:00:00Z&created_before=9999-12-31T23:59:59Z"
    answer = await quiet_customer.api.send("GET", f"/payments?{query}")
    assert listed(refused(answer, 400, "validation_error")) == {
        "/created_after": "value_invalid",
        "/created_before": "value_invalid",
    }


async def test_texts_that_cannot_be_kept_are_listed_among_other_errors(quiet_customer: Person) -> None:
    body = {"merchant_id": "usr_\x00", "amount": 0, "currency": "USD", "description": "a\x00b", "\x00": 1}
    assert await errors_of(quiet_customer, "/payments", body) == {
        "": "text_invalid",
        "/merchant_id": "text_invalid",
        "/description": "text_invalid",
        "/amount": "value_invalid",
        "/\ufffd": "field_unknown",
    }


async def test_all_card_numbers_are_listed_also_where_the_form_is_right(quiet_customer: Person) -> None:
    card = "4242 4242 4242 4242"
    free = {"description": card, "metadata": {"a": card, "b": "order 1"}}
    expected = {"/description": "card_number", "/metadata/a": "card_number"}
    body: Json = {"merchant_id": "usr_x", "amount": 10, "currency": "USD", **free}
    assert await errors_of(quiet_customer, "/payments", body) == expected
    assert await errors_of(quiet_customer, "/payments", {**body, "amount": 0}) == {
        **expected,
        "/amount": "value_invalid",
    }
    items = [{**body, "idempotency_key": fresh_key()}, {**body, "idempotency_key": fresh_key(), "metadata": None}]
    assert await errors_of(quiet_customer, "/payments/batch", {"mode": "atomic", "items": items}) == {
        "/items/0/description": "card_number",
        "/items/0/metadata/a": "card_number",
        "/items/1/description": "card_number",
    }


async def test_what_a_role_must_give_and_may_not_give_is_listed_together(quiet_everybody: Everybody) -> None:
    body: Json = {"amount": 10, "currency": "USD"}
    assert await errors_of(quiet_everybody.customer, "/payments", {**body, "customer_id": "usr_x"}) == {
        "/merchant_id": "field_missing",
        "/customer_id": "field_unknown",
    }
    named = {"merchant_id": "usr_x", "quote_id": "quo_x"}
    assert await errors_of(quiet_everybody.merchant, "/payments", {**body, **named}) == {
        "/merchant_id": "field_unknown",
        "/quote_id": "field_unknown",
    }
    good = {"idempotency_key": "a", "merchant_id": "usr_x", "customer_id": "usr_x"}
    items = [{**body, "idempotency_key": "b"}, {**body, **good}, {**body, **good, "expires_in_seconds": 60}]
    assert await errors_of(quiet_everybody.operator, "/payments/batch", {"mode": "atomic", "items": items}) == {
        "/items/0/customer_id": "field_missing",
        "/items/0/merchant_id": "field_missing",
        "/items/2/expires_in_seconds": "value_invalid",
    }


async def test_no_more_errors_are_listed_than_anybody_reads(quiet_customer: Person) -> None:
    content = json.dumps({f"field_{number}": 1 for number in range(3000)}).encode()
    answer = await quiet_customer.api.send("POST", "/payments", content=content, key=fresh_key())
    assert len(listed(refused(answer, 400, "validation_error"))) == ERRORS_MAX == 100


@pytest.mark.parametrize("depth", [10, 100, 500, 5000])
async def test_something_nested_deep_is_one_error_of_many(quiet_customer: Person, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    content = f'{{"merchant_id":{nested},"amount":0,"surprise":{nested}}}'.encode()
    answer = await quiet_customer.api.send("POST", "/payments", content=content, key=fresh_key())
    errors = listed(refused(answer, 400, "validation_error"))
    if depth < 500:
        assert errors.keys() == {"/merchant_id", "/amount", "/currency", "/surprise"}
    assert ok(await quiet_customer.api.get("/payments"))["data"] == []


async def test_a_body_that_is_wrong_first_and_no_json_later_is_no_json(quiet_customer: Person) -> None:
    answer = await quiet_customer.api.send("POST", "/payments", content=b'{"amount":"x",}', key=fresh_key())
    assert listed(refused(answer, 400, "validation_error")) == {"": "json_malformed"}
