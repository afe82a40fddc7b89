"""The access log: route, status and user of each request, and nothing of its content."""

import io
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway import TRUSTED, AuditFilter
from gateway.entrypoints.access_lines import access_lines
from support.api_client import Person, World, created, fresh_key, ok, open_world, refused
from support.every_operation import EVERY_OPERATION, Everybody, key_for, path_of

CANARY = "hunter2canary"
CANARIES = (CANARY, "correct horse", "canary@example.com", "4111111111111111", "@")


class Log:
    """What was logged, in both forms."""

    def __init__(self) -> None:
        self.json, self.console = io.StringIO(), io.StringIO()
        self._writers = access_lines(self.json, as_json=True), access_lines(self.console, as_json=False)

    def __call__(self, entry: Any) -> None:
        for write in self._writers:
            write(entry)

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.json.getvalue().splitlines()]

    @property
    def last(self) -> dict[str, Any]:
        return self.entries[-1]

    @property
    def last_line(self) -> str:
        return self.console.getvalue().splitlines()[-1]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def logged(log: Log) -> AsyncIterator[World]:
    async with open_world(access_log=log) as world:
        yield world


async def test_a_member_who_acts_for_a_merchant_is_logged_as_themselves(logged: World, log: Log) -> None:
    merchant = await logged.merchant()
    member = await logged.member(merchant, "viewer")
    ok(await member.api.get("/payments"))
    assert log.last["user_id"] == member.id


async def test_a_payment_is_one_line_with_its_route_and_who_asked(logged: World, log: Log) -> None:
    customer, merchant = await logged.customer(balance=1_000), await logged.merchant()
    before = len(log.entries)

    payment = await customer.pay(merchant, 250)
    answer = await customer.api.get(f"/payments/{payment['id']}")

    paid, read = log.entries[before:]
    assert (paid["method"], paid["route"], paid["status"]) == ("POST", "/payments", 201)
    assert (read["method"], read["route"], read["status"]) == ("GET", "/payments/{payment_id}", 200)
    assert paid["user_id"] == read["user_id"] == customer.id
    assert read["request_id"] == answer.headers["request-id"]
    assert isinstance(paid["ms"], float)
    assert paid.keys() == {
        *("event", "level", "logger", "timestamp"),
        *("method", "route", "status", "ms", "request_id", "user_id"),
    }
    assert " GET    /payments/{payment_id} 200 " in log.last_line
    assert log.last_line.endswith(f" ms {read['request_id']} {customer.id}")
    assert payment["id"] not in log.json.getvalue() + log.console.getvalue()


async def test_what_a_key_did_is_told_from_what_its_owner_did(logged: World, log: Log) -> None:
    customer, merchant = await logged.customer(balance=1_000), await logged.merchant()
    made = created(await customer.api.post("/api-keys", {"name": "Till", "scopes": ["payments:write"]}))
    assert "api_key_id" not in log.last
    machine = customer.api.with_token(made["secret"])
    body = {"merchant_id": merchant.id, "amount": 250, "currency": "USD"}
    created(await machine.post("/payments", body, key=fresh_key()))
    assert (log.last["user_id"], log.last["api_key_id"]) == (customer.id, made["id"])
    assert log.last_line.endswith(f" {customer.id} {made['id']}")
    refused(await machine.get("/payments"), 403, "scope_missing")
    assert (log.last["api_key_id"], log.last["code"]) == (made["id"], "scope_missing")
    assert made["secret"] not in log.json.getvalue() + log.console.getvalue()


async def test_a_refusal_has_its_code_and_the_fields_that_were_wrong(logged: World, log: Log) -> None:
    customer, merchant = await logged.customer(balance=100), await logged.merchant()
    body = {"merchant_id": merchant.id, "amount": 101, "currency": "USD"}

    refused(await customer.api.post("/payments", body, key=fresh_key()), 402, "insufficient_funds")
    assert (log.last["status"], log.last["code"]) == (402, "insufficient_funds")
    assert log.last_line.endswith(f"{customer.id} insufficient_funds")

    refused(
        await customer.api.post("/payments", body | {"amount": CANARY, CANARY: 1}, key=fresh_key()),
        400,
        "validation_error",
    )
    assert {(each["pointer"], each["code"]) for each in log.last["errors"]} == {
        ("/amount", "type_mismatch"),
        ("/*", "field_unknown"),
    }
    assert "/amount type_mismatch" in log.last_line


