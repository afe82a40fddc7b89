"""Refunds of payments with a quote."""

from application.bureau import DOLLARS, EUROS, PAIR, Bureau, moved, refused
from gateway import MakePayout, RefundPayment, ReverseTransaction
from gateway.contracts.records import USD
from gateway.domain.errors import (
    MerchantInsufficientFunds,
    UseRefund,
)
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
