"""Confirmations with a quote."""

import pytest

from application.bureau import DOLLARS, EUROS, Bureau, refused
from gateway import ConfirmPayment
from gateway.application.errors import InvalidInput
from gateway.contracts.records import EUR, user_id
from gateway.domain.errors import InsufficientFunds, PaymentStateInvalid
from gateway.domain.exchange_errors import QuoteAmountMismatch, QuoteExpired, QuoteNotFound, QuoteUsed
from gateway.domain.money import Money
from gateway.domain.payment import CaptureMethod, Payment, QuoteId
from gateway.domain.payment_status import PaymentStatus
from support.builders import (
    deposit,
    usd,
)


async def test_a_request_is_confirmed_with_a_quote(bureau: Bureau) -> None:
    asked = await bureau.request()
    quote = await bureau.quote()
    paid = await bureau.confirm(asked, quote)
    assert (paid.payment.status, paid.payment.quote_id, paid.payment.version) == (PaymentStatus.CAPTURED, quote.id, 2)
    assert bureau.posted(EUROS, DOLLARS) == [10_000 - 974, 1_050]
    assert bureau.quote_now(quote).payment_id == asked.id
    await bureau.refund(paid.payment)
    assert bureau.posted(EUROS, DOLLARS) == [10_000, 0]


async def test_a_confirmation_that_does_not_fit_its_quote_is_refused(bureau: Bureau) -> None:
    quote, other = await bureau.quote(), await bureau.quote(usd(1))
    held = await bureau.request(capture=CaptureMethod.MANUAL)
    asked = await bureau.request()

    def confirmation(payment: Payment, quote_id: QuoteId, customer: int = 1) -> ConfirmPayment:
        return ConfirmPayment(payment_id=payment.id, customer_id=user_id(customer), quote_id=quote_id)

    await refused(bureau, confirmation(held, quote.id), InvalidInput)
    await refused(bureau, confirmation(asked, other.id), QuoteAmountMismatch)
    await refused(bureau, confirmation(asked, quote.id, customer=9), QuoteNotFound)
    await bureau.pay(quote)
    await refused(bureau, confirmation(asked, quote.id), QuoteUsed)
    late = await bureau.quote()
    bureau.clock.advance(60)
    await refused(bureau, confirmation(asked, late.id), QuoteExpired)
    await bureau.confirm(asked, await bureau.quote())
    await refused(bureau, confirmation(asked, (await bureau.quote()).id), PaymentStateInvalid)


async def test_a_confirmation_that_failed_has_not_used_its_quote(bureau: Bureau) -> None:
    asked = await bureau.request(amount=usd(11_000))
    quote = await bureau.quote(usd(11_000))
    with pytest.raises(InsufficientFunds):
        await bureau.confirm(asked, quote)
    tried = bureau.database.payments[asked.id]
    assert (tried.status, tried.quote_id) == (PaymentStatus.REQUIRES_CONFIRMATION, None)
    await bureau.executor.execute(deposit(Money(1_000, EUR), bureau.account(EUROS).id))
    await bureau.confirm(asked, quote)
