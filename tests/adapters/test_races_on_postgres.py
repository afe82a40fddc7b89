"""Whoever races on Postgres, exactly one wins: several gateways, each with its own connections, on one payment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from gateway.adapters.sql import open_sql_storage
from gateway.adapters.system.identifiers import time_ordered_id
from gateway.application.command import Command
from gateway.application.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    ExpirePayment,
    Pay,
    RefundPayment,
    RequestPayment,
    ReverseTransaction,
    SetFees,
)
from gateway.application.executor import OneByOne
from gateway.application.front_door import FrontDoor
from gateway.application.ports.storage import Storage
from gateway.application.retry import RetryLimits, retrying
from gateway.application.verify import verify
from gateway.contracts.records import USD
from gateway.domain.errors import Refusal
from gateway.domain.fees import FeeSchedule
from gateway.domain.payment import CaptureMethod, Payment, PaymentId, PaymentOrder, PaymentRequest, PaymentStatus
from support.builders import CUSTOMER, MERCHANT, MERCHANT_ACCOUNT, StandingClock, a_batch, deposit, opened, usd

ROUNDS = 10


@dataclass(frozen=True)
class Arena:
    """Three doors into one database, and the clock that all go by."""

    doors: tuple[FrontDoor, ...]
    storage: Storage
    clock: StandingClock

    async def race(self, *commands: Command[Any]) -> int:
        """Ask all at once, each at another door; how many were not refused."""
        asked = [self._succeeds(self.doors[n % len(self.doors)].execute(each)) for n, each in enumerate(commands)]
        return sum(await asyncio.gather(*asked))

    async def _succeeds(self, asked: Awaitable[object]) -> bool:
        try:
            await asked
        except Refusal:
            return False
        return True

    async def hold(self, amount_minor: int) -> PaymentId:
        """A payment of the customer's to be captured within a minute."""
        order = PaymentOrder(
            customer_id=CUSTOMER,
            merchant_id=MERCHANT,
            amount=usd(amount_minor),
            metadata={},
            capture=CaptureMethod.MANUAL,
            expires_in_seconds=60,
        )
        return (await self.doors[0].execute(Pay(order=order))).payment.id

    async def payment(self, payment_id: PaymentId) -> Payment:
        """As it is kept."""
        payment = await self.storage.reader.payment(payment_id)
        assert payment is not None
        return payment


@pytest.fixture
async def arena(postgres_url: str) -> AsyncIterator[Arena]:
    """The books are checked in the end."""
    clock = StandingClock()
    async with AsyncExitStack() as stack:
        storages = [await stack.enter_async_context(open_sql_storage(postgres_url)) for _ in range(3)]
        await opened(storages[0], balance=100_000)
        limits = RetryLimits(attempts_max=20, duration_seconds_max=30)
        runs = [retrying(a_batch(storage, clock).run, limits) for storage in storages]
        yield Arena(tuple(FrontDoor(OneByOne(run), time_ordered_id) for run in runs), storages[0], clock)
        async with storages[0].audit() as audit:
            assert (await verify(audit)).named == []


def capture(payment: PaymentId, amount_minor: int | None = None, *, final: bool = True) -> CapturePayment:
    return CapturePayment(payment_id=payment, merchant_id=MERCHANT, amount_minor=amount_minor, final=final)


async def test_of_capture_cancel_and_expiry_exactly_one_wins(arena: Arena) -> None:
    outcomes: set[PaymentStatus] = set()
    for n in range(ROUNDS):
        payment = await arena.hold(10)
        # At the deadline only expiry may win, before it either of the others.
        arena.clock.now += timedelta(seconds=60 if n % 2 else 1)
        racers: list[Command[Any]] = [
            capture(payment),
            CancelPayment(payment_id=payment, by=MERCHANT),
            ExpirePayment(payment_id=payment),
        ]
        await arena.race(*racers[n % 3 :], *racers[: n % 3])
        ended = await arena.payment(payment)
        assert ended.version == 2
        outcomes.add(ended.status)
    assert PaymentStatus.EXPIRED in outcomes
    assert outcomes & {PaymentStatus.CAPTURED, PaymentStatus.CANCELED}


async def test_parallel_captures_never_take_more_than_was_authorized(arena: Arena) -> None:
    payment = await arena.hold(1000)
    captures = [capture(payment, 101, final=False) for _ in range(20)]
    assert await arena.race(*captures) == 9
    assert (await arena.payment(payment)).amount_captured_minor == 909


async def test_parallel_refunds_never_give_back_more_than_was_captured(arena: Arena) -> None:
    fees = SetFees(merchant_id=MERCHANT, currency=USD, fees=FeeSchedule(333, 3))
    await arena.doors[0].execute(fees)
    payment = await arena.hold(1000)
    await arena.doors[0].execute(capture(payment))
    refunds = [
        RefundPayment(payment_id=payment, merchant_id=MERCHANT, amount_minor=101, refund_fee=n % 2 == 0)
        for n in range(20)
    ]
    await arena.doors[0].execute(deposit(usd(10_000), MERCHANT_ACCOUNT))
    assert await arena.race(*refunds) == 9
    assert (await arena.payment(payment)).amount_refunded_minor == 909


async def test_a_request_is_confirmed_once(arena: Arena) -> None:
    request = PaymentRequest(merchant_id=MERCHANT, amount=usd(10), metadata={})
    payment = await arena.doors[0].execute(RequestPayment(request=request))
    confirms = [ConfirmPayment(payment_id=payment.id, customer_id=CUSTOMER) for _ in range(6)]
    assert await arena.race(*confirms) == 1


async def test_a_deposit_is_reversed_once(arena: Arena) -> None:
    made = await arena.doors[0].execute(deposit(usd(10)))
    reversals = [ReverseTransaction(transaction_id=made.transaction_id, reason="twice") for _ in range(6)]
    assert await arena.race(*reversals) == 1
