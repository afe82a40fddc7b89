"""Refusals: one table of codes, complete and true to the contract; and what happens when something breaks."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

import httpx
import pytest

import gateway.application.errors
import gateway.domain.errors
from gateway.adapters.http import HttpLimits
from gateway.adapters.http.problems import KINDS, HttpRefusal
from gateway.adapters.http.resources import health
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.engine.batch import Batch, RunBatch
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.errors import Overloaded
from gateway.application.gateway import Gateway
from gateway.application.ports.sessions import SessionId
from gateway.application.ports.unit_of_work import KeyBusy, StorageUnavailable
from gateway.application.queries import Queries
from gateway.domain.errors import Refusal
from support.api_client import Json, Person, World, created, fresh_key, ok, open_world, refused

CONTRACT = {
    400: ("validation_error", "idempotency_key_missing", "cursor_invalid", "cursor_filter_mismatch"),
    401: ("token_missing", "token_invalid", "token_expired", "token_revoked", "invalid_credentials"),
    402: ("insufficient_funds", "merchant_insufficient_funds"),
    403: ("role_forbidden", "account_frozen"),
    404: (
        "not_found",
        "user_not_found",
        "account_not_found",
        "merchant_not_found",
        "payment_not_found",
        "quote_not_found",
        "rate_not_found",
        "refund_not_found",
        "transaction_not_found",
    ),
    405: ("method_not_allowed",),
    408: ("request_timeout",),
    409: (
        "email_taken",
        "user_exists",
        "account_exists",
        "duplicate_reference",
        "payment_state_invalid",
        "payment_expired",
        "payment_not_due",
        "payment_not_refundable",
        "capture_limit_reached",
        "refund_limit_reached",
        "quote_expired",
        "quote_used",
        "rates_read_only",
        "already_reversed",
        "use_refund",
        "transaction_not_reversible",
        "idempotency_in_progress",
    ),
    413: ("body_too_large",),
    415: ("unsupported_media_type",),
    422: (
        "idempotency_key_reused",
        "currency_mismatch",
        "unknown_currency",
        "same_account",
        "same_currency",
        "amount_too_small",
        "amount_too_large",
        "quote_amount_mismatch",
        "capture_amount_exceeds_authorized",
        "refund_amount_exceeds_remaining",
        "batch_aborted",
        "balance_overflow",
    ),
    429: ("rate_limited",),
    431: ("headers_too_large",),
    500: ("internal_error",),
    503: ("overloaded", "storage_unavailable"),
}
"""What clients were promised; a code keeps its status for ever."""

RETRYABLE = {
    "account_frozen",
    "idempotency_in_progress",
    "internal_error",
    "overloaded",
    "payment_not_due",
    "rate_limited",
    "rate_not_found",
    "request_timeout",
    "storage_unavailable",
}


def every_refusal(root: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for kind in root.__subclasses__():
        yield kind
        yield from every_refusal(kind)


def test_every_promised_code_has_its_status_and_there_is_no_other() -> None:
    promised = {code: status for status, codes in CONTRACT.items() for code in codes}
    assert {code: kind.status for code, kind in KINDS.items()} == promised


def test_every_refusal_is_in_the_table() -> None:
    for module in (gateway.domain.errors, gateway.application.errors):
        assert any(kind.__module__ == module.__name__ for kind in every_refusal())
    codes = [kind.code for kind in every_refusal() if kind is not HttpRefusal and kind.__module__.startswith("gateway")]
    assert set(codes) <= KINDS.keys()
    assert len(codes) == len(set(codes))


def test_what_may_be_sent_again_says_so() -> None:
    assert {code for code, kind in KINDS.items() if kind.retryable} == RETRYABLE
    lasting = {kind.code for kind in every_refusal() if kind is not HttpRefusal and kind.lasting}
    assert not lasting & RETRYABLE


def test_every_status_is_one_of_http_and_every_title_is_said_once() -> None:
    for kind in KINDS.values():
        HTTPStatus(kind.status)
    assert len({kind.title for kind in KINDS.values()}) == len(KINDS)


Trouble = Callable[[], Awaitable[None]]


def raising(error: Exception) -> Trouble:
    async def trouble() -> None:
        raise error

    return trouble


async def hang() -> None:
    await asyncio.Event().wait()


class InTrouble:
    """A port all of whose methods do nothing but meet `trouble`."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble

    def __getattr__(self, name: str) -> Any:
        async def meet_trouble(*_: object, **__: object) -> None:
            await self._trouble()

        return meet_trouble


