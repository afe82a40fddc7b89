"""Requested payments: confirmed, canceled, expired. The books balance after each test."""

from dataclasses import replace
from typing import Any

import pytest

from application.shop import SECOND, Shop, a_request, cancel, confirm
from gateway import ExpirePayment, OpenAccount, PaymentResult
from gateway.application.engine.command import Command
from gateway.contracts.records import EUR, USD, user_id
from gateway.domain.account import AccountKey, AccountKind
from gateway.domain.errors import (
    CurrencyMismatch,
    DuplicateReference,
    InsufficientFunds,
    MerchantNotFound,
    PaymentExpired,
    PaymentNotFound,
    PaymentStateInvalid,
    Refusal,
    SameAccount,
    UserNotFound,
)
from gateway.domain.event_type import EventType
from gateway.domain.payment import CaptureMethod
from gateway.domain.payment_status import PaymentStatus
from support.builders import (
    CUSTOMER,
    MERCHANT,
    balances,
    deposit,
    register,
    usd,
)


async def test_nobody_asks_themselves_for_a_payment_or_confirms_it(shop: Shop) -> None:
    """A user may have accounts of both kinds, where an embedding program opens them."""
    await shop.executor.execute(OpenAccount(key=AccountKey(MERCHANT, USD, AccountKind.CUSTOMER)))
    with pytest.raises(SameAccount):
        await shop.executor.execute(a_request(customer_id=MERCHANT))
    asked = await shop.executor.execute(a_request(customer_id=None))
    with pytest.raises(SameAccount):
        await shop.executor.execute(confirm(asked.id, customer=2))
    paid: PaymentResult = await shop.executor.execute(confirm(asked.id))
    assert paid.payment.customer_id == CUSTOMER


@pytest.mark.parametrize("method", CaptureMethod)
async def test_a_customer_confirms_what_a_merchant_asks_for(shop: Shop, method: CaptureMethod) -> None:
    payment = await shop.request(capture=method)
    assert await balances(shop.storage) == (100, 0)
    with pytest.raises(PaymentNotFound):
        await shop.executor.execute(confirm(payment, customer=9))
    confirmed: PaymentResult = await shop.executor.execute(confirm(payment))
    automatic = method is CaptureMethod.AUTOMATIC
    assert confirmed.payment.status is (PaymentStatus.CAPTURED if automatic else PaymentStatus.AUTHORIZED)
    assert await balances(shop.storage) == ((60, 40) if automatic else (60, 0))
    with pytest.raises(PaymentStateInvalid):
        await shop.executor.execute(confirm(payment))


async def test_a_request_that_names_nobody_is_whose_confirms_it(shop: Shop) -> None:
    payment = await shop.request(customer_id=None)
    await shop.executor.execute(register(7, currency=EUR))
    with pytest.raises(CurrencyMismatch):
        await shop.executor.execute(confirm(payment, customer=7))
    await shop.executor.execute(confirm(payment))
    assert (await shop.payment(payment)).customer_id == CUSTOMER


@pytest.mark.parametrize("method", CaptureMethod)
async def test_a_request_survives_a_confirmation_that_lacks_funds_and_is_then_confirmed(
    shop: Shop, method: CaptureMethod
) -> None:
    payment = await shop.request(101, capture=method)
    asked = await shop.payment(payment)
    shop.clock.advance(1)
    for key in ("first", "first", "second"):
        with pytest.raises(InsufficientFunds) as refused:
            await shop.executor.execute(confirm(payment), idempotency_key=key)
        assert refused.value.facts["payment_id"] == payment
    tried = await shop.payment(payment)
    expected = replace(asked, failure_code="insufficient_funds", version=3, updated_at=asked.created_at + SECOND)
    assert tried == expected
    await shop.executor.execute(deposit(usd(1)))
    with pytest.raises(InsufficientFunds):
        await shop.executor.execute(confirm(payment), idempotency_key="first")
    paid: PaymentResult = await shop.executor.execute(confirm(payment), idempotency_key="third")
    status = PaymentStatus.CAPTURED if method is CaptureMethod.AUTOMATIC else PaymentStatus.AUTHORIZED
    assert (paid.payment.status, paid.payment.failure_code, paid.payment.version) == (status, None, 4)


async def test_a_stranger_without_funds_neither_binds_an_open_request_nor_is_named_by_it(shop: Shop) -> None:
    payment = await shop.request(customer_id=None)
    await shop.executor.execute(register(7))
    shop.watch.commits.clear()
    with pytest.raises(InsufficientFunds):
        await shop.executor.execute(confirm(payment, customer=7))
    [event] = [event for changes in shop.watch.commits for event in changes.events_new]
    tried = await shop.payment(payment)
    assert (tried.customer_id, tried.status) == (None, PaymentStatus.REQUIRES_CONFIRMATION)
    assert (event.type, event.object, event.sequence) == (EventType.PAYMENT_CONFIRMATION_FAILED, tried, 2)
    assert (event.customer_id, event.merchant_id) == (None, MERCHANT)
    confirmed: PaymentResult = await shop.executor.execute(confirm(payment))
    assert (confirmed.payment.customer_id, confirmed.payment.version) == (CUSTOMER, 3)


async def test_a_request_that_was_tried_in_vain_is_canceled_or_expires(shop: Shop) -> None:
    canceled, expired = await shop.request(101), await shop.request(101)
    for payment in (canceled, expired):
        with pytest.raises(InsufficientFunds):
            await shop.executor.execute(confirm(payment))
    assert await shop.ask(cancel(canceled)) is EventType.PAYMENT_CANCELED
    shop.clock.advance(60)
    assert await shop.ask(ExpirePayment(payment_id=expired)) is EventType.PAYMENT_EXPIRED
    for payment in (canceled, expired):
        ended = await shop.payment(payment)
        assert (ended.failure_code, ended.version) == ("insufficient_funds", 3)


@pytest.mark.parametrize("by", [1, 2])
async def test_a_request_is_canceled_by_either(shop: Shop, by: int) -> None:
    payment = await shop.request()
    assert await shop.ask(cancel(payment, by=by)) is EventType.PAYMENT_CANCELED
    with pytest.raises(PaymentStateInvalid):
        await shop.executor.execute(confirm(payment))


async def test_a_request_expires(shop: Shop) -> None:
    payment = await shop.request()
    shop.clock.advance(60)
    with pytest.raises(PaymentExpired):
        await shop.executor.execute(confirm(payment))
    assert await shop.ask(ExpirePayment(payment_id=payment)) is EventType.PAYMENT_EXPIRED


async def test_a_request_is_between_users_that_exist(shop: Shop) -> None:
    refusals: list[tuple[Command[Any], type[Refusal]]] = [
        (a_request(customer_id=user_id(99)), UserNotFound),
        (a_request(merchant_id=user_id(99)), MerchantNotFound),
    ]
    for command, refusal in refusals:
        with pytest.raises(refusal):
            await shop.executor.execute(command)
    await shop.request(reference="order-1")
    with pytest.raises(DuplicateReference):
        await shop.request(reference="order-1")
