"""Hostile paths and headers: whatever is sent, the response is a refusal, and nothing fails."""

import pytest

from support.api_client import Person, World, refused
from support.asgi import ask

HOSTILE_IDS = [
    "%00",
    "acc_%00",
    "%FF",
    "%ED%A0%80",
    "a%2Fb",
    "..",
    "%2e%2e%2f",
    "'; DROP TABLE accounts; --",
    "%",
    "{id}",
    "{account_id}",
    "🙈",
    "x" * 8000,
    "acc_01kc3x0m5fe7v8qj2r4n6p9stb%20",
    "\\",
    "acc;v=1",
    "*",
]


@pytest.mark.parametrize("hostile", HOSTILE_IDS)
async def test_an_id_that_cannot_be_is_not_found(quiet_operator: Person, hostile: str) -> None:
    for method, path in (
        ("GET", "/accounts/{}"),
        ("POST", "/accounts/{}/freeze"),
        ("POST", "/accounts/{}/unfreeze"),
        ("GET", "/payments/{}"),
        ("GET", "/transactions/{}"),
    ):
        answer = await quiet_operator.api.send(method, path.format(hostile))
        if answer.request.url.path == "/":  # Clients take ".." away before they send: this is another path.
            continue
        assert answer.status_code in {404, 405}, answer.text
        assert answer.json()["code"] in {
            "not_found",
            "account_not_found",
            "payment_not_found",
            "transaction_not_found",
            "method_not_allowed",
        }


@pytest.mark.parametrize("path", ["\x00", "/\x00", "///payments///x", "/ payments", "payments"])
async def test_a_path_that_no_server_should_hand_over_is_refused_all_the_same(quiet_world: World, path: str) -> None:
    answer = await ask(quiet_world.app, "GET", path)
    assert 400 <= answer.status < 500


async def test_an_id_with_a_nul_never_reaches_the_storage(operator: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    async def find(*_: object) -> None:
        raise AssertionError("The storage was asked.")

    monkeypatch.setattr("gateway.adapters.memory.reader.MemoryReader.account", find)
    refused(await operator.api.get("/accounts/acc_%00"), 404, "not_found")
    refused(await operator.api.get("/accounts?owner_id=usr_%00"), 400, "validation_error")


HOSTILE_HEADERS = [
    b"",
    b" ",
    b"\x00",
    b"\xff" * 100,
    b"x" * 20_000,
    "é".encode(),
    b"a,b",
    b"\r\nx: y",
    b"=?utf-8?q?x?=",
]


@pytest.mark.parametrize("name", [b"authorization", b"idempotency-key", b"content-type", b"content-length"])
async def test_no_bytes_in_a_header_break_anything(quiet_world: World, quiet_customer: Person, name: bytes) -> None:
    usual = {
        b"authorization": f"Bearer {quiet_customer.api.token}".encode(),
        b"idempotency-key": b"key",
        b"content-type": b"application/json",
    }
    for value in (*HOSTILE_HEADERS, b"Bearer", b"Bearer " + b"\xff" * 10, b"bearer  x", b"-1", b"9" * 10_000):
        answer = await ask(
            quiet_world.app,
            "POST",
            "/payments",
            headers=[*({**usual, name: value}).items()],
            chunks=[b'{"amount":1.5}'],
        )
        assert 400 <= answer.status < 500, value
        assert answer.headers[b"content-type"] == b"application/problem+json"
