"""A body may be left out if all of its fields may; a body without fields is empty."""

from collections.abc import AsyncIterator

import pytest

from gateway.adapters.http.operations import Operation
from support.api_client import Json, Person, World, created, fresh_key, ok, refused
from support.every_operation import EVERY_OPERATION, Everybody, path_of

OPTIONAL = {
    "confirmPayment",
    "capturePayment",
    "cancelPayment",
    "createRefund",
    "closeAccount",
    "freezeAccount",
    "unfreezeAccount",
    "changeWebhookEndpoint",
    "createCustomer",
    "changeCustomer",
    "inviteCustomer",
    "rotateApiKey",
    "rotateWebhookSecret",
    "testWebhookEndpoint",
    "redeliverEvent",
}
NO_BODY: list[dict[str, str | bytes]] = [{}, {"content-type": "application/json"}, {"content-type": "text/plain"}]
without_a_body = pytest.mark.parametrize("headers", NO_BODY, ids=["", "json", "text"])


async def nothing() -> AsyncIterator[bytes]:
    yield b""


def test_the_body_is_optional_wherever_all_of_its_fields_are() -> None:
    assert {operation.name for operation in EVERY_OPERATION if operation.body_optional} == OPTIONAL


@pytest.mark.parametrize(
    "operation",
    [entry for entry in EVERY_OPERATION if entry.body_optional and entry.name != "createCustomer"],
    ids=lambda operation: operation.name,
)
async def test_no_body_is_taken_as_an_empty_object(quiet_everybody: Everybody, operation: Operation) -> None:
    api, path = quiet_everybody.who_may(operation), path_of(operation)
    for headers in NO_BODY:
        for content in (None, b"", nothing()):
            sent = headers if content is None else {**headers, "content-type": headers.get("content-type", "")}
            answer = await api.send(operation.method, path, content=content, headers=sent, key=fresh_key())
            assert answer.status_code == 404, answer.text


@without_a_body
async def test_a_customer_may_have_nothing_but_an_account(merchant: Person, headers: dict[str, str | bytes]) -> None:
    made = created(await merchant.api.send("POST", "/customers", headers=headers, key=fresh_key()))
    assert (made["name"], made["email"], made["external_id"]) == (None, None, None)


@without_a_body
async def test_a_capture_a_refund_and_a_cancellation_need_no_body(
    customer: Person, merchant: Person, headers: dict[str, str | bytes]
) -> None:
    held, called_off = [await customer.pay(merchant, 100, capture="manual") for _ in range(2)]
    path = f"/payments/{held['id']}"
    answer = await merchant.api.send("POST", f"{path}/capture", headers=headers, key=fresh_key())
    assert ok(answer)["amount_captured"] == 100
    answer = await merchant.api.send("POST", f"{path}/refunds", headers=headers, key=fresh_key())
    assert created(answer)["amount"] == 100
    answer = await merchant.api.send("POST", f"/payments/{called_off['id']}/cancel", headers=headers, key=fresh_key())
    assert ok(answer)["status"] == "canceled"


@without_a_body
async def test_a_confirmation_needs_no_body(
    customer: Person, merchant: Person, headers: dict[str, str | bytes]
) -> None:
    asked = created(await merchant.api.post("/payments", {"amount": 100, "currency": "USD"}, key=fresh_key()))
    answer = await customer.api.send("POST", f"/payments/{asked['id']}/confirm", headers=headers, key=fresh_key())
    assert ok(answer)["status"] == "captured"


async def test_no_body_and_an_empty_object_are_the_same_request(customer: Person, merchant: Person) -> None:
    held, called_off = [await customer.pay(merchant, 100, capture="manual") for _ in range(2)]
    for path in (f"/payments/{held['id']}/capture", f"/payments/{called_off['id']}/cancel"):
        key = fresh_key()
        first = await merchant.api.post(path, key=key)
        again = await merchant.api.post(path, {}, key=key)
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["idempotency-replayed"] == "true"


async def test_a_body_that_comes_without_a_length_is_not_taken_for_none(customer: Person, merchant: Person) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b""
        yield b'{"amount":30,'
        yield b'"final":false}'

    held = await customer.pay(merchant, 100, capture="manual")
    answer = await merchant.api.send("POST", f"/payments/{held['id']}/capture", content=pieces(), key=fresh_key())
    assert ok(answer)["amount_captured"] == 30


@pytest.mark.parametrize("body", [{"amount": 300}, {"final": True}, {"reason": None}])
async def test_an_action_without_fields_refuses_any_and_does_nothing(
    world: World, customer: Person, merchant: Person, operator: Person, body: Json
) -> None:
    held = await customer.pay(merchant, 1000, capture="manual")
    endpoint = created(await operator.api.post("/webhook-endpoints", {"url": "https://ops.example/", "events": ["*"]}))
    [name] = body
    for api, path in (
        (merchant.api, f"/payments/{held['id']}/cancel"),
        (operator.api, f"/webhook-endpoints/{endpoint['id']}/rotate-secret"),
    ):
        key = fresh_key()
        [error] = refused(await api.post(path, body, key=key), 400, "validation_error")["errors"]
        assert (error["pointer"], error["code"]) == (f"/{name}", "field_unknown")
        # A refusal of the form is not stored: the key is still free.
        assert "idempotency-replayed" not in (await api.post(path, {}, key=key)).headers
    del world


async def test_an_action_without_fields_refuses_what_is_no_object_and_no_json(
    merchant: Person, operator: Person
) -> None:
    for content in (b"[]", b"null", b"1", b"{", b" "):
        for api, path in ((merchant.api, "/payments/x/cancel"), (operator.api, "/accounts/x/freeze")):
            refused(await api.send("POST", path, content=content, key=fresh_key()), 400, "validation_error")
    answer = await merchant.api.send(
        "POST", "/payments/x/cancel", content=b"{}", headers={"content-type": "text/plain"}, key=fresh_key()
    )
    refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(("action", "body"), [("capture", {"amount": 40}), ("refunds", {"reason": "Cold"})])
async def test_the_same_key_with_another_body_is_another_request(
    customer: Person, merchant: Person, action: str, body: Json
) -> None:
    payment = await customer.pay(merchant, 100, capture="manual" if action == "capture" else "automatic")
    key = fresh_key()
    assert (await merchant.api.post(f"/payments/{payment['id']}/{action}", key=key)).status_code in {200, 201}
    answer = await merchant.api.post(f"/payments/{payment['id']}/{action}", body, key=key)
    refused(answer, 422, "idempotency_key_reused")
