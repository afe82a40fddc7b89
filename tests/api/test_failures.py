"""Failures of storage, timeouts and bugs: responses, logs, and what a repeated request meets."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import httpx
import pytest

from gateway.adapters.http import HttpLimits
from gateway.adapters.http.problems import KINDS
from gateway.adapters.http.resources import health
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.api_keys import ApiKeys
from gateway.application.audit_ids import AuditIds
from gateway.application.audit_queries import AuditQueries
from gateway.application.customers import Customers
from gateway.application.engine.batch import Batch, RunBatch
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import Executor, OneByOne
from gateway.application.engine.submission import Answer, Failed, Submission
from gateway.application.errors import Overloaded
from gateway.application.events.commit_signal import CommitSignal
from gateway.application.events.hub import EventHub, StreamLimits
from gateway.application.gateway import Gateway
from gateway.application.members import Members
from gateway.application.ports.sessions import SessionId
from gateway.application.ports.unit_of_work import KeyBusy, StorageUnavailable
from gateway.application.queries import Queries
from gateway.application.recovery import Recovery
from gateway.application.second_factors import SecondFactorEnrolment
from gateway.domain.user import UserId
from support.api_client import Json, World, created, fresh_key, ok, open_world, refused

Trouble = Callable[[], Awaitable[None]]
RunBatchWith = Callable[[Sequence[Submission], RunBatch], Awaitable[list[Answer | Failed]]]


def raising(error: Exception) -> Trouble:
    async def trouble() -> None:
        raise error

    return trouble


async def hang() -> None:
    await asyncio.Event().wait()


class InTrouble:
    """A port with `trouble` in all of its methods."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble

    def __getattr__(self, name: str) -> Any:
        async def meet_trouble(*_: object, **__: object) -> None:
            await self._trouble()

        return meet_trouble


class SessionsInTrouble(InTrouble):
    """Revocations can be read: callers are known."""

    async def revoked_since(self, _: datetime) -> AbstractSet[SessionId]:
        return frozenset()


class UsersInTrouble(InTrouble):
    """Who was disabled can be read, as revocations can."""

    async def disabled_since(self, _: datetime) -> AbstractSet[UserId]:
        return frozenset()


class ExecutorInTrouble(InTrouble):
    """The queue has room."""

    is_closing = False

    def check_room(self, caller: UserId, size: int) -> None:
        """Nothing waits."""


def in_trouble(gateway: Gateway, trouble: Trouble) -> Gateway:
    """The gateway with trouble in all of its ports that do I/O."""
    port: Any = InTrouble(trouble)
    sessions: Any = SessionsInTrouble(trouble)
    users: Any = UsersInTrouble(trouble)
    executor = CommandExecutor(cast("Executor", ExecutorInTrouble(trouble)), time_ordered_id)
    access = replace(
        gateway.access,
        executor=executor,
        users=users,
        login_failures=port,
        second_factors=port,
        sessions=sessions,
        api_keys=port,
        members=port,
    )
    quotes = replace(gateway.quotes, executor=executor, rates=port)
    storage = replace(gateway.storage, reader=port)
    event_queries = replace(gateway.event_queries, feed=port)
    webhooks = replace(gateway.webhooks, executor=executor, stored=port, sender=port)
    deliveries = replace(gateway.deliveries, stored=port, endpoints=port, feed=port)
    return replace(
        gateway,
        executor=executor,
        access=access,
        api_keys=ApiKeys(access),
        customers=Customers(access=access, stored=port),
        second_factors=SecondFactorEnrolment(access),
        members=Members(access, port),
        recovery=Recovery(access, port),
        audit=AuditQueries(port, executor, gateway.access.clock, AuditIds(port, port, port, port)),
        queries=Queries(port),
        quotes=quotes,
        event_queries=event_queries,
        event_hub=EventHub(event_queries, CommitSignal(), StreamLimits()),
        webhooks=webhooks,
        deliveries=deliveries,
        storage=storage,
    )


def first_example(operation: Json) -> Json | None:
    content: Json = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples: list[Json] = [example["value"] for example in content.get("examples", {}).values()]
    return examples[0] if examples else content.get("example")


async def end_checks_of_readiness() -> None:
    """Cancel checks that hang: they continue after the response, and would be reported by another test."""
    checks = [task for task in asyncio.all_tasks() if task.get_name() == "readiness"]
    for check in checks:
        check.cancel()
    await asyncio.gather(*checks, return_exceptions=True)


async def ask_everything(world: World, tokens: dict[str, str]) -> dict[str, httpx.Response]:
    """The response of each operation to a valid request, by name."""
    answers: dict[str, httpx.Response] = {}
    for path, item in world.anyone.contract.document["paths"].items():
        for method, operation in item.items():
            body = first_example(operation)
            if body is not None and "refresh_token" in body:
                body = {"refresh_token": "rt_" + "0" * 64}
            roles = [role for role in tokens if role in operation["description"].partition(";")[0]]
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
"""They do not depend on storage."""


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
        assert ok(await world.anyone.get("/health/live")) == {"status": "ok", "environment": "sandbox"}


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


def running_batches_with(run: RunBatchWith) -> Callable[[Gateway], Gateway]:
    """A gateway whose executor gives each batch, and what would have run it, to `run`."""

    def changed(gateway: Gateway) -> Gateway:
        batch = Batch(
            unit_of_work=gateway.storage.unit_of_work, clock=gateway.access.clock, identifiers=time_ordered_id
        )
        executor = OneByOne(lambda submissions: run(submissions, batch.run))
        return replace(gateway, executor=CommandExecutor(executor, time_ordered_id))

    return changed


async def test_a_request_whose_twin_is_still_running_is_told_to_come_back() -> None:
    busy = True

    async def run(submissions: Sequence[Submission], run_batch: RunBatch) -> list[Answer | Failed]:
        if busy:
            raise KeyBusy("Another transaction holds it.")
        return await run_batch(submissions)

    async with open_world(changed=running_batches_with(run)) as world:
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

    async with open_world(changed=running_batches_with(run)) as world:
        customer = await world.customer()
        key = fresh_key()
        problem = refused(await customer.api.post("/accounts", {"currency": "EUR"}, key=key), 500, "internal_error")
        assert problem["retryable"] is True
        assert "with the same key, may be sent again" in problem["detail"]
        is_broken = False
        created(await customer.api.post("/accounts", {"currency": "EUR"}, key=key))