class SessionsInTrouble(InTrouble):
    """Who is signed in is still known: it was read before."""

    async def revoked_since(self, _: datetime) -> AbstractSet[SessionId]:
        return frozenset()


def in_trouble(gateway: Gateway, trouble: Trouble) -> Gateway:
    """The gateway with no port left that works, but for those that do no input and output."""
    port: Any = InTrouble(trouble)
    sessions: Any = SessionsInTrouble(trouble)
    executor = CommandExecutor(port, time_ordered_id)
    access = replace(gateway.access, executor=executor, users=port, login_failures=port, sessions=sessions)
    quotes = replace(gateway.quotes, executor=executor, rates=port)
    storage = replace(gateway.storage, reader=port)
    return replace(gateway, executor=executor, access=access, queries=Queries(port), quotes=quotes, storage=storage)


def first_example(operation: Json) -> Json | None:
    content: Json = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples: list[Json] = [example["value"] for example in content.get("examples", {}).values()]
    return examples[0] if examples else content.get("example")


async def end_checks_of_readiness() -> None:
    """A check goes on after its answer. One that hangs would be found when it is collected, in another test."""
    checks = [task for task in asyncio.all_tasks() if task.get_name() == "readiness"]
    for check in checks:
        check.cancel()
    await asyncio.gather(*checks, return_exceptions=True)


async def ask_everything(world: World, tokens: dict[str, str]) -> dict[str, httpx.Response]:
    """One sensible request to each operation, by its name."""
    answers: dict[str, httpx.Response] = {}
    for path, item in world.anyone.contract.document["paths"].items():
        for method, operation in item.items():
            body = first_example(operation)
            if body is not None and "refresh_token" in body:
                body = {"refresh_token": "rt_" + "0" * 64}
            roles = [role for role in tokens if role in operation.get("description", "")]
            api = world.anyone.with_token(tokens[roles[0] if roles else "customer"])
            name = operation["operationId"]
            sensible = path.format_map(defaultdict(lambda: "id", {"from": "EUR", "to": "USD"}))
            answers[name] = await api.send(method.upper(), sensible, body, key=fresh_key())
    return answers


def tokens_of(world: World) -> dict[str, str]:
    return {
        role: world.gateway.tokens.issue(subject="usr_1", role=role, token_id="ses_1.1", now=world.clock.now)
        for role in ("customer", "operator", "merchant")
    }


NO_STORAGE = {"getLiveness", "getKeySet"}
"""They answer whatever happens to the storage."""


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        pytest.param(raising(StorageUnavailable("host=db1 password=hunter2")), 503, "storage_unavailable", id="away"),
        pytest.param(raising(TimeoutError("host=db1 password=hunter2")), 503, "storage_unavailable", id="slow"),
        pytest.param(hang, 503, "storage_unavailable", id="hanging"),
        pytest.param(raising(Overloaded("Too many are waiting.")), 503, "overloaded", id="overloaded"),
        pytest.param(raising(RuntimeError("host=db1 password=hunter2")), 500, "internal_error", id="broken"),
        pytest.param(raising(KeyError("hunter2")), 500, "internal_error", id="a bug"),
    ],
)
async def test_every_operation_answers_trouble_with_a_problem_that_tells_nothing_of_its_cause(
    caplog: pytest.LogCaptureFixture, trouble: Trouble, status: int, code: str
) -> None:
    limits = HttpLimits(request_seconds_max=0.02 if trouble is hang else 30.0)
    async with open_world(limits=limits, changed=lambda gateway: in_trouble(gateway, trouble)) as world:
        answers = await ask_everything(world, tokens_of(world))
        await end_checks_of_readiness()
    for name, answer in answers.items():
        if name in NO_STORAGE:
            ok(answer)
            continue
        problem = refused(answer, status, code)
        assert problem["retryable"] is KINDS[code].retryable
        assert "hunter2" not in answer.text
        assert "Traceback" not in answer.text
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    if status == 500:
        logged = {vars(record)["request_id"] for record in failures}
        assert logged == {answer.json()["request_id"] for answer in answers.values() if answer.status_code == 500}
        assert all(record.exc_info for record in failures)
    else:
        assert not failures


async def test_an_outage_is_one_line_with_its_cause_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def away() -> None:
        cause = OSError(111, "Connect call failed ('10.0.0.7', 5432) password=hunter2")
        raise StorageUnavailable("The database cannot be reached.") from cause

    async with open_world(changed=lambda gateway: in_trouble(gateway, away)) as world:
        await ask_everything(world, tokens_of(world))

    [line] = [record for record in caplog.records if record.name.startswith("gateway")]
    assert (line.levelname, line.getMessage(), line.exc_info) == ("WARNING", "storage_unavailable", None)
    told = vars(line)
    assert told["cause"] == "[Errno 111] Connect call failed ('10.0.0.7', 5432) password=***"
    assert told["route"] in world.anyone.contract.document["paths"]


