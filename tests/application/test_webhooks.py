"""Webhook endpoints for embedders: `gateway.webhooks`."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway import (
    Caller,
    DisabledReason,
    EndpointId,
    Gateway,
    InvalidInput,
    Refusal,
    Role,
    UserId,
    in_memory_gateway,
)
from gateway.adapters.memory import MemoryWebhookSender
from gateway.application.ports.sessions import SessionId
from gateway.contracts.records import endpoint_id, user_id
from gateway.domain.errors import invalid
from gateway.domain.user import SYSTEM

MERCHANT, OTHER = user_id(2), user_id(3)
URL = "https://shop.example/webhooks"


class Sender(MemoryWebhookSender):
    """Allows no host but one, and remembers what it was asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.checked: list[tuple[str, UserId]] = []

    async def check(self, url: str, *, owner_id: UserId) -> None:
        self.checked.append((url, owner_id))
        if not url.startswith("https://shop.example"):
            raise invalid("url", "url_not_allowed", "This address is not allowed.")


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
async def gateway(sender: Sender) -> AsyncIterator[Gateway]:
    async with in_memory_gateway(webhook_sender=sender) as gateway:
        yield gateway


def caller(user: UserId, role: Role = Role.MERCHANT) -> Caller:
    return Caller(user_id=user, role=role, session_id=SessionId("ses_1"))


async def create(gateway: Gateway, owner: UserId = MERCHANT, **more: Any) -> EndpointId:
    return (await gateway.webhooks.create(**{"owner_id": owner, "url": URL, "events": ["*"], **more})).id


async def test_an_endpoint_is_created_changed_rotated_tested_and_deleted(gateway: Gateway) -> None:
    webhooks = gateway.webhooks
    created = await webhooks.create(owner_id=MERCHANT, url=URL, events=["payment.*"], description="orders")
    assert (created.owner_id, created.url, created.events) == (MERCHANT, URL, ("payment.*",))
    assert (created.description, created.enabled, created.all_merchants) == ("orders", True, False)
    changed = await webhooks.change(created.id, events=("*",), description="", enabled=False)
    assert (changed.url, changed.events, changed.description) == (URL, ("*",), None)
    assert changed.disabled_reason is DisabledReason.BY_OWNER
    assert (await webhooks.change(created.id, owner_id=MERCHANT, enabled=True)).enabled
    rotated = await webhooks.rotate_secret(created.id)
    assert rotated.previous_secret == created.secret != rotated.secret
    sent = await webhooks.send_test(created.id)
    *_, event = await gateway.events.read()
    assert (sent.endpoint_id, sent.event_id) == (created.id, event.id)
    await webhooks.delete(created.id)
    with pytest.raises(Refusal, match="no such webhook endpoint"):
        await webhooks.endpoint(caller(MERCHANT), created.id)


async def test_every_secret_is_another(gateway: Gateway) -> None:
    assert len({gateway.webhooks.new_secret() for _ in range(100)}) == 100


async def test_a_url_is_checked_when_it_is_given_and_only_then(gateway: Gateway, sender: Sender) -> None:
    with pytest.raises(InvalidInput) as refused:
        await create(gateway, url="https://10.0.0.1/")
    assert [(error.field, error.code) for error in refused.value.errors] == [("url", "url_not_allowed")]
    found = await create(gateway)
    await gateway.webhooks.change(found, enabled=False)
    for owner in (MERCHANT, None):
        with pytest.raises(InvalidInput):
            await gateway.webhooks.change(found, owner_id=owner, url="https://10.0.0.1/")
    refused_url = "https://10.0.0.1/"
    assert sender.checked == [(refused_url, MERCHANT), (URL, MERCHANT), (refused_url, MERCHANT), (refused_url, SYSTEM)]


async def test_a_host_is_not_looked_up_for_what_is_not_valid_anyway(gateway: Gateway, sender: Sender) -> None:
    bad: list[dict[str, Any]] = [{"url": "ftp://shop.example"}, {"events": []}, {"description": "x" * 501}]
    for values in bad:
        with pytest.raises(InvalidInput):
            await create(gateway, **values)
    assert sender.checked == []


@pytest.mark.parametrize("events", ["payment.*", b"payment.*", None, 7, {"payment.*": 1}])
async def test_filters_are_a_sequence(gateway: Gateway, events: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        await create(gateway, events=events)
    assert [error.field for error in refused.value.errors] == ["events"]


async def test_the_owner_is_checked_where_it_is_given(gateway: Gateway) -> None:
    found, webhooks = await create(gateway), gateway.webhooks
    for call in (
        lambda: webhooks.change(found, owner_id=OTHER, enabled=False),
        lambda: webhooks.rotate_secret(found, owner_id=OTHER),
        lambda: webhooks.send_test(found, owner_id=OTHER),
        lambda: webhooks.delete(found, owner_id=OTHER),
    ):
        with pytest.raises(Refusal) as refused:
            await call()
        assert refused.value.code == "webhook_endpoint_not_found"
    assert (await webhooks.endpoint(caller(MERCHANT), found)).enabled


async def test_a_caller_finds_and_lists_their_own_endpoints(gateway: Gateway) -> None:
    mine = [await create(gateway) for _ in range(3)]
    await create(gateway, OTHER)
    of_operators = await create(gateway, SYSTEM, all_merchants=True)
    webhooks = gateway.webhooks
    page = await webhooks.endpoints(caller(MERCHANT), before=None, limit=2)
    assert ([each.id for each in page.items], page.has_more) == ([mine[2], mine[1]], True)
    page = await webhooks.endpoints(caller(MERCHANT), before=page.items[-1].id, limit=2)
    assert ([each.id for each in page.items], page.has_more) == ([mine[0]], False)
    operator = caller(user_id(9), Role.OPERATOR)
    page = await webhooks.endpoints(operator, before=None, limit=10)
    assert [each.id for each in page.items] == [of_operators]
    assert (await webhooks.endpoint(operator, of_operators)).all_merchants
    for asker, wanted in ((operator, mine[0]), (caller(OTHER), mine[0]), (caller(MERCHANT), endpoint_id(99))):
        with pytest.raises(Refusal) as refused:
            await webhooks.endpoint(asker, wanted)
        assert refused.value.code == "webhook_endpoint_not_found"


async def test_a_customer_has_no_endpoints(gateway: Gateway) -> None:
    customer = caller(user_id(1), Role.CUSTOMER)
    for call in (
        gateway.webhooks.endpoints(customer, before=None, limit=10),
        gateway.webhooks.endpoint(customer, await create(gateway)),
    ):
        with pytest.raises(Refusal) as refused:
            await call
        assert refused.value.code == "role_forbidden"
