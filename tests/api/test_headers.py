"""Request headers: repeated, malformed and unsupported ones are refused by name."""

from collections.abc import Sequence

import pytest

from gateway.adapters.http.operations import Idempotency, Operation
from support.api_client import Person, World, created, open_world, refused
from support.asgi import RawAnswer, ask
from support.every_operation import EVERY_OPERATION, Everybody, key_for, path_of

ONCE = {
    "authorization": "Bearer x",
    "content-encoding": "identity",
    "content-length": "2",
    "content-type": "application/json",
    "host": "gateway.test",
    "idempotency-key": "order-1",
    "last-event-id": "evt_1",
    "origin": "https://shop.example",
    "request-id": "request-1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "user-agent": "client",
}
"""Headers that may occur once, each with a valid value."""


async def pay_with(world: World, customer: Person, merchant: Person, *more: tuple[str, str]) -> RawAnswer:
    """A payment of 10 with these headers beside those that it needs."""
    headers = [
        ("authorization", f"Bearer {customer.api.token}"),
        ("content-type", "application/json"),
        ("idempotency-key", "order-1"),
        *more,
    ]
    return await ask(
        world.app,
        "POST",
        "/payments",
        headers=[(name.encode(), value.encode()) for name, value in headers],
        chunks=[f'{{"merchant_id":"{merchant.id}","amount":10,"currency":"USD"}}'.encode()],
    )


def header_errors(answer: RawAnswer) -> Sequence[tuple[str, str]]:
    assert (answer.status, answer.json["code"]) == (400, "validation_error")
    assert all(error["pointer"] == "" and error["detail"] for error in answer.json["errors"])
    return [(error["header"], error["code"]) for error in answer.json["errors"]]


async def test_two_idempotency_keys_in_one_request_are_refused_and_nothing_is_paid(
    world: World, customer: Person, merchant: Person
) -> None:
    for second in ("order-1", "order-2"):
        answer = await pay_with(world, customer, merchant, ("idempotency-key", second))
        assert header_errors(answer) == [("Idempotency-Key", "header_repeated")]
    assert await merchant.available() == 0


@pytest.mark.parametrize("name", ONCE)
async def test_a_header_that_may_come_once_and_comes_twice_is_refused(quiet_world: World, name: str) -> None:
    value = ONCE[name].encode()
    for path in ("/payments", "/health/live", "/docs", "/nowhere"):
        answer = await ask(quiet_world.app, "GET", path, headers=[(name.encode(), value), (name.encode(), value)])
        assert header_errors(answer) == [(name.title(), "header_repeated")]


async def test_every_repeated_header_is_named(world: World, customer: Person, merchant: Person) -> None:
    more = (("authorization", "Bearer x"), ("idempotency-key", "order-2"), ("accept", "*/*"), ("accept", "text/html"))
    answer = await pay_with(world, customer, merchant, *more)
    assert [name for name, _ in header_errors(answer)] == ["Authorization", "Idempotency-Key"]


async def test_headers_that_are_lists_may_be_repeated(world: World, customer: Person, merchant: Person) -> None:
    lists = ("accept", "accept-encoding", "cookie", "forwarded", "via", "x-forwarded-for", "x-of-ones-own")
    answer = await pay_with(world, customer, merchant, *[(name, value) for name in lists for value in "ab"])
    assert answer.status == 201


every_operation = pytest.mark.parametrize("operation", EVERY_OPERATION, ids=lambda operation: operation.name)


@every_operation
async def test_a_malformed_idempotency_key_is_refused_by_name_on_every_operation(
    quiet_everybody: Everybody, operation: Operation
) -> None:
    api = quiet_everybody.who_may(operation)
    for key in ("two words", "k\tk", "k" * 256, "ключ".encode(), b"k\x7f"):
        headers = {"idempotency-key": key}
        answer = await api.send(operation.method, path_of(operation), operation.example or None, headers=headers)
        [error] = refused(answer, 400, "validation_error")["errors"]
        assert (error["pointer"], error["header"], error["code"]) == ("", "Idempotency-Key", "value_invalid")


async def test_blanks_around_an_idempotency_key_are_no_part_of_it() -> None:
    """They are optional in HTTP (RFC 9110, 5.5), and servers differ in which of them they take off."""
    async with open_world() as world:
        customer, merchant = await world.customer(balance=100), await world.merchant()
        body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}
        answers = [
            await customer.api.send("POST", "/payments", body, headers={"idempotency-key": key})
            for key in ("order-1", " order-1", "order-1 \t")
        ]
        assert {created(answer)["id"] for answer in answers} == {answers[0].json()["id"]}


async def test_blanks_behind_the_value_of_any_header_are_no_part_of_it() -> None:
    async with open_world() as world:
        customer, merchant = await world.customer(balance=100), await world.merchant()
        body = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}
        headers = {
            "idempotency-key": "order-1 \t",
            "request-id": "request-1 \t",
            "authorization": f"Bearer {customer.api.token} \t",
            "content-encoding": "identity \t",
            "content-type": "application/json \t",
        }
        answer = await customer.api.send("POST", "/payments", body, headers=headers)
        created(answer)
        assert answer.headers["request-id"] == "request-1"


@every_operation
async def test_an_empty_idempotency_key_is_refused_also_where_none_is_required(
    quiet_everybody: Everybody, operation: Operation
) -> None:
    api = quiet_everybody.who_may(operation)
    for key in ("", " ", " \t "):
        headers = {"idempotency-key": key}
        answer = await api.send(operation.method, path_of(operation), operation.example or None, headers=headers)
        if operation.idempotency is Idempotency.REQUIRED:
            refused(answer, 400, "idempotency_key_missing")
        else:
            [error] = refused(answer, 400, "validation_error")["errors"]
            assert (error["header"], error["code"]) == ("Idempotency-Key", "value_invalid")


@pytest.mark.parametrize(
    "operation", [operation for operation in EVERY_OPERATION if operation.body], ids=lambda operation: operation.name
)
async def test_a_compressed_body_is_refused_with_the_encoding_that_is_taken(
    quiet_everybody: Everybody, operation: Operation
) -> None:
    api = quiet_everybody.who_may(operation)
    for coding in ("gzip", "GZIP", "br", "deflate", "zstd", "gzip, identity", "x"):
        headers, key = {"content-encoding": coding}, key_for(operation)
        gzip = b"\x1f\x8b\x08\x00"
        answer = await api.send(operation.method, path_of(operation), content=gzip, key=key, headers=headers)
        refused(answer, 415, "unsupported_media_type")
        assert answer.headers["accept-encoding"] == "identity"


async def test_a_body_that_is_declared_as_not_compressed_is_taken(customer: Person) -> None:
    headers = {"content-encoding": "Identity"}
    created(await customer.api.send("POST", "/accounts", content=b'{"currency":"EUR"}', headers=headers))