async def test_readiness_is_lost_within_two_seconds_of_the_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    assert health.READY_SECONDS_MAX <= 2.0
    monkeypatch.setattr(health, "READY_SECONDS_MAX", 0.01)
    async with open_world(changed=lambda gateway: in_trouble(gateway, hang)) as world:
        answer = await world.anyone.get("/health/ready")
        refused(answer, 503, "storage_unavailable")
        assert ok(await world.anyone.get("/health/live")) == {"status": "ok"}


async def test_the_storage_that_answers_is_ready(world: World) -> None:
    assert ok(await world.anyone.get("/health/ready")) == {"status": "ok"}


async def test_a_payment_cut_off_by_the_deadline_is_made_once_under_the_same_key() -> None:
    async with open_world(limits=HttpLimits(request_seconds_max=0.5)) as world:
        customer, merchant = await world.customer(balance=100), await world.merchant()
        body, key = {"merchant_id": merchant.id, "amount": 10, "currency": "USD"}, fresh_key()
        async with world.gateway.storage.unit_of_work():  # Everybody else waits.
            refused(await customer.api.post("/payments", body, key=key), 503, "storage_unavailable")
        created(await customer.api.post("/payments", body, key=key))
        assert await merchant.available() == 10
        assert await customer.available() == 90


async def test_a_request_whose_twin_is_still_running_is_told_to_come_back() -> None:
    busy = True

    async def run(submissions: Sequence[Submission], run_batch: RunBatch) -> list[Answer | Failed]:
        if busy:
            raise KeyBusy("Another transaction holds it.")
        return await run_batch(submissions)

    def changed(gateway: Gateway) -> Gateway:
        batch = Batch(
            unit_of_work=gateway.storage.unit_of_work, clock=gateway.access.clock, identifiers=time_ordered_id
        )
        executor = OneByOne(lambda submissions: run(submissions, batch.run))
        return replace(gateway, executor=CommandExecutor(executor, time_ordered_id))

    async with open_world(changed=changed) as world:
        customer = await world.customer()
        key = fresh_key()
        answer = await customer.api.post("/accounts", {"currency": "EUR"}, key=key)
        assert refused(answer, 409, "idempotency_in_progress")["retryable"] is True
        assert int(answer.headers["retry-after"]) >= 1
        busy = False
        answer = await customer.api.post("/accounts", {"currency": "EUR"}, key=key)
        created(answer)
        assert "idempotency-replayed" not in answer.headers


async def test_after_an_internal_error_the_same_key_may_be_sent_again_as_the_answer_says() -> None:
    is_broken = True

    async def run(submissions: Sequence[Submission], run_batch: RunBatch) -> list[Answer | Failed]:
        if is_broken:
            raise RuntimeError("ERROR: column payments.amount does not exist")
        return await run_batch(submissions)

    def changed(gateway: Gateway) -> Gateway:
        batch = Batch(
            unit_of_work=gateway.storage.unit_of_work, clock=gateway.access.clock, identifiers=time_ordered_id
        )
        executor = OneByOne(lambda submissions: run(submissions, batch.run))
        return replace(gateway, executor=CommandExecutor(executor, time_ordered_id))

    async with open_world(changed=changed) as world:
        customer = await world.customer()
        key = fresh_key()
        problem = refused(await customer.api.post("/accounts", {"currency": "EUR"}, key=key), 500, "internal_error")
        assert problem["retryable"] is True
        assert "with the same key, may be sent again" in problem["detail"]
        is_broken = False
        created(await customer.api.post("/accounts", {"currency": "EUR"}, key=key))


async def test_every_way_to_be_refused_for_a_token_says_how_to_authenticate(world: World, customer: Person) -> None:
    missing = await world.anyone.get("/users/me")
    refused(missing, 401, "token_missing")
    assert missing.headers["www-authenticate"] == 'Bearer realm="gateway"'
    invalid = await world.anyone.with_token("nonsense").get("/users/me")
    refused(invalid, 401, "token_invalid")
    assert invalid.headers["www-authenticate"] == 'Bearer realm="gateway", error="invalid_token"'
    login = {"email": customer.email, "password": "wrong horse"}
    wrong = await world.anyone.post("/users/login", login)
    assert wrong.headers["www-authenticate"] == 'Bearer realm="gateway"'
