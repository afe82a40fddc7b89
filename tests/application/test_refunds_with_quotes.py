"""Refunds of payments with a quote."""

from dataclasses import replace
from datetime import timedelta

import pytest

from application.bureau import DOLLARS, EUROS, PAIR, Bureau, moved, refused
from gateway import MakePayout, RefundPayment, ReverseTransaction
from gateway.application.quotes import QuoteLimits
from gateway.contracts.records import NOW, USD
from gateway.domain.errors import (
    MerchantInsufficientFunds,
    PaymentNotRefundable,
    UseRefund,
)
from gateway.domain.quote import SpreadRefund
from gateway.domain.rate import rate_of
from gateway.domain.transaction import TransactionType
from support.builders import (
    MERCHANT,
    usd,
)


async def test_a_refund_goes_back_at_the_rate_of_the_payment(bureau: Bureau) -> None:
    payment = (await bureau.pay(await bureau.quote())).payment
    await bureau.exchange.set_rate(PAIR, rate_of("3"), spread_basis_points=0)
    bureau.clock.advance(86_400)
    await bureau.refund(payment, 525)
    assert bureau.posted(EUROS, DOLLARS) == [10_000 - 487, 525]
    assert bureau.gateways_own() == [484, -525, 3, 0]
    await bureau.refund(payment)
    assert bureau.posted(EUROS, DOLLARS) == [10_000, 0]
    assert bureau.gateways_own() == [0, 0, 0, 0]


async def test_a_refund_tells_what_the_merchant_gave_back(bureau: Bureau) -> None:
    payment = (await bureau.pay(await bureau.quote())).payment
    await bureau.refund(payment, 525)
    [refund] = bureau.database.refunds.values()
    transaction = bureau.database.transactions[refund.transaction_id]
    assert refund.amount == usd(525)
    assert (transaction.type, transaction.amount_minor, transaction.currency) == (TransactionType.REFUND, 525, USD)
    assert sorted(moved(each) for each in transaction.transfers) == [(2, "EUR"), (487, "EUR"), (525, "USD")]


async def test_a_merchant_who_is_short_gives_nothing_back(bureau: Bureau) -> None:
    payment = (await bureau.pay(await bureau.quote())).payment
    await bureau.executor.execute(MakePayout(account_id=bureau.account(DOLLARS).id, amount=usd(1), owner_id=MERCHANT))
    await refused(bureau, RefundPayment(payment_id=payment.id, merchant_id=MERCHANT), MerchantInsufficientFunds)
    await bureau.refund(payment, 1_049)


async def test_a_payment_across_is_refunded_and_not_reversed(bureau: Bureau) -> None:
    paid = await bureau.pay(await bureau.quote())
    await refused(bureau, ReverseTransaction(transaction_id=paid.transaction.id, reason="x"), UseRefund)


async def test_a_payment_across_is_refunded_within_the_time_that_its_quote_promised(bureau: Bureau) -> None:
    """The time is that of the quote, whatever is set later."""
    promising = replace(bureau, exchange=replace(bureau.exchange, limits=QuoteLimits(refund_seconds=3_600)))
    quote = await promising.quote()
    assert quote.refundable_until == NOW + timedelta(seconds=3_600)
    payment = (await bureau.pay(quote)).payment
    bureau.clock.advance(3_599.999999)
    await bureau.refund(payment, 525)
    bureau.clock.advance(0.000001)
    command = RefundPayment(payment_id=payment.id, merchant_id=MERCHANT)
    with pytest.raises(PaymentNotRefundable) as late:
        await bureau.executor.execute(command)
    assert late.value.facts["current_status"] == "captured"
    assert bureau.posted(DOLLARS) == [525]


@pytest.mark.parametrize(
    ("spread_refund", "fee_spread", "customer"),
    [(SpreadRefund.ALWAYS, 0, 10_000), (SpreadRefund.WITH_FEE, 3, 9_997), (SpreadRefund.NEVER, 5, 9_995)],
)
async def test_the_spread_goes_back_as_the_quote_promised(
    bureau: Bureau, spread_refund: SpreadRefund, fee_spread: int, customer: int
) -> None:
    """Half of the payment is refunded with the merchant's fee, half without; the exchange is left with nothing."""
    promising = replace(bureau, exchange=replace(bureau.exchange, limits=QuoteLimits(spread_refund=spread_refund)))
    payment = (await bureau.pay(await promising.quote())).payment
    assert bureau.gateways_own() == [969, -1_050, 5, 0]
    await bureau.refund(payment, 525, refund_fee=True)
    await bureau.refund(payment)
    assert bureau.gateways_own() == [0, 0, fee_spread, 0]
    assert bureau.posted(EUROS, DOLLARS) == [customer, 0]