async def test_a_refusal_that_is_replayed_has_its_code_again(logged: World, log: Log) -> None:
    customer, merchant = await logged.customer(balance=100), await logged.merchant()
    body, key = {"merchant_id": merchant.id, "amount": 101, "currency": "USD"}, fresh_key()
    for _ in range(2):
        await customer.api.post("/payments", body, key=key)
    first, second = log.entries[-2:]
    assert first["code"] == second["code"] == "insufficient_funds"
    assert first["request_id"] != second["request_id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "route", "code"),
    [
        ("GET", f"/{CANARY}", 404, "*", "not_found"),
        ("GET", f"/payments/{CANARY}/{CANARY}/{CANARY}", 404, "*", "not_found"),
        ("PUT", "/payments", 405, "/payments", "method_not_allowed"),
        (CANARY.upper(), "/payments", 405, "/payments", "method_not_allowed"),
        ("GET", f"/payments/{CANARY}", 401, "/payments/{payment_id}", "token_missing"),
        ("GET", f"/payments?{CANARY}={CANARY}", 401, "/payments", "token_missing"),
    ],
)
async def test_a_path_that_nobody_knows_is_not_repeated(
    logged: World, log: Log, method: str, path: str, status: int, route: str, code: str
) -> None:
    refused(await logged.anyone.send(method, path), status, code)

    assert (log.last["route"], log.last["status"], log.last["code"]) == (route, status, code)
    assert log.last["method"] == (method if method in {"GET", "PUT"} else "*")
    assert CANARY not in (log.json.getvalue() + log.console.getvalue()).lower()


async def test_nothing_that_a_client_sends_is_in_any_line(
    logged: World, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    everybody = Everybody(
        world=logged,
        customer=await logged.customer(balance=100),
        merchant=await logged.merchant(),
        operator=await logged.operator(),
    )
    for operation in EVERY_OPERATION:
        api = everybody.who_may(operation)
        query = "".join(f"{mark}{name}={CANARY}" for mark, name in (("?", CANARY), ("&", "cursor"), ("&", "status")))
        for body in hostile_bodies(operation.example):
            path = path_of(operation, CANARY)
            sent = None if operation.body is None else body
            await api.send(operation.method, path, sent, key=key_for(operation))
            await api.send(operation.method, path + query, sent, key=f"{CANARY} {fresh_key()}")
            await api.with_token(CANARY).send(operation.method, path, sent, key=key_for(operation))

    assert {entry["route"] for entry in log.entries} >= {operation.path for operation in EVERY_OPERATION}
    everything = log.json.getvalue() + log.console.getvalue() + lines_of_the_gateway(caplog)
    assert [canary for canary in CANARIES if canary in everything] == []


def lines_of_the_gateway(caplog: pytest.LogCaptureFixture) -> str:
    """All that its loggers were told; those of the test's own client, with whole URLs, are left out."""
    return "\n".join(str(vars(record)) for record in caplog.records if record.name.split(".")[0] != "httpx")


def hostile_bodies(example: dict[str, Any]) -> list[Any]:
    """An example with secrets in every field, in fields and keys that nobody knows, and as a body of another form."""
    return [
        example | {"metadata": {CANARY: CANARY}, "email": "canary@example.com", "password": "correct horse"},
        dict.fromkeys(example, CANARY),
        dict.fromkeys(example, "4111111111111111"),
        {**example, CANARY: {CANARY: CANARY}, "canary@example.com": 1},
        {name: {CANARY: [CANARY]} for name in example},
        [CANARY],
    ]


async def test_who_logs_in_is_not_named(logged: World, log: Log) -> None:
    body = {"email": "canary@example.com", "password": "correct horse battery", "role": "customer"}
    created(await logged.anyone.post("/users/register", body))
    login = ok(await logged.anyone.post("/users/login", {"email": body["email"], "password": body["password"]}))
    refused(
        await logged.anyone.post("/users/login", {"email": body["email"], "password": CANARY}),
        401,
        "invalid_credentials",
    )

    everything = log.json.getvalue() + log.console.getvalue()
    assert [
        secret for secret in (*CANARIES, login["access_token"], login["refresh_token"]) if secret in everything
    ] == []


async def test_customers_whom_a_merchant_manages_are_not_named(
    logged: World, log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    shop = await logged.merchant()
    named = {"name": CANARY, "email": "canary@example.com"}
    caplog.set_level(logging.DEBUG)
    made = created(await shop.api.post("/customers", {**named, "external_id": "1"}))
    path = f"/customers/{made['id']}"
    refused(await shop.api.post("/customers", {**named, "external_id": "1"}), 409, "external_id_taken")
    refused(await shop.api.post("/customers", {**named, "email": "canary@"}), 400, "validation_error")
    ok(await shop.api.send("PATCH", path, {"name": f"another {CANARY}"}))
    ok(await shop.api.get("/customers", email="canary@example.com"))
    ok(await shop.api.get(path))

    everything = log.json.getvalue() + log.console.getvalue() + lines_of_the_gateway(caplog)
    assert path.replace(made["id"], "{customer_id}") in everything
    assert [secret for secret in CANARIES if secret in everything] == []
    audit = await logged.gateway.audit.records(TRUSTED, AuditFilter())
    assert CANARY not in repr(audit)
    found = await logged.gateway.storage.customers.customer(made["id"])
    assert CANARY not in repr(found)


async def test_a_line_that_cannot_be_written_costs_nobody_an_answer() -> None:
    stream = io.StringIO()
    async with open_world(access_log=access_lines(stream, as_json=True)) as world:
        stream.close()
        ok(await world.anyone.get("/health/live"))


async def test_requests_are_not_logged_unless_asked_for(
    customer: Person, merchant: Person, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await customer.pay(merchant, 1)
    assert capfd.readouterr() == ("", "")
    assert "/payments" not in lines_of_the_gateway(caplog)
