"""Idempotency keys: the same key and request give the same answer, and never move money twice."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from gateway.adapters.http.app import all_operations
from gateway.adapters.http.cursors import Cursors
from support.api_client import CURSOR_KEYS, Api, Json, Person, World, body_of, created, fresh_key, ok, refused


def a_payment(merchant: Person, amount: int = 10, **more: object) -> Json:
    return {"merchant_id": merchant.id, "amount": amount, "currency": "USD", **more}


def a_deposit(person: Person, amount: int = 10, **more: object) -> Json:
    return {"account_id": person.account_id, "amount": amount, "currency": "USD", **more}


BodyOf = Callable[[Person, Person], Json]
MOVING_MONEY: list[tuple[str, BodyOf]] = [
    ("/payments", lambda _, merchant: a_payment(merchant)),
    ("/transactions", lambda _, merchant: a_payment(merchant)),
    ("/deposits", lambda customer, _: a_deposit(customer)),
]
moving_money = pytest.mark.parametrize(("path", "body_of_request"), MOVING_MONEY)


@moving_money
async def test_moving_money_requires_a_key(
    customer: Person, merchant: Person, path: str, body_of_request: BodyOf
) -> None:
    body = body_of_request(customer, merchant)
    refused(await customer.api.post(path, body), 400, "idempotency_key_missing")
    refused(await customer.api.post(path, body, key=""), 400, "idempotency_key_missing")
    assert await customer.available() == 100_000


@pytest.mark.parametrize("key", ["two words", "k\tk", "k" * 256, "ключ".encode(), b"k\x7f", b"k\xff", b"k\x00"])
async def test_a_key_of_other_characters_or_too_long_is_refused(
    customer: Person, merchant: Person, key: str | bytes
) -> None:
    for path in ("/payments", "/accounts"):
        answer = await customer.api.send("POST", path, a_payment(merchant), headers={"idempotency-key": key})
        refused(answer, 400, "validation_error")


@pytest.mark.parametrize("key", ["k", "!~", "k" * 255])
async def test_every_visible_ascii_key_is_taken(customer: Person, merchant: Person, key: str) -> None:
    created(await customer.api.post("/payments", a_payment(merchant), key=key))


@moving_money
async def test_the_same_request_gets_the_same_answer_byte_for_byte(
    customer: Person, merchant: Person, path: str, body_of_request: BodyOf
) -> None:
    key, body = fresh_key(), body_of_request(customer, merchant)
    first = await customer.api.post(path, body, key=key)
    balance = await customer.available()
    again = await customer.api.post(path + "/", dict(reversed(body.items())), key=key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.headers["content-type"] == again.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert first.headers["request-id"] != again.headers["request-id"]
    assert balance == await customer.available() != 100_000


async def test_a_spelled_out_default_is_the_same_request(customer: Person, merchant: Person) -> None:
    key = fresh_key()
    created(await customer.api.post("/payments", a_payment(merchant), key=key))
    spelled_out = a_payment(merchant, capture="automatic", metadata={}, description=None, reference=None)
    answer = await customer.api.post("/payments", spelled_out, key=key)
    assert answer.headers["idempotency-replayed"] == "true"


def test_what_a_request_leaves_out_is_not_remembered_so_that_later_versions_may_add_fields() -> None:
    for operation in all_operations(Cursors(CURSOR_KEYS), sandbox=True):
        if operation.body is not None:
            body = msgspec.convert(operation.example, operation.body)
            assert msgspec.json.decode(msgspec.json.encode(body)) == operation.example


async def test_the_last_of_repeated_fields_counts_in_what_is_done_and_in_what_is_remembered(
    customer: Person, merchant: Person
) -> None:
    repeated = f'{{"merchant_id":"{merchant.id}","amount":1,"currency":"USD","amount":70}}'.encode()
    key = fresh_key()
    assert created(await customer.api.send("POST", "/payments", content=repeated, key=key))["amount"] == 70
    assert await customer.available() == 100_000 - 70
    answer = await customer.api.post("/payments", a_payment(merchant, 70), key=key)
    assert answer.headers["idempotency-replayed"] == "true"
    refused(await customer.api.post("/payments", a_payment(merchant, 1), key=key), 422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/payments", {"amount": 11}),
        ("/payments", {"description": "other"}),
        ("/payments", {"metadata": {"a": "b"}}),
        ("/transactions", {}),
    ],
)
async def test_a_key_serves_one_request_only(customer: Person, merchant: Person, path: str, change: Json) -> None:
    key = fresh_key()
    created(await customer.api.post("/payments", a_payment(merchant), key=key))
    answer = await customer.api.post(path, {**a_payment(merchant), **change}, key=key)
    refused(answer, 422, "idempotency_key_reused")
    assert "idempotency-replayed" not in answer.headers
    assert await customer.available() == 100_000 - 10
    answer = await customer.api.post("/payments", a_payment(merchant), key=key)
    assert answer.headers["idempotency-replayed"] == "true"


async def test_a_key_serves_one_path_only(customer: Person, merchant: Person, operator: Person) -> None:
    key = fresh_key()
    ok(await operator.api.post(f"/accounts/{customer.account_id}/freeze", key=key))
    for path in (f"/accounts/{merchant.account_id}/freeze", f"/accounts/{customer.account_id}/unfreeze"):
        refused(await operator.api.post(path, key=key), 422, "idempotency_key_reused")


async def test_two_customers_may_choose_the_same_key(world: World, customer: Person, merchant: Person) -> None:
    other = await world.customer(balance=500)
    first = created(await customer.api.post("/payments", a_payment(merchant), key="shared"))
    second_answer = await other.api.post("/payments", a_payment(merchant), key="shared")
    assert created(second_answer)["id"] != first["id"]
    assert "idempotency-replayed" not in second_answer.headers
    assert await merchant.available() == 20


async def test_refusals_that_the_domain_decided_are_kept(customer: Person, merchant: Person) -> None:
    await customer.pay(merchant, 1, reference="taken")
    refusals = [
        (402, "insufficient_funds", "/payments", a_payment(merchant, 1_000_000)),
        (404, "merchant_not_found", "/payments", {**a_payment(merchant), "merchant_id": "usr_nobody"}),
        (409, "duplicate_reference", "/payments", a_payment(merchant, reference="taken")),
        (409, "account_exists", "/accounts", {"currency": "USD"}),
        (422, "same_account", "/payments", {**a_payment(merchant), "merchant_id": customer.id}),
        (422, "currency_mismatch", "/payments", {**a_payment(merchant), "currency": "EUR"}),
        (404, "account_not_found", "/deposits", {**a_deposit(customer), "account_id": "acc_none"}),
    ]
    for status, code, path, body in refusals:
        key = fresh_key()
        first = await customer.api.post(path, body, key=key)
        refused(first, status, code)
        again = await customer.api.post(path, body, key=key)
        assert (again.status_code, again.content) == (status, first.content), code
        assert again.headers["content-type"] == "application/problem+json"
        assert again.headers["idempotency-replayed"] == "true"
        assert "idempotency-replayed" not in first.headers


async def test_a_payment_that_failed_stays_failed_for_its_key_when_money_has_come(
    customer: Person, merchant: Person
) -> None:
    key, body = fresh_key(), a_payment(merchant, 150_000)
    first = await customer.api.post("/payments", body, key=key)
    refused(first, 402, "insufficient_funds")
    await customer.deposit(100_000)
    assert (await customer.api.post("/payments", body, key=key)).content == first.content
    created(await customer.api.post("/payments", body, key=fresh_key()))
    assert await customer.available() == 50_000


async def test_refusals_before_the_domain_are_not_kept(world: World, customer: Person, merchant: Person) -> None:
    key, good = fresh_key(), a_payment(merchant)

    async def try_badly(api: Api, body: object = good, content: bytes | None = None, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = await api.send("POST", "/payments", None if content else body, key=key, content=content, headers=named)
        assert "idempotency-replayed" not in sent.headers
        return sent.status_code

    assert await try_badly(customer.api, {**good, "amount": -1}) == 400
    assert await try_badly(world.anyone) == 401
    assert await try_badly((await world.operator()).api) == 403
    assert await try_badly(customer.api, content=b" " * 65_537) == 413
    assert await try_badly(customer.api, content_type="text/plain") == 415
    answer = await customer.api.post("/payments", good, key=key)
    created(answer)
    assert "idempotency-replayed" not in answer.headers


async def test_a_key_is_optional_elsewhere_and_works_alike(customer: Person) -> None:
    key = fresh_key()
    first = await customer.api.post("/accounts", {"currency": "EUR"}, key=key)
    created(first)
    again = await customer.api.post("/accounts", {"currency": "EUR"}, key=key)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    refused(await customer.api.post("/accounts", {"currency": "EUR"}), 409, "account_exists")


async def test_many_requests_at_once_with_one_key_are_one_payment(customer: Person, merchant: Person) -> None:
    key, body = fresh_key(), a_payment(merchant)
    answers = await asyncio.gather(*(customer.api.post("/payments", body, key=key) for _ in range(32)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 31
    assert await merchant.available() == 10
    assert len(ok(await customer.api.get("/payments"))["data"]) == 1


async def test_many_different_requests_at_once_with_one_key_are_one_payment(customer: Person, merchant: Person) -> None:
    key = fresh_key()
    answers = await asyncio.gather(
        *(customer.api.post("/payments", a_payment(merchant, amount), key=key) for amount in range(1, 17))
    )
    [paid] = [answer for answer in answers if answer.status_code == 201]
    assert all(body_of(answer, 422)["code"] == "idempotency_key_reused" for answer in answers if answer is not paid)
    assert await merchant.available() == paid.json()["amount"]


async def test_permission_is_checked_again_before_a_replay(world: World, customer: Person, merchant: Person) -> None:
    key, body = fresh_key(), a_payment(merchant)
    created(await customer.api.post("/payments", body, key=key))
    logged_out = await customer.api.post("/users/logout", {"refresh_token": customer.refresh_token})
    assert logged_out.status_code == 204
    refused(await customer.api.post("/payments", body, key=key), 401, "token_revoked")
    refused(await world.anyone.post("/payments", body, key=key), 401, "token_missing")
    back = await world.signed_in(customer.email)
    answer = await back.api.post("/payments", body, key=key)
    assert answer.headers["idempotency-replayed"] == "true"
