"""Holds: authorized, captured, canceled, expired. The books balance after each test."""

from typing import Any

import pytest

from application.shop import Shop, authorize, cancel, capture, moves
from gateway import ExpirePayment, FreezeAccount, PaymentResult
from gateway.application.engine.command import Command
from gateway.application.errors import RoleForbidden
from gateway.domain.errors import (
    AccountFrozen,
    CaptureAmountExceedsAuthorized,
    PaymentExpired,
    PaymentNotDue,
    PaymentNotFound,
)
from gateway.domain.event_type import EventType
from gateway.domain.payment_status import PaymentStatus
from gateway.domain.transaction import TransactionType
from gateway.domain.transfer import TransferKind
from support.builders import (
    CUSTOMER_ACCOUNT,
    balances,
)


async def test_a_hold_is_captured_whole(shop: Shop) -> None:
    paid: PaymentResult = await shop.executor.execute(authorize(40))
    assert paid.payment.status is PaymentStatus.AUTHORIZED
    assert paid.transaction.type is TransactionType.HOLD
    assert (await balances(shop.storage), await shop.held()) == ((60, 0), 40)
    taken = await shop.executor.execute(capture(paid.payment.id))
    assert (taken.payment.status, taken.payment.version) == (PaymentStatus.CAPTURED, 2)
    assert (taken.transaction.type, moves(taken.transaction)) == (
        TransactionType.CAPTURE,
        [(TransferKind.POST_HELD, 40)],
    )
    assert (await balances(shop.storage), await shop.held()) == ((60, 40), 0)


async def test_a_final_capture_of_a_part_gives_the_rest_back(shop: Shop) -> None:
    taken = await shop.executor.execute(capture(await shop.hold(), 30))
    assert moves(taken.transaction) == [(TransferKind.POST_HELD, 30), (TransferKind.RELEASE, 70)]
    assert (await balances(shop.storage), await shop.held()) == ((70, 30), 0)


async def test_a_hold_is_captured_in_parts_until_nothing_is_left(shop: Shop) -> None:
    payment = await shop.hold()
    assert await shop.ask(capture(payment, 30, final=False)) is EventType.PAYMENT_PARTIALLY_CAPTURED
    assert (await balances(shop.storage), await shop.held()) == ((0, 30), 70)
    with pytest.raises(CaptureAmountExceedsAuthorized):
        await shop.executor.execute(capture(payment, 71, final=False))
    assert await shop.ask(capture(payment, 70, final=False)) is EventType.PAYMENT_CAPTURED
    assert (await balances(shop.storage), await shop.held()) == ((0, 100), 0)


async def test_a_canceled_hold_goes_back(shop: Shop) -> None:
    payment = await shop.hold()
    assert await shop.ask(cancel(payment)) is EventType.PAYMENT_CANCELED
    assert (await balances(shop.storage), await shop.held()) == ((100, 0), 0)


async def test_what_was_captured_before_it_was_canceled_stays_captured(shop: Shop) -> None:
    payment = await shop.hold()
    await shop.executor.execute(capture(payment, 30, final=False))
    assert await shop.ask(cancel(payment)) is EventType.PAYMENT_CAPTURED
    assert (await balances(shop.storage), await shop.held()) == ((70, 30), 0)


async def test_a_customer_cannot_cancel_what_they_confirmed(shop: Shop) -> None:
    payment = await shop.hold()
    with pytest.raises(RoleForbidden):
        await shop.executor.execute(cancel(payment, by=1))
    with pytest.raises(PaymentNotFound):
        await shop.executor.execute(cancel(payment, by=9))
    assert await shop.held() == 100


async def test_a_hold_expires_once_at_its_time(shop: Shop) -> None:
    payment = await shop.hold()
    shop.clock.advance(59)
    with pytest.raises(PaymentNotDue):
        await shop.executor.execute(ExpirePayment(payment_id=payment), idempotency_key="expire")
    shop.clock.advance(1)
    late: list[Command[Any]] = [capture(payment), cancel(payment)]
    for command in late:
        with pytest.raises(PaymentExpired):
            await shop.executor.execute(command)
    await shop.executor.execute(ExpirePayment(payment_id=payment), idempotency_key="expire")
    assert (await balances(shop.storage), await shop.held()) == ((100, 0), 0)
    expired = await shop.payment(payment)
    assert (expired.status, expired.version) == (PaymentStatus.EXPIRED, 2)
    assert await shop.ask(ExpirePayment(payment_id=payment)) is None
    assert await shop.payment(payment) == expired


async def test_what_was_captured_before_its_time_was_over_stays_captured(shop: Shop) -> None:
    payment = await shop.hold()
    await shop.executor.execute(capture(payment, 30, final=False))
    shop.clock.advance(60)
    assert await shop.ask(ExpirePayment(payment_id=payment)) is EventType.PAYMENT_CAPTURED
    assert (await balances(shop.storage), await shop.held()) == ((70, 30), 0)


async def test_a_frozen_customer_authorizes_nothing_and_nothing_is_captured_of_theirs(shop: Shop) -> None:
    payment = await shop.hold(40)
    await shop.executor.execute(FreezeAccount(account_id=CUSTOMER_ACCOUNT))
    for command in (authorize(10), capture(payment)):
        with pytest.raises(AccountFrozen):
            await shop.executor.execute(command)
    await shop.executor.execute(cancel(payment))
    assert await shop.held() == 0
