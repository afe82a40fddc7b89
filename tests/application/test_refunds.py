"""Refunds, in parts and whole. The books balance after each test."""

from typing import Any

import pytest

from application.shop import Shop, capture, refund
from gateway import CapturePayment, ExpirePayment, MakePayout, RefundPayment
from gateway.application.engine.command import Command
from gateway.contracts.records import payment_id, user_id
from gateway.domain.errors import (
    MerchantInsufficientFunds,
    PaymentNotFound,
    PaymentNotRefundable,
    RefundAmountExceedsRemaining,
)
from gateway.domain.event_type import EventType
from support.builders import (
    MERCHANT,
    MERCHANT_ACCOUNT,
    balances,
    pay,
    usd,
)


async def test_refunds_give_back_in_parts_and_whole(shop: Shop) -> None:
    payment = (await shop.executor.execute(pay(usd(40)))).payment.id
    part = await shop.executor.execute(refund(payment, 15))
    assert (part.amount, part.reason, await balances(shop.storage)) == (usd(15), "cold", (75, 25))
    with pytest.raises(RefundAmountExceedsRemaining) as refused:
        await shop.executor.execute(refund(payment, 26))
    assert refused.value.facts == {"remaining": 25}
    rest = await shop.executor.execute(refund(payment))
    assert (rest.amount, await balances(shop.storage)) == (usd(25), (100, 0))
    assert await shop.storage.reader.refund(part.id) == part
    refunds = await shop.storage.reader.refunds(payment, before=None, limit=10)
    assert {found.id for found in refunds} == {part.id, rest.id}
    assert (await shop.payment(payment)).version == 3


async def test_a_refund_writes_an_event_of_its_own_and_one_of_the_payment(shop: Shop) -> None:
    payment = (await shop.executor.execute(pay(usd(40)))).payment.id
    await shop.ask(refund(payment))
    [changes] = shop.watch.commits
    assert [event.type for event in changes.events_new] == [EventType.PAYMENT_REFUNDED, EventType.REFUND_SUCCEEDED]
    assert [event.sequence for event in changes.events_new] == [2, 1]


async def test_nothing_is_refunded_that_was_not_captured(shop: Shop) -> None:
    payment = await shop.hold()
    with pytest.raises(PaymentNotRefundable):
        await shop.executor.execute(refund(payment))


async def test_a_merchant_refunds_only_what_they_have(shop: Shop) -> None:
    payment = (await shop.executor.execute(pay(usd(40)))).payment.id
    await shop.executor.execute(MakePayout(account_id=MERCHANT_ACCOUNT, amount=usd(1), owner_id=MERCHANT))
    with pytest.raises(MerchantInsufficientFunds):
        await shop.executor.execute(refund(payment))
    await shop.executor.execute(refund(payment, 39))
    assert await balances(shop.storage) == (99, 0)


async def test_a_stranger_finds_no_payment(shop: Shop) -> None:
    payment = await shop.hold()
    strangers: list[Command[Any]] = [
        CapturePayment(payment_id=payment, merchant_id=user_id(9)),
        RefundPayment(payment_id=payment, merchant_id=user_id(9)),
        capture(payment_id(99)),
        ExpirePayment(payment_id=payment_id(99)),
    ]
    for command in strangers:
        with pytest.raises(PaymentNotFound):
            await shop.executor.execute(command)
