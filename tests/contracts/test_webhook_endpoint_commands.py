"""Commands on webhook endpoints, on every storage."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from gateway import (
    ChangeWebhookEndpoint,
    CreateWebhookEndpoint,
    DeleteWebhookEndpoint,
    DisabledReason,
    DisableWebhookEndpoint,
    FieldError,
    InvalidInput,
    Pay,
    Refusal,
    RotateWebhookSecret,
    SendTestEvent,
    WebhookEndpoint,
)
from gateway.application.engine.command import Command
from gateway.application.engine.command_executor import CommandExecutor
from gateway.application.engine.executor import OneByOne
from gateway.application.engine.retry import RetryLimits, retrying
from gateway.application.engine.submission import Answer
from gateway.application.ports.storage import Storage
from gateway.application.ports.unit_of_work import Wanted
from gateway.contracts.records import NOW, a_webhook_secret, endpoint_id, load, user_id
from gateway.domain.event_type import EventType
from gateway.domain.user import SYSTEM
from support.builders import MERCHANT, a_batch, opened, pay, submissions, submit, usd

CREATE = CreateWebhookEndpoint(
    owner_id=MERCHANT,
    all_merchants=False,
    url="https://shop.example/webhooks",
    events=("payment.*",),
    description="orders",
    enabled=True,
    secret=a_webhook_secret(1),
)
URL_ERROR = FieldError("url", "url_not_allowed", "This address is not allowed.")


@pytest.fixture
def executor(storage: Storage) -> CommandExecutor:
    batch = a_batch(storage)
    return CommandExecutor(OneByOne(retrying(batch.run, RetryLimits(attempts_max=50))), batch.identifiers)


async def code_of(executor: CommandExecutor, *commands: object) -> list[str]:
    codes: list[str] = []
    for command in commands:
        with pytest.raises(Refusal) as refused:
            await executor.execute(command)  # type: ignore[arg-type] # they are commands.
        codes.append(refused.value.code)
    return codes


async def test_an_endpoint_is_created_with_its_secret(storage: Storage, executor: CommandExecutor) -> None:
    created = await executor.execute(CREATE)
    assert created == WebhookEndpoint(
        id=created.id,
        owner_id=MERCHANT,
        all_merchants=False,
        url=CREATE.url,
        events=CREATE.events,
        description="orders",
        disabled_reason=None,
        secret=CREATE.secret,
        created_at=NOW,
        updated_at=NOW,
    )
    assert created.id.startswith("whe_")
    assert await storage.webhook_endpoints.endpoint(created.id) == created
    assert list(await storage.events.read(after=0, limit=10)) == []


async def test_an_endpoint_may_be_created_disabled_and_without_a_description(executor: CommandExecutor) -> None:
    created = await executor.execute(replace(CREATE, enabled=False, description=""))
    assert (created.disabled_reason, created.description) == (DisabledReason.BY_OWNER, None)


async def test_an_owner_has_at_most_16_endpoints_also_if_they_are_created_at_once(
    storage: Storage, executor: CommandExecutor
) -> None:
    answers = await asyncio.gather(*(executor.execute(CREATE) for _ in range(20)), return_exceptions=True)
    codes = [answer.code for answer in answers if isinstance(answer, Refusal)]
    assert codes == ["endpoint_limit_reached"] * 4
    assert len(await storage.webhook_endpoints.endpoints(MERCHANT, before=None, limit=100)) == 16
    await executor.execute(replace(CREATE, owner_id=user_id(3)))
    [newest, *_] = await storage.webhook_endpoints.endpoints(MERCHANT, before=None, limit=1)
    await executor.execute(DeleteWebhookEndpoint(endpoint_id=newest.id, owner_id=MERCHANT))
    await executor.execute(CREATE)
    assert await code_of(executor, CREATE) == ["endpoint_limit_reached"]


async def test_the_limit_counts_endpoints_of_the_same_batch(storage: Storage) -> None:
    answers = await a_batch(storage).run(submissions(*[CREATE] * 17))
    assert [answer.refused for answer in answers if hasattr(answer, "refused")] == [False] * 16 + [True]
    assert len(await storage.webhook_endpoints.endpoints(MERCHANT, before=None, limit=100)) == 16


async def test_an_endpoint_is_changed_and_deleted_in_the_batch_that_creates_it(storage: Storage) -> None:
    created = (await a_batch(storage).run(submissions(CREATE)))[0]
    endpoint = getattr(created, "outcome", None)
    assert isinstance(endpoint, WebhookEndpoint)
    change = ChangeWebhookEndpoint(endpoint_id=endpoint.id, owner_id=MERCHANT, description="changed")
    delete = DeleteWebhookEndpoint(endpoint_id=endpoint.id, owner_id=MERCHANT)
    rotate = RotateWebhookSecret(endpoint_id=endpoint.id, owner_id=MERCHANT, secret=a_webhook_secret(2))
    commands: list[Command[Any]] = [change, delete, rotate]
    parts = [submit(each, f"other-{number}") for number, each in enumerate(commands)]
    answers = await a_batch(storage).run(parts)
    assert [getattr(answer, "refused", None) for answer in answers] == [False, False, True]
    assert await storage.webhook_endpoints.endpoint(endpoint.id) is None


async def test_a_change_keeps_what_is_not_given(storage: Storage, executor: CommandExecutor) -> None:
    created = await executor.execute(CREATE)
    change = ChangeWebhookEndpoint(endpoint_id=created.id, owner_id=MERCHANT, events=("*",), description="")
    changed = await executor.execute(change)
    assert changed == replace(created, events=("*",), description=None)
    assert await storage.webhook_endpoints.endpoint(created.id) == changed


async def test_a_disabled_endpoint_has_an_event_for_its_owner_and_an_enabled_one_none(
    storage: Storage, executor: CommandExecutor
) -> None:
    created = await executor.execute(CREATE)
    off = ChangeWebhookEndpoint(endpoint_id=created.id, owner_id=MERCHANT, enabled=False, url="https://other.example/")
    await executor.execute(off)
    disabled = await executor.execute(off)
    assert disabled.disabled_reason is DisabledReason.BY_OWNER
    assert disabled.url == "https://other.example/"
    on = ChangeWebhookEndpoint(endpoint_id=created.id, owner_id=MERCHANT, enabled=True)
    assert (await executor.execute(on)).enabled
    await executor.execute(DisableWebhookEndpoint(endpoint_id=created.id, reason=DisabledReason.GONE))
    first, second = await storage.events.read(after=0, limit=10)
    assert (first.type, first.object_id, first.sequence) == (EventType.ENDPOINT_DISABLED, created.id, 1)
    assert (first.customer_id, first.merchant_id) == (None, MERCHANT)
    assert msgspec.json.decode(first.data) == {
        "id": created.id,
        "object": "webhook_endpoint",
        "url": "https://other.example/",
        "events": ["payment.*"],
        "description": "orders",
        "enabled": False,
        "disabled_reason": "by_owner",
        "created_at": "2030-01-02T12:30:15.123456Z",
        "updated_at": "2030-01-02T12:30:15.123456Z",
    }
    assert (second.sequence, msgspec.json.decode(second.data)["disabled_reason"]) == (2, "gone")
    stored = await storage.webhook_endpoints.endpoint(created.id)
    assert stored is not None
    assert stored.sequence == 2


async def test_the_dispatcher_disables_an_endpoint_once(storage: Storage, executor: CommandExecutor) -> None:
    created = await executor.execute(replace(CREATE, owner_id=SYSTEM, all_merchants=True))
    disable = DisableWebhookEndpoint(endpoint_id=created.id, reason=DisabledReason.FAILING)
    disabled = await executor.execute(disable)
    assert disabled is not None
    assert await executor.execute(replace(disable, reason=DisabledReason.GONE)) == disabled
    assert await executor.execute(replace(disable, endpoint_id=endpoint_id(99))) is None
    [event] = await storage.events.read(after=0, limit=10)
    assert (event.type, event.merchant_id) == (EventType.ENDPOINT_DISABLED, None)


async def test_an_endpoint_that_was_changed_meanwhile_is_not_disabled(
    storage: Storage, executor: CommandExecutor
) -> None:
    created = await executor.execute(CREATE)
    disable = DisableWebhookEndpoint(
        endpoint_id=created.id, reason=DisabledReason.GONE, as_of=created.updated_at - timedelta(microseconds=1)
    )
    assert await executor.execute(disable) == created
    assert list(await storage.events.read(after=0, limit=10)) == []
    disabled = await executor.execute(replace(disable, as_of=created.updated_at))
    assert disabled is not None
    assert disabled.disabled_reason is DisabledReason.GONE


async def test_a_result_without_an_endpoint_is_replayed(executor: CommandExecutor) -> None:
    disable = DisableWebhookEndpoint(endpoint_id=endpoint_id(99), reason=DisabledReason.FAILING)
    for _ in range(2):
        assert await executor.execute(disable, idempotency_key="key-1", owner_id=SYSTEM) is None
    created = [await executor.execute(CREATE, idempotency_key="key-2", owner_id=SYSTEM) for _ in range(2)]
    assert created[0] == created[1]
    delete = DeleteWebhookEndpoint(endpoint_id=created[0].id, owner_id=None)
    for _ in range(2):
        assert await executor.execute(delete, idempotency_key="key-3", owner_id=SYSTEM) == created[0].id


async def test_a_rotation_lets_both_secrets_sign(storage: Storage, executor: CommandExecutor) -> None:
    created = await executor.execute(CREATE)
    rotate = RotateWebhookSecret(endpoint_id=created.id, owner_id=MERCHANT, secret=a_webhook_secret(2))
    rotated = await executor.execute(rotate)
    assert rotated.signing_secrets(NOW) == (a_webhook_secret(2), a_webhook_secret(1))
    assert rotated.previous_secret_expires_at == NOW + timedelta(hours=24)
    assert await storage.webhook_endpoints.endpoint(created.id) == rotated
    assert list(await storage.events.read(after=0, limit=10)) == []


async def test_a_test_is_an_event_about_the_endpoint(storage: Storage, executor: CommandExecutor) -> None:
    created = await executor.execute(CREATE)
    sent = [await executor.execute(SendTestEvent(endpoint_id=created.id, owner_id=MERCHANT)) for _ in range(2)]
    events = await storage.events.read(after=0, limit=10)
    assert [(event.id, event.object_id, event.sequence) for event in events] == [
        (each.event_id, created.id, number) for number, each in enumerate(sent, 1)
    ]
    assert all(event.type is EventType.ENDPOINT_TEST for event in events)
    assert all(b"whsec_" not in event.data for event in events)
    await executor.execute(DisableWebhookEndpoint(endpoint_id=created.id, reason=DisabledReason.GONE))
    test = SendTestEvent(endpoint_id=created.id, owner_id=MERCHANT)
    assert await code_of(executor, test) == ["webhook_endpoint_disabled"]


async def test_somebody_elses_endpoint_is_not_found(storage: Storage, executor: CommandExecutor) -> None:
    created = await executor.execute(CREATE)
    for endpoint, owner in ((created.id, user_id(3)), (created.id, SYSTEM), (endpoint_id(99), MERCHANT)):
        codes = await code_of(
            executor,
            ChangeWebhookEndpoint(endpoint_id=endpoint, owner_id=owner, enabled=False),
            DeleteWebhookEndpoint(endpoint_id=endpoint, owner_id=owner),
            RotateWebhookSecret(endpoint_id=endpoint, owner_id=owner, secret=a_webhook_secret(2)),
            SendTestEvent(endpoint_id=endpoint, owner_id=owner),
        )
        assert codes == ["webhook_endpoint_not_found"] * 4
    assert await storage.webhook_endpoints.endpoint(created.id) == created


async def test_a_url_that_the_sender_refuses_is_refused_unless_the_key_has_an_answer(executor: CommandExecutor) -> None:
    refused = replace(CREATE, url_error=URL_ERROR)
    with pytest.raises(InvalidInput) as refusal:
        await executor.execute(refused)
    assert refusal.value.errors == (URL_ERROR,)
    created = await executor.execute(CREATE)
    change = ChangeWebhookEndpoint(endpoint_id=created.id, owner_id=MERCHANT, url=CREATE.url, url_error=URL_ERROR)
    assert await code_of(executor, change, replace(change, owner_id=user_id(3))) == [
        "validation_error",
        "webhook_endpoint_not_found",
    ]


async def test_endpoints_and_payments_are_decided_in_one_batch(storage: Storage) -> None:
    await opened(storage)
    commands: list[CreateWebhookEndpoint | Pay] = [pay(usd(1)), CREATE, pay(usd(1))]
    answers = await a_batch(storage).run(submissions(*commands))
    assert [getattr(answer, "refused", None) for answer in answers] == [False] * 3


def test_no_command_shows_its_secret() -> None:
    rotate = RotateWebhookSecret(endpoint_id=endpoint_id(1), owner_id=None, secret=a_webhook_secret(2))
    assert "whsec_" not in repr((CREATE, rotate))


async def test_no_answer_shows_a_secret(storage: Storage) -> None:
    [answer] = await a_batch(storage).run([submit(CREATE, "key-1")])
    assert isinstance(answer, Answer)
    assert b"whsec_" in answer.body
    found = await load(storage, Wanted(answers=[submit(CREATE, "key-1").key]))
    assert [b"whsec_" in each.body for each in found.answers] == [True]
    assert "whsec_" not in repr((answer, found))
