"""Whoever follows the events of a gateway misses none, however many gateways pay at once, on every storage."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from gateway import AccountKey, AccountKind, Gateway, MakeDeposit, OpenAccount, in_memory_gateway, open_gateway
from gateway.adapters.memory import MemoryDatabase
from gateway.application.ports.events import FeedEvent
from gateway.contracts.records import USD
from gateway.domain.errors import InvalidInput
from gateway.domain.event_type import EventType
from support.builders import CUSTOMER, MERCHANT, pay, usd

OpenGateway = Callable[[], AbstractAsyncContextManager[Gateway]]

PAYMENTS_OF_A_GATEWAY = 500
PAYERS_OF_A_GATEWAY = 10
TIMEOUT_SECONDS = 60


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def open_one(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenGateway:
    """Opens a gateway on the same storage each time."""
    monkeypatch.chdir(tmp_path)
    if request.param == "memory":
        return partial(in_memory_gateway, database=MemoryDatabase())
    url = "ledger.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return partial(open_gateway, url)


@pytest.fixture
async def gateways(open_one: OpenGateway) -> AsyncIterator[list[Gateway]]:
    """Two gateways on one storage, with a customer who has money and a merchant."""
    async with open_one() as first, open_one() as second:
        account = await first.execute(OpenAccount(key=AccountKey(CUSTOMER, USD, AccountKind.CUSTOMER)))
        await first.execute(OpenAccount(key=AccountKey(MERCHANT, USD, AccountKind.MERCHANT)))
        await first.execute(MakeDeposit(account_id=account.id, amount=usd(10_000), owner_id=None))
        yield [first, second]


async def test_three_who_follow_miss_nothing_while_two_gateways_pay(gateways: list[Gateway]) -> None:
    total = len(gateways) * PAYMENTS_OF_A_GATEWAY

    async def pay_often(gateway: Gateway, times: int) -> list[str]:
        return [(await gateway.execute(pay(usd(1)))).payment.id for _ in range(times)]

    async def follow(gateway: Gateway) -> list[FeedEvent]:
        seen: list[FeedEvent] = []
        async for event in gateway.events.follow(poll_seconds=0.001):
            seen.append(event)
            if sum(event.type is EventType.PAYMENT_CAPTURED for event in seen) == total:
                break
        return seen

    times = PAYMENTS_OF_A_GATEWAY // PAYERS_OF_A_GATEWAY
    async with asyncio.timeout(TIMEOUT_SECONDS), asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(follow(gateway)) for gateway in (gateways[0], gateways[1], gateways[0])]
        payers = [
            tasks.create_task(pay_often(gateway, times)) for gateway in gateways for _ in range(PAYERS_OF_A_GATEWAY)
        ]
    paid = {payment_id for payer in payers for payment_id in payer.result()}
    seen = readers[0].result()
    assert {event.object_id for event in seen if event.type is EventType.PAYMENT_CAPTURED} == paid
    assert len({event.id for event in seen}) == len(seen)
    positions = [event.position for event in seen]
    assert positions == sorted(set(positions))
    assert all(reader.result() == seen for reader in readers)


async def test_what_was_answered_is_in_the_feed(gateways: list[Gateway]) -> None:
    """A payment that was answered by one gateway is found at once by a reader of the other one."""
    reader = gateways[1].events
    [*_, newest] = await reader.read()
    for number in range(1, 11):
        paid = await gateways[0].execute(pay(usd(number)))
        [event] = await reader.read(after=newest.position)
        assert event.object_id == paid.payment.id
        newest = event


@pytest.mark.parametrize("arguments", [{"after": -1}, {"after": 2**63}, {"after": True}, {"limit": 0}, {"limit": 1001}])
async def test_a_position_is_at_least_0_and_a_page_has_1_to_1000_events(
    gateways: list[Gateway], arguments: dict[str, int]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await gateways[0].events.read(**arguments)
    assert [error.field for error in refused.value.errors] == [*arguments]
